"""How different several reward models are where it matters: in their errors, and in the sign of what they pay for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.stats.effects import Effect
from dehusk.stats.panel import Effects, effects_of
from dehusk.stats.slopes import standardised_slopes

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
FEWEST = 20  # prompts


class Correlations(NamedTuple):
    """Of every two members: shape (m, m), NaN where one of them does not vary; and their mean."""

    matrix: Floats
    mean: Effect | None  # None where no two members vary


@dataclass(frozen=True)
class Diversity:
    """How m members differ on n pairs with k features.

    An ensemble can only take out what its members do not share: errors that do not come together, and a price on a
    feature whose sign varies from member to member.
    """

    margins: Correlations
    errors: Correlations  # of being wrong, a tie being half wrong
    accuracy: Floats  # (m,)
    slopes: tuple[Effects, ...]  # m of them, each of shape (k,): SD of the margin a SD of the feature, label held
    together: Effects  # (k,): the same of the mean of the standardised margins, which is what the ensemble pays

    @property
    def agreement(self) -> Floats:
        """Of every feature, the share of the members that have the sign of most of them, shape (k,), from 0.5 to 1."""
        signs = np.sign(np.nan_to_num([found.value for found in self.slopes])).sum(axis=0)
        share: Floats = 0.5 + np.abs(signs) / len(self.slopes) / 2
        return share

    @property
    def shared_p(self) -> Floats:
        """The p of every member paying in one and the same direction, shape (k,): no combination takes that out.

        An intersection-union test (Berger, 1982): the largest of the members' p, 1 where signs differ.
        """
        values, p = (np.array([getattr(found, name) for found in self.slopes]) for name in ("value", "p"))
        same = (np.abs(np.sign(values).sum(axis=0)) == len(values)) & ~np.isnan(values).any(axis=0)
        found: Floats = np.where(same, np.nan_to_num(p, nan=1.0).max(axis=0), 1.0)
        return found

    @property
    def opposed_p(self) -> Floats:
        """The p of some members paying for what others punish, shape (k,): the larger of both smallest p, times m."""
        values, p = (np.array([getattr(found, name) for found in self.slopes]) for name in ("value", "p"))
        p = np.nan_to_num(p, nan=1.0)
        up, down = (np.where(sign * values > 0, p, 1.0).min(axis=0) for sign in (1, -1))
        found: Floats = np.minimum(1.0, len(values) * np.maximum(up, down))
        return found


def diversity(margins: Floats, features: Floats, groups: Ints) -> Diversity:
    """Compare members on pairs.

    Args:
        margins: Scores of chosen less those of rejected answers, shape (m, n), m >= 2, in any units, without NaN.
        features: Differences of the features, chosen − rejected, shape (n, k), NaN where one means nothing.
        groups: Prompt of each pair, shape (n,).

    Raises:
        NotEnoughData: fewer than 2 members or 20 prompts, or a member that scores all pairs alike.
    """
    if len(margins) < 2:
        raise NotEnoughData(f"at least 2 reward models, got {len(margins)}")
    prompts = np.unique(groups).size
    if prompts < FEWEST:
        raise NotEnoughData(f"at least {FEWEST} prompts with scores of both answers, got {prompts}")
    spread = margins.std(axis=1, keepdims=True)
    if (spread <= 1e-12 * np.maximum(np.abs(margins).max(axis=1, keepdims=True), 1e-300)).any():
        raise NotEnoughData("scores that differ")
    wrong = (1 - np.sign(margins)) / 2
    return Diversity(
        margins=correlations(margins, groups),
        errors=correlations(wrong, groups),
        accuracy=1 - wrong.mean(axis=1),
        slopes=tuple(standardised_slopes(features, row, groups) for row in margins),
        together=standardised_slopes(features, (margins / spread).mean(axis=0), groups),
    )


def correlations(values: Floats, groups: Ints) -> Correlations:
    """Pearson's correlation of every two rows of (m, n), and their mean with a clustered interval (delta method)."""
    off = values - values.mean(axis=1, keepdims=True)
    spread = off.std(axis=1)
    varied = spread > 0
    z = off[varied] / spread[varied, None]
    some = z @ z.T / values.shape[1]
    matrix = np.full((len(values), len(values)), np.nan)
    matrix[np.ix_(varied, varied)] = some
    m = len(z)
    if m < 2:
        return Correlations(matrix, None)
    # the mean over pairs of members of z_i z_j − r_ij (z_i² + z_j²) / 2, without a row a pair
    products = (z.sum(axis=0) ** 2 - (z**2).sum(axis=0)) / (m * (m - 1))
    others = (some.sum(axis=1) - np.diag(some)) / (m * (m - 1))
    mean = (some.sum() - np.trace(some)) / (m * (m - 1))
    influence = (products - others @ z**2) / values.shape[1]
    found = effects_of(np.array([mean]), influence[:, None], groups)
    value, low, high, p = (float(column[0]) for column in found[:4])
    return Correlations(matrix, Effect(value, max(-1.0, low), min(1.0, high), p, int(found.n[0])))
