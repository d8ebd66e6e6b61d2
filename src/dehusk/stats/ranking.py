"""Order statistics of preference: who ranks above whom, and how sure that is when prompts repeat."""

from __future__ import annotations

from typing import Any

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.stats.distributions import normal_quantile
from dehusk.stats.effects import wilson
from dehusk.stats.panel import Effects, clustered_means, clustered_sign_ps, t_quantiles

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


def normal_scores(values: Floats) -> Floats:
    """Values as the normal quantiles of their ranks, equal ones sharing the middle rank (van der Waerden, 1952).

    Any rising function of the values has the same scores, so no tail, however long, outweighs the rest.

    Args:
        values: Shape (n,); NaN stays NaN.

    >>> normal_scores(np.array([1.0, 5.0, 5.0, 9000.0])).round(2).tolist()
    [-1.15, 0.0, 0.0, 1.15]
    """
    found = np.full(values.shape, np.nan)
    kept = ~np.isnan(values)
    _, place, count = np.unique(values[kept], return_inverse=True, return_counts=True)
    middle = (np.cumsum(count) - count / 2) / max(kept.sum(), 1)
    found[kept] = np.array([normal_quantile(float(share)) for share in middle])[place]
    return found


def win_shares(margins: Floats, clusters: Ints, *, weights: Floats | None = None, level: float = 0.95) -> Effects:
    """Share of positive margins in every column, ties half, with Wilson's interval for clustered pairs.

    Args:
        margins: Shape (n, k); only the sign counts; NaN entries are left out.
        clusters: Shape (n,).
        weights: Non-negative, shape (n,); equal when absent.
        level: Coverage.

    Returns:
        One share a column, p from a sign test on clusters; all NaN (and n as counted) with fewer than two clusters.

    >>> win_shares(np.array([[1.0], [2.0], [-1.0], [0.0]]), np.arange(4)).value.tolist()
    [0.625]
    """
    signs = np.sign(margins)
    weights = np.ones(len(signs)) if weights is None else weights
    found = mean_shares((signs + 1) / 2, clusters, weights=weights, level=level)
    directed = np.where(weights[:, None] > 0, signs, np.nan)
    return found._replace(p=clustered_sign_ps(directed, clusters))


def mean_shares(shares: Floats, clusters: Ints, *, weights: Floats | None = None, level: float = 0.95) -> Effects:
    """Mean of shares in every column with Wilson's interval (1927) for clustered rows.

    The interval is taken at the effective number of rows, n divided by the design effect of the clusters, so that ten
    judgements of one prompt do not count as ten prompts; unlike mean ± t · SE it stays inside [0, 1].

    Args:
        shares: In [0, 1], shape (n, k); NaN entries are left out.
        clusters: Shape (n,).
        weights: Non-negative, shape (n,); equal when absent.
        level: Coverage.

    Returns:
        One mean a column, p for a mean of 0.5; all NaN (and n as counted) with fewer than two clusters.
    """
    weights = np.ones(len(shares)) if weights is None else weights
    centred = clustered_means(shares - 0.5, clusters, weights=weights, level=level)
    used = ~np.isnan(shares) * weights[:, None]
    rows = used.sum(axis=0) ** 2 / np.maximum((used**2).sum(axis=0), 1e-300)  # Kish: unequal weights are worth less
    se = (centred.high - centred.value) / t_quantiles(0.5 + level / 2, centred.n - 1)
    mean, low, high = centred.value + 0.5, np.full(rows.shape, np.nan), np.full(rows.shape, np.nan)
    for column in np.flatnonzero(centred.n > 1):
        share = min(1.0, max(0.0, float(mean[column])))
        spread = share * (1 - share)
        effective = min(rows[column], spread / se[column] ** 2 if se[column] > 0 else centred.n[column])
        _, low[column], high[column] = wilson(share * effective, effective, level)
    return Effects(mean, low, high, centred.p, centred.n)


def auc(positive: Floats, negative: Floats) -> float:
    """Chance that a value of `positive` lies above one of `negative`, ties half (Mann and Whitney, 1947).

    Args:
        positive: Shape (a,).
        negative: Shape (b,).

    Raises:
        NotEnoughData: when either is empty.

    >>> auc(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
    0.875
    """
    if not positive.size or not negative.size:
        raise NotEnoughData("at least 1 value on each side")
    _, index, counts = np.unique(np.concatenate([positive, negative]), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[index]  # mean rank of equal values
    wins = ranks[: positive.size].sum() - positive.size * (positive.size + 1) / 2
    return float(wins / (positive.size * negative.size))
