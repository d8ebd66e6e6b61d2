"""Means over repeated splits of one data set into a fitted and a held-out part."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.stats.distributions import t_p, t_quantile
from dehusk.stats.panel import cluster_order

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


class Resplit(NamedTuple):
    """A mean over splits with its interval and the two-sided p of no effect, all of one shape."""

    value: Floats
    low: Floats
    high: Floats
    p: Floats


def over_splits(values: Floats, held_out: float, *, level: float = 0.95, comparisons: int = 1) -> Resplit:
    """Mean over splits with the corrected resampled t interval (Nadeau and Bengio, 2003).

    The splits share most of their rows, so their spread says too little: the variance of the mean is taken as
    (1/s + held-out / fitted) times the variance between splits, not 1/s times it. That is right for what is measured on
    held-out rows; what the fits themselves share is not counted. Rows that are the same in every split need
    `over_fixed`.

    Args:
        values: One value a split, shape (s, …), at least 2 splits.
        held_out: Share of the rows that are held out in every split, within (0, 1).
        level: Coverage of each interval, or of all of them at once where several are compared.
        comparisons: How many intervals shall hold at once (Bonferroni).

    Raises:
        NotEnoughData: with fewer than 2 splits.

    >>> found = over_splits(np.array([[1.0], [2.0], [3.0]]), 0.5)
    >>> float(found.value[0]), bool(found.low[0] < 0)
    (2.0, True)
    """
    splits = _enough(len(values))
    error = np.sqrt((1 / splits + held_out / (1 - held_out)) * values.var(axis=0, ddof=1))
    return _resplit(values.mean(axis=0), error, splits - 1, level, comparisons)


def over_fixed(values: Floats, held_out: float, *, level: float = 0.95) -> Resplit:
    """Mean over splits of what is measured on the same prompts in every split, such as another distribution.

    Two things could have come out differently, and by the law of total variance their variances add up. With the fits
    as they are, the prompts: the variance of their means over splits. With all prompts there could be, the fits: each
    saw a part of one sample, and by the delete-d jackknife (Shao and Wu, 1989) the variance of what is fitted on the
    sample is fitted / held-out times the variance between splits, not held-out / fitted; 1/s is for there being so few.
    Chance that the splits differ by on these prompts alone is taken off first, for the prompts have counted it already.
    The degrees of freedom are those of Welch and Satterthwaite.

    Fits that are not smooth in their sample, and chance of fitting itself, make the jackknife's part too wide rather
    than too narrow (Efron and Stein, 1981). Not counted: that the splits are fitted on less than the whole sample, so
    that the mean is of a model of that many rows; prompts that the fixed data share with the sample; and units (a
    standard deviation within prompts) that were estimated on the same data.

    Args:
        values: One value a split and prompt, shape (s, g), at least 2 of each; the prompts are independent.
        held_out: Share of the sample's rows that no split's fit saw, within (0, 1).
        level: Coverage of the interval.

    Returns:
        Arrays of no dimension.

    Raises:
        NotEnoughData: with fewer than 2 splits, or prompts.

    >>> found = over_fixed(np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 0.0]]), 0.5)
    >>> float(found.value), round(float(found.high), 2)  # fits that agree: the t interval over prompts
    (1.0, 3.48)
    """
    splits, prompts = _enough(len(values)), values.shape[1]
    if prompts < 2:
        raise NotEnoughData(f"at least 2 prompts with a value, got {prompts}")
    mean = values.mean(axis=0)
    off = values - mean
    own = off - off.mean(axis=1, keepdims=True)  # what a split does to this prompt beyond what it does to all
    chance = (own**2).sum() / (splits - 1) / (prompts - 1) / prompts
    between = max(0.0, float(values.mean(axis=1).var(ddof=1) - chance))
    items, fits = mean.var(ddof=1) / prompts, (1 / splits + (1 - held_out) / held_out) * between
    freedom = (items + fits) ** 2 / max(items**2 / (prompts - 1) + fits**2 / (splits - 1), 1e-300)
    error = np.sqrt(items + fits)
    return _resplit(mean.mean(), error, max(int(freedom), min(splits, prompts) - 1), level)


def by_prompt(values: Floats, prompts: Ints) -> Floats:
    """One value a prompt, shape (g,), whose plain mean is the mean over rows and whose variance is that of clusters.

    Prompts with more rows weigh more in a mean over rows; each gets the mean and its own part in the error of that
    (the influence of `panel.clustered_means`). It is linear in the values, so differences and means over splits of it
    are those of the rows.

    Args:
        values: A value a row, shape (n,).
        prompts: Prompt of each row, any integers, shape (n,).

    >>> by_prompt(np.array([1.0, 0.0, 1.0, 1.0]), np.array([5, 5, 6, 6])).tolist()
    [0.5, 1.0]
    """
    order, starts = cluster_order(prompts)
    mean = values.mean()
    found: Floats = mean + np.add.reduceat(values[order] - mean, starts) * len(starts) / len(values)
    return found


def _enough(splits: int) -> int:
    if splits < 2:
        raise NotEnoughData(f"at least 2 splits, got {splits}")
    return splits


def _resplit(mean: Floats, error: Floats, freedom: int, level: float, comparisons: int = 1) -> Resplit:
    """Student's t interval; where nothing differs at all, the point itself."""
    reach = t_quantile(1 - (1 - level) / 2 / comparisons, freedom) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(error > 0, mean / error, np.where(mean == 0, 0.0, math.inf))
    p = np.minimum(1.0, comparisons * np.where(np.isinf(t), 0.0, t_p(np.where(np.isinf(t), 0.0, t), freedom)))
    return Resplit(mean, mean - reach, mean + reach, p)
