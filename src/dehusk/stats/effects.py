"""Effects with cluster-robust intervals: a mean difference, a share, a binomial rate.

Rows of one prompt are not independent; every estimate here sums within clusters first and lets only clusters vary
(the CR1 sandwich of a mean: Liang and Zeger, 1986).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.stats.distributions import normal_quantile, sign_test_p, t_p, t_quantile

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


class Effect(NamedTuple):
    """Point, interval, two-sided p and the number of clusters behind them."""

    value: float
    low: float
    high: float
    p: float
    n: int


def clustered_mean(values: Floats, clusters: Ints, *, weights: Floats | None = None, level: float = 0.95) -> Effect:
    """Weighted mean of rows with an interval that treats clusters as the units of sampling.

    Args:
        values: Shape (n,); NaN rows are left out.
        clusters: Cluster of each row, shape (n,), any integers.
        weights: Non-negative, shape (n,); equal when absent.
        level: Coverage of the interval.

    Returns:
        Mean, Student-t interval on clusters − 1 degrees of freedom, p for a mean of 0.

    Raises:
        NotEnoughData: with fewer than two clusters.

    >>> clustered_mean(np.array([1.0, 1.0, 0.0, 0.0]), np.array([0, 1, 2, 3])).value
    0.5
    """
    weights = np.ones_like(values) if weights is None else weights
    kept = ~np.isnan(values) & (weights > 0)
    values, weights = values[kept], weights[kept]
    _, index = np.unique(clusters[kept], return_inverse=True)
    count = int(index.max()) + 1 if index.size else 0
    if count < 2:
        raise NotEnoughData(f"at least 2 prompts with a value, got {count}")
    total = weights.sum()
    mean = float((weights * values).sum() / total)
    scores = np.bincount(index, weights * (values - mean), count) / total
    se = math.sqrt(float((scores**2).sum()) * count / (count - 1))
    half = t_quantile(0.5 + level / 2, count - 1) * se
    if se > 0:
        p = float(t_p(np.array(mean / se), count - 1))
    else:
        p = 1.0 if mean == 0 else float(sign_test_p(np.array([count]), np.array([0]))[0])
    return Effect(mean, mean - half, mean + half, p, count)


def clustered_sign_p(values: Floats, clusters: Ints) -> float:
    """Exact two-sided p that clusters lean one way or the other: a sign test on cluster sums.

    For presence differences with one pair a prompt this is McNemar's exact test. NaN rows are left out.
    """
    kept = ~np.isnan(values)
    _, index = np.unique(clusters[kept], return_inverse=True)
    sums = np.bincount(index, values[kept]) if index.size else np.zeros(0)
    positive, negative = (sums > 1e-12).sum(), (sums < -1e-12).sum()
    return float(sign_test_p(np.array([positive]), np.array([negative]))[0])


def wilson(successes: float, n: float, level: float = 0.95) -> tuple[float, float, float]:
    """Share with Wilson's score interval (1927).

    Args:
        successes: Count, ties counted as halves.
        n: Trials.
        level: Coverage.

    Raises:
        NotEnoughData: when n is 0.

    >>> [round(x, 3) for x in wilson(8, 10)]
    [0.8, 0.49, 0.943]
    """
    if n <= 0:
        raise NotEnoughData("at least 1 pair that differs, got 0")
    z2, share = normal_quantile(0.5 + level / 2) ** 2, successes / n
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return share, max(0.0, centre - half), min(1.0, centre + half)
