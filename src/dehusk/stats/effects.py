"""Effects with cluster-robust intervals: a mean difference, a share, a binomial rate.

The first two are `dehusk.stats.panel` for a single column.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.stats.distributions import normal_quantile
from dehusk.stats.panel import clustered_means, clustered_sign_ps

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
    found = clustered_means(values[:, None], clusters, weights=weights, level=level)
    if found.n[0] < 2:
        raise NotEnoughData(f"at least 2 prompts with a value, got {found.n[0]}")
    value, low, high, p = (float(column[0]) for column in found[:4])
    return Effect(value, low, high, p, int(found.n[0]))


def clustered_sign_p(values: Floats, clusters: Ints) -> float:
    """Exact two-sided p that clusters lean one way or the other: a sign test on cluster sums.

    For presence differences with one pair a prompt this is McNemar's exact test. NaN rows are left out.

    Raises:
        NotEnoughData: without rows.
    """
    return float(clustered_sign_ps(values[:, None], clusters)[0])


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
