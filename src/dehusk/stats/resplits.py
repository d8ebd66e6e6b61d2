"""Means over repeated splits of one data set into a fitted and a held-out part."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.stats.distributions import t_p, t_quantile

Floats = np.ndarray[Any, np.dtype[np.float64]]


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
    held-out rows; what the fits themselves share is not counted.

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
    splits = len(values)
    if splits < 2:
        raise NotEnoughData(f"at least 2 splits, got {splits}")
    mean = values.mean(axis=0)
    error = np.sqrt((1 / splits + held_out / (1 - held_out)) * values.var(axis=0, ddof=1))
    reach = t_quantile(1 - (1 - level) / 2 / comparisons, splits - 1) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(error > 0, mean / error, np.where(mean == 0, 0.0, math.inf))
    p = np.minimum(1.0, comparisons * np.where(np.isinf(t), 0.0, t_p(np.where(np.isinf(t), 0.0, t), splits - 1)))
    return Resplit(mean, mean - reach, mean + reach, p)
