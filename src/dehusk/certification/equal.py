"""What a reward pays for a feature where the targets are equal: pressure that selection from one pool need not show.

A feature that goes with a target loses lift when the target does, even if the reward itself now pays more for it. In
the same pool the two cannot be told apart; a policy that is trained further can part them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dehusk.certification.contest import Contest
from dehusk.core.tables import Bools, Floats, Ints
from dehusk.stats.multiplicity import together
from dehusk.stats.stratified import bootstrap_weights

_RESAMPLES = 300
_OWN = 0.05  # share of a feature's variance that the targets must leave it


class Paid(NamedTuple):
    """Slopes of both rewards on a feature within prompts, the targets held, in SD of the reward for an SD of it."""

    feature: int  # its place in the contest
    before: float
    after: float


def grown_at_equal_targets(contest: Contest, rng: np.random.Generator, *, margin: float, level: float) -> list[Paid]:
    """Features that the repaired reward surely pays further from 0 than the old one, by more than a margin.

    Least squares within prompts, with resampled prompts; all intervals hold at once.

    Args:
        contest: The pool and both rewards.
        rng: For the resamples.
        margin: Growth that does not matter.
        level: Joint coverage.
    """
    named = np.array([role == "target" for role in contest.roles])
    others = np.flatnonzero(~named)
    groups = int(contest.clusters.max()) + 1
    draws = bootstrap_weights(groups, rng, most=_RESAMPLES)[:, contest.clusters]
    slopes, own = _slopes(contest, named, others, np.concatenate([np.ones((1, len(contest.before))), draws]))
    kept = np.flatnonzero(own > _OWN)
    if not kept.size:
        return []
    before, after = slopes[:, 0, kept], slopes[:, 1, kept]
    contrasts = np.stack([after - before, after + before], axis=1)  # |after| − |before| is the smaller, signs put right
    found = together(contrasts[0], contrasts[1:], groups, level=level)
    growth = np.maximum(found.low.min(axis=0), (-found.high).min(axis=0))
    order = [at for at in np.argsort(-growth, kind="stable") if growth[at] > margin]
    return [Paid(int(others[kept[at]]), float(before[0, at]), float(after[0, at])) for at in order]


def _slopes(contest: Contest, named: np.ndarray, others: Ints, weights: Floats) -> tuple[Floats, Floats]:
    """Slopes of both rewards under weights (b, P) of the prompts, shape (b, 2, k); the share of variance left, (k,).

    By Frisch and Waugh: of each feature, what the targets leave of it on the prompts where it means something.
    """
    x = _centred(contest.values)
    targets, features = x[..., named], x[..., others]
    rewards = _centred(np.stack([contest.before, contest.after], axis=2))
    known = (~np.isnan(contest.before)).sum(axis=1)
    spread = np.sqrt((rewards**2).sum(axis=(0, 1)) / known.sum())
    rewards = rewards / np.where(spread > 0, spread, 1.0)
    defined: Bools = ~np.isnan(contest.values[:, 0])
    valid: Bools = defined[:, others] & np.all(defined[:, named], axis=1, keepdims=True)

    def summed(products: Floats) -> Floats:
        """Of products (P, k, …) over the prompts on which a feature means something, shape (b, k, …)."""
        some = products * valid.reshape(*valid.shape, *(1,) * (products.ndim - 2))
        found: Floats = (weights @ some.reshape(len(some), -1)).reshape(len(weights), *some.shape[1:])
        return found

    among = summed(np.einsum("pni,pnj->pij", targets, targets)[:, None].repeat(len(others), axis=1))
    across = summed(np.einsum("pnk,pni->pki", features, targets))
    power = summed(np.einsum("pnk,pnk->pk", features, features))
    earned = summed(np.einsum("pnr,pni->pir", rewards, targets)[:, None].repeat(len(others), axis=1))
    own = summed(np.einsum("pnr,pnk->pkr", rewards, features))
    ridge = 1e-9 * np.trace(among, axis1=2, axis2=3)[..., None, None] * np.eye(among.shape[2])
    held = np.linalg.solve(among + ridge, across[..., None])[..., 0]
    left = power - (held * across).sum(axis=2)
    answers = np.maximum(weights @ (valid * known[:, None]), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = (own - np.einsum("bki,bkir->bkr", held, earned)) / left[..., None]
        share = left[0] / power[0]
    return np.nan_to_num(np.moveaxis(slopes * np.sqrt(power / answers)[..., None], 2, 1)), np.nan_to_num(share)


def _centred(values: Floats) -> Floats:
    """Less the mean of the prompt, 0 where there is nothing, shape (P, N, k)."""
    known = ~np.isnan(values)
    mean = np.where(known, values, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(known, values - mean[:, None], 0.0)
