"""How much a quantity depends on another in a way that no straight line shows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.stats.distributions import incomplete_beta
from dehusk.stats.panel import cluster_order

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


class Dependence(NamedTuple):
    """Share of the variance that a line and a spline explain, and the p of what the spline adds."""

    linear: float
    spline: float
    p: float


def natural_spline(x: Floats, knots: Floats) -> Floats:
    """Natural cubic spline basis without the constant: x and one column a further knot, shape (n, len(knots) − 1).

    Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 5.2.1; linear outside the outer knots.
    """
    scaled, at = (x - knots[0]) / (knots[-1] - knots[0]), (knots - knots[0]) / (knots[-1] - knots[0])

    def cubic(k: int) -> Floats:
        piece: Floats = (np.maximum(scaled - at[k], 0) ** 3 - np.maximum(scaled - at[-1], 0) ** 3) / (at[-1] - at[k])
        return piece

    last = cubic(len(at) - 2)
    basis: Floats = np.column_stack([scaled] + [cubic(k) - last for k in range(len(at) - 2)])
    return basis


def dependence(x: Floats, y: Floats, prompts: Ints, *, knots: int = 5) -> Dependence:
    """Dependence of y on x within prompts: y = prompt + g(x) + error with g a line, then a natural spline.

    The p is a cluster-robust Wald test of the terms beyond the line, F on (terms, prompts − 1) degrees of freedom.

    Args:
        x: Shape (n,), without NaN.
        y: Shape (n,).
        prompts: Shape (n,), any integers.
        knots: At equal quantiles of x.

    Raises:
        NotEnoughData: x has too few values to bend a curve through, or too few prompts have two rows.
    """
    at = np.unique(np.quantile(x, np.linspace(0.05, 0.95, knots)))
    if at.size < 4:
        raise NotEnoughData("at least 4 different quantiles of the feature")
    order, starts = cluster_order(prompts)
    y, basis = y[order], natural_spline(x[order], at)
    sizes = np.diff(np.append(starts, len(y)))
    if (sizes > 1).sum() < 10 * basis.shape[1]:
        raise NotEnoughData(f"at least {10 * basis.shape[1]} prompts with two answers, got {(sizes > 1).sum()}")

    def centred(values: Floats) -> Floats:
        means = np.add.reduceat(values, starts, axis=0) / sizes.reshape(-1, *[1] * (values.ndim - 1))
        result: Floats = values - np.repeat(means, sizes, axis=0)
        return result

    y, basis = centred(y), centred(basis)
    total = float((y**2).sum())
    if total <= 0:
        raise NotEnoughData("scores that differ within a prompt")
    line = basis[:, 0]
    linear = float((line @ y) ** 2 / ((line @ line) * total)) if line @ line > 0 else 0.0
    gram = np.linalg.pinv(basis.T @ basis)
    beta = gram @ (basis.T @ y)
    residual = y - basis @ beta
    scores = np.add.reduceat(basis * residual[:, None], starts, axis=0)
    groups = len(starts)
    covariance = gram @ (scores.T @ scores) @ gram * groups / (groups - 1)
    extra = beta[1:]
    wald = float(extra @ np.linalg.pinv(covariance[1:, 1:]) @ extra) / extra.size
    spline = 1 - float(residual @ residual) / total
    return Dependence(linear, max(spline, linear), f_p(wald, extra.size, groups - 1))


def f_p(value: float, first: int, second: int) -> float:
    """Upper tail of Fisher's F.

    >>> round(f_p(4.0, 1, 10), 4)
    0.0734
    """
    share = second / (second + first * max(value, 0.0))
    return float(incomplete_beta(np.array(second / 2), np.array(first / 2), np.array(share)))
