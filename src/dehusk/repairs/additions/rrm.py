"""The pairs of robust reward modelling (RRM, arXiv 2409.13156): what an answer's prompt should have to do with it.

Of pair i and two pairs j and k of other prompts, all under the prompt of i: both answers of i beat each of the four
answers of j and k (8 non-contextual pairs), and among those four neither of any two is better (6 neutral ones). What an
answer looks like is the same on both sides on average, so it cannot earn anything. They teach to read the prompt; they
do not teach that style within a prompt is worth nothing, and reasoning benchmarks fell in the paper.
"""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import polars as pl

from dehusk.core.tables import Ints, Pairs
from dehusk.repairs.additions.drawing import gathered, others

SIDES = ("chosen", "rejected")


def non_contextual(pairs: Pairs, rows: Ints, rng: np.random.Generator) -> pl.DataFrame:
    """Both answers beat each of four answers to two other prompts: 8 pairs a row.

    Args:
        pairs: The preference pairs.
        rows: Which of them get such pairs, shape (m,).
        rng: Which other prompts.

    Raises:
        NotEnoughData: fewer than two prompts.
    """
    of, foreign = _triples(pairs, rows, rng)
    return pl.concat(
        gathered(pairs, of, (own, of), (side, foreign[:, which]), tie=False)
        for own, which, side in product(SIDES, (0, 1), SIDES)
    )


def neutral(pairs: Pairs, rows: Ints, rng: np.random.Generator) -> pl.DataFrame:
    """Of four answers to two other prompts neither of any two is better: 6 ties a row.

    Args:
        pairs: The preference pairs.
        rows: Which of them get such ties, shape (m,).
        rng: Which other prompts.

    Raises:
        NotEnoughData: fewer than two prompts.
    """
    of, foreign = _triples(pairs, rows, rng)
    answers = [(side, foreign[:, which]) for which, side in product((0, 1), SIDES)]
    return pl.concat(gathered(pairs, of, one, two, tie=True) for one, two in combinations(answers, 2))


def _triples(pairs: Pairs, rows: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Rows i that have two others, shape (t,), and the rows j and k, shape (t, 2)."""
    foreign = others(pairs, 2, rng)[rows]
    complete = (foreign >= 0).all(axis=1)
    return rows[complete], foreign[complete]
