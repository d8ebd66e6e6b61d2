"""Lets these tests share `pool_tables.py` and the small tables of the policy probes."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "policy")]
