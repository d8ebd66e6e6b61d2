"""Tail probabilities and quantiles, so that the core install needs no scipy (which the tests use as the oracle).

The regularised incomplete beta function is evaluated by its continued fraction (Lentz's method, as in
Press et al., *Numerical Recipes*, section 6.4); Student's t and the binomial follow from it.
"""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
_NORMAL = NormalDist()
_erfc = np.frompyfunc(math.erfc, 1, 1)
_lgamma = np.frompyfunc(math.lgamma, 1, 1)


def normal_p(z: Floats) -> Floats:
    """Two-sided p-value of a standard normal statistic, same shape as `z`."""
    return np.asarray(_erfc(np.abs(np.asarray(z)) / math.sqrt(2)), dtype=np.float64)


def normal_quantile(probability: float) -> float:
    """Value below which a standard normal falls with `probability` in (0, 1)."""
    return _NORMAL.inv_cdf(probability)


def t_p(t: Floats, freedom: Floats | float) -> Floats:
    """Two-sided p-value of Student's t with `freedom` > 0 degrees of freedom (broadcast)."""
    t, freedom = np.broadcast_arrays(np.asarray(t, dtype=np.float64), np.asarray(freedom, dtype=np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.where(np.isinf(t), 0.0, freedom / (freedom + t * t))
    return incomplete_beta(freedom / 2, np.full(t.shape, 0.5), x)


@cache
def t_quantile(probability: float, freedom: int) -> float:
    """Value below which Student's t falls with `probability` in (0.5, 1); relative error below 1e-9.

    Newton's method on the tail, from the expansion of Cornish and Fisher about the normal quantile.
    """
    z = normal_quantile(probability)
    t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    log_scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - math.log(freedom * math.pi) / 2
    for _ in range(60):  # the tail is convex, so that steps from the left never overshoot
        density = math.exp(log_scale - (freedom + 1) / 2 * math.log1p(t * t / freedom))
        step = (float(t_p(np.array(t), freedom)) / 2 - (1 - probability)) / density
        t = max(t + step, t / 2)
        if abs(step) <= 1e-11 * t:
            break
    return t


def sign_test_p(positive: Floats, negative: Floats) -> Floats:
    """Exact two-sided binomial p-value that `positive` and `negative` counts are equally likely (McNemar's exact test).

    Args:
        positive: Counts in one direction, shape (k,).
        negative: Counts in the other direction, shape (k,).

    Returns:
        p-values, shape (k,); 1 where both counts are 0.
    """
    positive, negative = np.asarray(positive, dtype=np.float64), np.asarray(negative, dtype=np.float64)
    n, larger = positive + negative, np.maximum(positive, negative)
    # P(X >= k) for X ~ Bin(n, 1/2) is I_{1/2}(k, n - k + 1); k = 0 would be certain.
    tail = np.where(larger > 0, incomplete_beta(np.maximum(larger, 1), n - larger + 1, np.full(n.shape, 0.5)), 1.0)
    p: Floats = np.minimum(1.0, 2 * tail)
    return p


def incomplete_beta(a: Floats, b: Floats, x: Floats) -> Floats:
    """Regularised incomplete beta function I_x(a, b), elementwise; a, b > 0, x in [0, 1]."""
    a, b, x = np.broadcast_arrays(*(np.asarray(part, dtype=np.float64) for part in (a, b, x)))
    swap = x > (a + 1) / (a + b + 2)  # the fraction converges fast only on one side of the mode
    p, q, y = np.where(swap, b, a), np.where(swap, a, b), np.where(swap, 1 - x, x)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        log_front = (
            np.asarray(_lgamma(p + q) - _lgamma(p) - _lgamma(q), dtype=np.float64) + p * np.log(y) + q * np.log1p(-y)
        )
        value = np.exp(log_front) * _beta_fraction(p, q, y) / p
    value = np.where(y <= 0, 0.0, value)
    result = np.where(swap, 1 - value, value)
    return np.where(np.isnan(a + b + x), np.nan, np.clip(result, 0.0, 1.0))


def _beta_fraction(a: Floats, b: Floats, x: Floats) -> Floats:
    tiny = 1e-300
    c = np.ones_like(x)
    d = 1 - (a + b) * x / (a + 1)
    d = 1 / np.where(np.abs(d) < tiny, tiny, d)
    fraction = d.copy()
    for m in range(1, 500):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + numerator * d
            d = 1 / np.where(np.abs(d) < tiny, tiny, d)
            c = 1 + numerator / c
            c = np.where(np.abs(c) < tiny, tiny, c)
            fraction = fraction * d * c
        if np.all(np.abs(d * c - 1) < 1e-14):
            break
    return fraction
