"""Files and the tables made from them: layouts of every framework, row checks, writing."""

from dehusk.io.atomic import write_atomic, write_table
from dehusk.io.counterfactuals import read_counterfactuals
from dehusk.io.logs import read_log
from dehusk.io.pairs import LoadedPairs, Origin, read_pairs
from dehusk.io.responses import LoadedResponses, read_responses
from dehusk.io.writing import write_pairs

__all__ = [
    "LoadedPairs",
    "LoadedResponses",
    "Origin",
    "read_counterfactuals",
    "read_log",
    "read_pairs",
    "read_responses",
    "write_atomic",
    "write_pairs",
    "write_table",
]
