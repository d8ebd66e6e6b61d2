"""Many columns at once: clustered means, sign tests and effects from influence functions, one matrix operation each.

For n rows by k features. Rows of one prompt are not independent; every estimate here sums within clusters first and
lets only clusters vary (the CR1 sandwich of a mean: Liang and Zeger, 1986).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.stats.distributions import normal_quantile, sign_test_p, t_p, t_quantile

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


class Effects(NamedTuple):
    """Points, intervals, two-sided p-values and numbers of clusters, each of shape (k,)."""

    value: Floats
    low: Floats
    high: Floats
    p: Floats
    n: Ints


def clustered_means(values: Floats, clusters: Ints, *, weights: Floats | None = None, level: float = 0.95) -> Effects:
    """Mean of every column, rows of one cluster counted as one unit of sampling.

    Args:
        values: Shape (n, k); NaN entries are left out of their column.
        clusters: Cluster of each row, shape (n,), any integers.
        weights: Non-negative, shape (n,); equal when absent.
        level: Coverage of the intervals.

    Returns:
        Mean, Student-t interval on clusters − 1 degrees of freedom and p for a mean of 0, a column each; the interval
        and p are NaN (and n as counted) with fewer than two clusters.

    >>> clustered_means(np.array([[1.0, 0.0], [0.0, np.nan], [0.5, 1.0]]), np.arange(3)).value.tolist()
    [0.5, 0.5]
    """
    kept = ~np.isnan(values)
    column = (np.ones(len(values)) if weights is None else weights)[:, None]
    complete = bool(kept.all())  # then one column of weights serves all, at a third of the time
    weight = column if complete else kept * column
    filled = values if complete else np.where(kept, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = weight.sum(axis=0)
        mean = (weight * filled).sum(axis=0) / total
        present = None if complete and column.all() else np.broadcast_to(weight > 0, values.shape)
        return effects_of(mean, weight / total * (filled - mean), clusters, present=present, level=level)


def effects_of(
    value: Floats,
    influence: Floats,
    clusters: Ints,
    *,
    present: np.ndarray[Any, np.dtype[np.bool_]] | None = None,
    level: float = 0.95,
) -> Effects:
    """Intervals from what each row adds to the error of an estimate (CR1 sandwich, Student-t on clusters − 1).

    Args:
        value: Estimates, shape (k,).
        influence: Contribution of each row, summing to 0 over rows, shape (n, k).
        clusters: Shape (n,).
        present: Which rows count, shape (n, k); all when absent.
        level: Coverage of the intervals.
    """
    order, starts = cluster_order(clusters)
    sums = np.add.reduceat(influence[order], starts, axis=0)
    if present is None:
        count = np.full(value.shape, len(starts), dtype=np.int64)
    else:
        count = np.logical_or.reduceat(present[order], starts, axis=0).sum(axis=0).astype(np.int64)
    with np.errstate(invalid="ignore", divide="ignore"):
        se = np.sqrt((sums**2).sum(axis=0) * count / (count - 1.0))
        se = np.where(count < 2, np.nan, se)
        quantile = t_quantiles(0.5 + level / 2, count - 1)
        p = t_p(value / se, np.maximum(count - 1.0, 1.0))
    # Every cluster alike: Student's t has nothing to divide by, the sign test still has.
    p = np.where((se == 0) & (value != 0), sign_test_p(count.astype(np.float64), np.zeros(value.shape)), p)
    p = np.where((se == 0) & (value == 0), 1.0, p)
    return Effects(value, value - quantile * se, value + quantile * se, p, count)


def clustered_sign_ps(values: Floats, clusters: Ints) -> Floats:
    """Exact two-sided p of every column that clusters lean one way: a sign test on cluster sums, shape (k,).

    For differences of presence with one pair a prompt this is McNemar's exact test. NaN entries count as 0.
    """
    order, starts = cluster_order(clusters)
    sums = np.add.reduceat(np.nan_to_num(values[order]), starts, axis=0)
    return sign_test_p((sums > 1e-12).sum(axis=0), (sums < -1e-12).sum(axis=0))


def cluster_order(clusters: Ints) -> tuple[Ints, Ints]:
    """Rows sorted by cluster, shape (n,), and where each cluster starts among them, shape (g,).

    Raises:
        NotEnoughData: without rows.
    """
    if clusters.size == 0:
        raise NotEnoughData("at least 2 prompts with a value, got 0")
    order = np.argsort(clusters, kind="stable")
    ordered = clusters[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return order, starts


def t_quantiles(probability: float, freedom: Ints) -> Floats:
    """Quantile of Student's t for each number of degrees of freedom, NaN where it is below 1, same shape.

    Above 200 degrees the expansion around the normal quantile (Abramowitz and Stegun, 26.7.5) is exact to 1e-8 and
    spares a bisection for each of hundreds of columns.
    """
    z = normal_quantile(probability)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1.0 / freedom
        third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
        second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
        expanded = z + inverse * ((z**3 + z) / 4 + inverse * (second + inverse * third))
    exact = [t_quantile(probability, int(f)) if 1 <= f <= 200 else np.nan for f in freedom]
    return np.where(freedom > 200, expanded, np.array(exact))
