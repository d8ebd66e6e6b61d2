"""One response on each of many columns: standardised slopes, with controls, and correlations within prompts.

The response and the columns are differences or values of n rows; every interval is cluster-robust.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.stats.panel import Effects, cluster_order, clustered_means, effects_of

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
_LEAST = 10  # rows a slope needs, beyond one a control


def standardised_slopes(x: Floats, y: Floats, clusters: Ints, controls: Floats | None = None) -> Effects:
    """Slope of y on each column of x, in standard deviations of y a standard deviation of x.

    y = a + b x_j + controls · c + error, one regression a column. The intercept is a control too: of differences
    chosen − rejected it holds what the label itself is worth.

    Args:
        x: Shape (n, k); rows with NaN are left out of their column.
        y: Shape (n,), without NaN.
        clusters: Shape (n,).
        controls: Held in every regression, shape (n, m), without NaN.

    Returns:
        Effects of shape (k,); NaN where a column, or y, does not vary. The standard deviations are estimated too and
        their error is in the interval (delta method). Residuals are divided by 1 − leverage of their cluster (CR3,
        Bell and McCaffrey, 2002), without which a rare feature looks surer than it is.
    """
    return effects_of(*_parts(x, y, clusters, controls), clusters, present=~np.isnan(x))


def slope_changes(x: Floats, before: Floats, after: Floats, clusters: Ints) -> Effects:
    """What becomes of `standardised_slopes` when one response takes the place of another on the same rows.

    Args:
        x: Shape (n, k); rows with NaN are left out of their column.
        before: Shape (n,), without NaN.
        after: Shape (n,), without NaN.
        clusters: Shape (n,).

    Returns:
        Slopes of `after` minus those of `before`, shape (k,), with paired intervals; NaN where one of them is.
    """
    first, last = _parts(x, before, clusters, None), _parts(x, after, clusters, None)
    return effects_of(last[0] - first[0], last[1] - first[1], clusters, present=~np.isnan(x))


def _parts(x: Floats, y: Floats, clusters: Ints, controls: Floats | None) -> tuple[Floats, Floats]:
    """Slopes, shape (k,), NaN where there is none, and each row's part in their error, shape (n, k)."""
    n, k = x.shape
    value, influence = np.full(k, np.nan), np.zeros((n, k))
    fixed = np.column_stack([np.ones(n)] + ([] if controls is None else [controls]))
    for rows, columns in _patterns(~np.isnan(x)):
        if rows.size < _LEAST + fixed.shape[1]:
            continue
        found = _slopes(x[np.ix_(rows, columns)], y[rows], fixed[rows], clusters[rows])
        value[columns] = found[0]
        influence[np.ix_(rows, columns)] = found[1]
    return value, influence


def _patterns(present: np.ndarray[Any, np.dtype[np.bool_]]) -> list[tuple[Ints, Ints]]:
    """(rows, columns) of the columns that miss the same rows."""
    by_rows: dict[bytes, list[int]] = {}
    for column in range(present.shape[1]):
        by_rows.setdefault(np.packbits(present[:, column]).tobytes(), []).append(column)
    return [(np.flatnonzero(present[:, columns[0]]), np.array(columns)) for columns in by_rows.values()]


def _slopes(x: Floats, y: Floats, fixed: Floats, clusters: Ints) -> tuple[Floats, Floats]:
    """Standardised slopes, shape (k,), and each row's part in their error, shape (n, k) (Frisch, Waugh and Lovell)."""
    basis = np.linalg.qr(fixed)[0]
    left, rest = x - basis @ (basis.T @ x), y - basis @ (basis.T @ y)
    power = (left**2).sum(axis=0)
    x_off, y_off = x - x.mean(axis=0), y - y.mean()
    x_variance, y_variance = (x_off**2).mean(axis=0), float((y_off**2).mean())
    varied = (x_variance > 0) & (power > 1e-9 * len(x) * x_variance)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = (left * rest[:, None]).sum(axis=0) / power
        ratio = np.sqrt(x_variance / y_variance)
        value = slope * ratio
        leverage = _by_cluster(left**2 / power + (basis**2).sum(axis=1)[:, None], clusters)
        error = left * (rest[:, None] - left * slope) / power * ratio / (1 - np.minimum(leverage, 0.9))
        scales = (x_off**2 / x_variance - (y_off**2 / y_variance)[:, None]) / (2 * len(x))
    usable = varied & (y_variance > 0)
    return np.where(usable, value, np.nan), np.where(usable, error + value * scales, 0.0)


def _by_cluster(values: Floats, clusters: Ints) -> Floats:
    """Each row's cluster's sum, shape (n, k)."""
    order, starts = cluster_order(clusters)
    sums = np.add.reduceat(values[order], starts, axis=0)
    spread = np.empty_like(values)
    spread[order] = np.repeat(sums, np.diff(np.append(starts, len(values))), axis=0)
    return spread


def within_prompt_correlations(x: Floats, y: Floats, prompts: Ints) -> Effects:
    """Pearson's correlation of each column with y inside every prompt, averaged over prompts (arXiv 2310.03716, 1.2).

    A prompt in which either does not vary has no correlation and is left out. With two answers a prompt each
    correlation is 1 or −1 and the mean is the surplus of concordant prompts. Ranks give Spearman's.

    Args:
        x: Shape (n, k); NaN rows are left out of their column.
        y: Shape (n,).
        prompts: Shape (n,), any integers.
    """
    _, index = np.unique(prompts, return_inverse=True)
    g = int(index.max()) + 1 if index.size else 0
    found = np.full((g, x.shape[1]), np.nan)
    for column in range(x.shape[1]):
        kept = ~np.isnan(x[:, column])
        a, b, at = x[kept, column], y[kept], index[kept]
        count = np.maximum(np.bincount(at, minlength=g), 1)
        a = a - (np.bincount(at, a, g) / count)[at]
        b = b - (np.bincount(at, b, g) / count)[at]
        spread = np.sqrt(np.bincount(at, a * a, g) * np.bincount(at, b * b, g))
        with np.errstate(invalid="ignore", divide="ignore"):
            found[:, column] = np.where(spread > 1e-12, np.bincount(at, a * b, g) / spread, np.nan)
    if g < 2:
        raise NotEnoughData(f"at least 2 prompts with a value, got {g}")
    return clustered_means(np.clip(found, -1, 1), np.arange(g))


def ranks_within(values: Floats, prompts: Ints) -> Floats:
    """Mean rank of each value among those of its prompt, from 0, same shape (n,); NaN stays NaN."""
    order = np.lexsort((values, prompts))
    ordered, group = values[order], prompts[order]
    new_group = np.concatenate([[True], group[1:] != group[:-1]])
    new_value = new_group | np.concatenate([[True], ordered[1:] != ordered[:-1]])
    run = np.cumsum(new_value) - 1
    positions = np.arange(len(values), dtype=np.float64)
    mean_position = np.bincount(run, positions) / np.bincount(run)
    starts = positions[new_group][np.cumsum(new_group) - 1]
    ranks = np.empty(len(values))
    ranks[order] = mean_position[run] - starts
    return np.where(np.isnan(values), np.nan, ranks)
