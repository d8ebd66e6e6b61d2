"""How much of a reward gain is left between answers that are alike in a feature (arXiv 2310.03716, section on NRG).

The gain between two stages is split in two: what the reward rose by inside buckets of equal length (or of any other
feature), and what it rose by because answers moved between buckets. Length is also how better answers come about, so
this is a decomposition and not a causal effect.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.stats.distributions import normal_p

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
Interval = tuple[float, float, float]  # point, low, high


class Gain(NamedTuple):
    """A reward gain and its part inside the buckets."""

    total: Interval  # mean reward later − earlier
    within: Interval  # the same inside buckets, weighed by their answers (NRG)
    moved: Interval  # total − within: gained by moving between buckets
    moved_share: Interval  # moved / total; the published ratio is 1 minus this
    moved_p: float  # two-sided, normal, from the standard error of the draws
    coverage: float  # share of the answers in the buckets used
    buckets: int  # buckets used
    n: int  # prompts


def bootstrap_weights(groups: int, rng: np.random.Generator, *, most: int = 1000) -> Floats:
    """How often each prompt is drawn in each resample, shape (draws, groups).

    1,000 draws, fewer (at least 200) when there are so many prompts that the interval needs no more.

    >>> bootstrap_weights(3, np.random.default_rng(0), most=2).sum(axis=1).tolist()
    [3.0, 3.0]
    """
    draws = int(np.clip(20_000_000 // max(1, groups), min(200, most), most))
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=draws).astype(np.float64)


def stratified_gain(
    rewards: Floats, later: Bools, prompts: Ints, buckets: Ints, draws: Floats, *, least: int = 10, level: float = 0.95
) -> Gain:
    """Split the gain of the later stage over the earlier one.

    Args:
        rewards: Shape (n,).
        later: Whether an answer is of the later stage, shape (n,).
        prompts: Prompts as integers 0 … g−1, shape (n,).
        buckets: Bucket of each answer, any integers, shape (n,).
        draws: From `bootstrap_weights`, shape (b, g): all intervals are percentiles over prompts drawn again.
        least: Answers a bucket needs, both stages together; it also needs one of either stage.
        level: Coverage of the intervals.

    Raises:
        NotEnoughData: when no bucket holds answers of both stages, or there is no gain to split.
    """
    _, bucket = np.unique(buckets, return_inverse=True)
    s, g = int(bucket.max()) + 1 if bucket.size else 0, draws.shape[1]
    # Sums by prompt, stage and bucket are all that a resample needs: (g, 2s).
    cell = (prompts * 2 + later) * s + bucket
    counts = np.bincount(cell, minlength=2 * s * g).reshape(g, 2 * s).astype(np.float64)
    sums = np.bincount(cell, rewards, minlength=2 * s * g).reshape(g, 2 * s)
    whole = counts.sum(axis=0).reshape(2, s)
    used = (whole > 0).all(axis=0) & (whole.sum(axis=0) >= least)
    if not used.any():
        raise NotEnoughData(f"a bucket with answers of both stages and at least {least} in all")
    point = _split(counts.sum(axis=0)[None], sums.sum(axis=0)[None], used)
    if point[0][0] == 0:
        raise NotEnoughData("a mean reward that differs between the stages")
    drawn = _split(draws @ counts, draws @ sums, used)
    total, within, moved, share = (_interval(at, spread, level) for at, spread in zip(point, drawn, strict=True))
    error = float(np.nanstd(drawn[2]))
    z = moved[0] / error if error > 0 else 0.0
    p = float(normal_p(np.array(z)))
    coverage, n = float(whole[:, used].sum() / whole.sum()), int((counts.sum(axis=1) > 0).sum())
    return Gain(total, within, moved, share, p, coverage, int(used.sum()), n)


def _interval(point: Floats, drawn: Floats, level: float) -> Interval:
    """Point and percentiles of the draws that are defined: one without any gain has no share of it."""
    low, high = np.quantile(drawn[np.isfinite(drawn)], [(1 - level) / 2, (1 + level) / 2])
    return float(point[0]), float(low), float(high)


def _split(counts: Floats, sums: Floats, used: Bools) -> tuple[Floats, Floats, Floats, Floats]:
    """Total, within, moved and moved share for b resamples, from cells (b, 2s)."""
    s = used.size
    before, after = counts[:, :s], counts[:, s:]
    with np.errstate(divide="ignore", invalid="ignore"):
        total = sums[:, s:].sum(axis=1) / after.sum(axis=1) - sums[:, :s].sum(axis=1) / before.sum(axis=1)
        gain = sums[:, s:] / after - sums[:, :s] / before
        held = used & (before > 0) & (after > 0)  # a resample may empty a cell
        weights = np.where(held, before + after, 0.0)
        within = (weights * np.where(held, gain, 0.0)).sum(axis=1) / weights.sum(axis=1)
        return total, within, total - within, (total - within) / total
