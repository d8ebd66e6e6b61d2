"""False discoveries held in check, and intervals that hold all at once."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from dehusk.stats.distributions import normal_p, t_quantile

FAMILIES = 2  # declared and mined features, which every audit tests side by side
Floats = np.ndarray[Any, np.dtype[np.float64]]


def benjamini_hochberg(p: Floats, *, families: int = 1) -> Floats:
    """Smallest false-discovery rate at which each hypothesis would be rejected (Benjamini and Hochberg, 1995).

    Args:
        p: Two-sided p-values of one family, shape (k,); NaN for a hypothesis that was not tested.
        families: Families tested side by side. Each gets its share of the rate (Bonferroni), so that data without
            any effect show something in no more runs than the rate says.

    Returns:
        q-values, shape (k,), NaN where p is; untested hypotheses do not count in the family.

    >>> benjamini_hochberg(np.array([0.01, 0.02, 0.5])).round(3).tolist()
    [0.03, 0.03, 0.5]
    """
    q = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    if tested.size == 0:
        return q
    order = tested[np.argsort(p[tested], kind="stable")]
    scaled = families * p[order] * tested.size / np.arange(1, tested.size + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


class Together(NamedTuple):
    """Estimates whose intervals hold all at once; arrays are of one shape."""

    value: Floats
    low: Floats
    high: Floats
    error: Floats  # standard errors
    critical: float  # the intervals reach this many standard errors
    single: float  # an interval that need not hold together with others would reach this many


def together(value: Floats, drawn: Floats, clusters: int, *, level: float = 0.95) -> Together:
    """Intervals around estimates of any shape that all hold at once with probability `level`.

    Each reaches the same number of standard errors: the quantile, over resamples, of the largest of all standardised
    errors (max-t; Romano and Wolf, 2005). It pays only for as many intervals as there are different ones: two that
    always move together count once. As standard errors of few clusters are themselves uncertain, the quantile is
    carried over to a t distribution at equal tail probability.

    Args:
        value: Shape (…).
        drawn: The same in each resample of the clusters, shape (b, …).
        clusters: Independent clusters behind every estimate, at least 2.
        level: Joint coverage.

    >>> one = np.random.default_rng(0).normal(size=(1000, 1))
    >>> few, many = together(np.zeros(1), one, 500), together(np.zeros(9), np.repeat(one, 9, axis=1), 500)
    >>> round(few.critical, 9) == round(many.critical, 9)
    True
    """
    spread = drawn.std(axis=0)  # of means of n clusters: √(1 − 1/n) times their standard error
    error = spread * math.sqrt(clusters / (clusters - 1))
    real = error > 1e-12 * np.maximum(1.0, np.abs(value))
    if not real.any():
        return Together(value, value, value, np.zeros_like(value), 0.0, 0.0)
    largest = (np.abs(drawn - value)[:, real] / spread[real]).max(axis=1)
    z = float(np.quantile(largest, level))
    critical = t_quantile(1 - float(normal_p(np.array(z))) / 2, clusters - 1)
    single = t_quantile(0.5 + level / 2, clusters - 1)
    reach = np.where(real, critical * error, 0.0)
    return Together(value, value - reach, value + reach, np.where(real, error, 0.0), critical, single)
