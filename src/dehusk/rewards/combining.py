"""Rules that make one score of the scores of several reward models: pure functions of arrays.

A rule takes the scores of m members, each standardised on reference answers beforehand (else the one with the largest
numbers decides), shape (m, n), and which answers are weighed against each other, shape (n,), and gives (n,). The option
`within` says that a score means something among the answers of one prompt only.
"""

from __future__ import annotations

import numpy as np

from dehusk.core.kinds import combinations
from dehusk.core.tables import Floats, Ints
from dehusk.stats.slopes import ranks_within

CAUTION = 0.5  # weight of the variance between members (Coste et al., arXiv 2310.02743)


@combinations.add("mean", within=False)
def mean(scores: Floats, _groups: Ints) -> Floats:
    """Mean over the members; it cancels what they do not share, and nothing that they do."""
    found: Floats = scores.mean(axis=0)
    return found


@combinations.add("worst", within=False)
def worst(scores: Floats, _groups: Ints) -> Floats:
    """The lowest score of any member (worst case, WCO): an answer must please them all."""
    found: Floats = scores.min(axis=0)
    return found


@combinations.add("uwo", within=False)
def uwo(scores: Floats, _groups: Ints, *, caution: float = CAUTION) -> Floats:
    """Mean less half the variance between members (UWO, arXiv 2310.02743): what they disagree on is worth less.

    Args:
        scores: Shape (m, n).
        caution: Weight of the variance, Σ (score − mean)² / m.
    """
    found: Floats = scores.mean(axis=0) - caution * scores.var(axis=0)
    return found


@combinations.add("median", within=False)
def median(scores: Floats, _groups: Ints) -> Floats:
    """Median over the members: one that goes wild moves nothing."""
    found: Floats = np.median(scores, axis=0)
    return found


@combinations.add("rank", within=True)
def rank(scores: Floats, groups: Ints) -> Floats:
    """Mean over the members of the rank within the prompt, from 0 for the last to 1 for the first; ties share theirs.

    Borda's count: sizes of differences do not matter. The only answer of a prompt has one half.
    """
    _, index, counts = np.unique(groups, return_inverse=True, return_counts=True)
    others = (counts - 1)[index]
    ranks = np.stack([ranks_within(row, groups) for row in scores])
    found: Floats = np.where(others > 0, ranks / np.maximum(others, 1), 0.5).mean(axis=0)
    return found


@combinations.add("vote", within=True)
def vote(scores: Floats, groups: Ints) -> Floats:
    """Share of the other answers of the prompt that a majority of the members ranks lower, less that ranked higher.

    Copeland's rule, from −1 to 1; of two answers it is the sign of the majority. A member that scores two answers
    alike does not vote on them, as many votes for as against leave them level (0), and the only answer of a prompt has
    0.
    """
    found = np.zeros(scores.shape[1])
    order = np.argsort(groups, kind="stable")
    _, starts = np.unique(groups[order], return_index=True)
    for rows in np.split(order, starts[1:]):
        if rows.size > 1:
            some = scores[:, rows]
            votes = sum(np.sign(row[:, None] - row[None, :]) for row in some)  # one member at a time: (answers)² each
            found[rows] = np.sign(votes).sum(axis=1) / (rows.size - 1)
    return found
