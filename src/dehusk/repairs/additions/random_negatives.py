"""Random negatives: the answer to this prompt beats a good answer to another one (R-DA of arXiv 2310.03716)."""

from __future__ import annotations

import numpy as np
import polars as pl

from dehusk.core.tables import Ints, Pairs
from dehusk.repairs.additions.drawing import gathered, others


def random_negatives(pairs: Pairs, rows: Ints, rng: np.random.Generator) -> pl.DataFrame:
    """The chosen answer beats another prompt's chosen answer: fluent, and as long as any, but off the prompt.

    Args:
        pairs: The preference pairs.
        rows: Which of them get such a pair, shape (m,).
        rng: Which other prompts.

    Raises:
        NotEnoughData: fewer than two prompts.
    """
    other = others(pairs, 1, rng)[rows, 0]
    of = rows[other >= 0]
    return gathered(pairs, of, ("chosen", of), ("chosen", other[other >= 0]), tie=False)
