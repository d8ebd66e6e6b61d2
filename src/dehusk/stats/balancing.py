"""Weights under which given terms average to zero, as close to the weights there were as can be.

Entropy balancing (Hainmueller, 2012) with bounds on how far a weight may move, as in calibration estimators (Deville
and Särndal, 1992): minimise Σ w log(w / b) − w subject to Σ w t = 0, Σ w = Σ b and b / cap <= w <= cap · b. The dual
is convex in one multiplier a term and is solved by Newton's method with halved steps.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dehusk.core.errors import NotEnoughData

Floats = np.ndarray[Any, np.dtype[np.float64]]


def balanced_weights(terms: Floats, base: Floats, *, cap: float = 10.0, tolerance: float = 1e-9) -> Floats:
    """Solve for the weights.

    Args:
        terms: Shape (n, m); columns may be collinear or constant zero.
        base: Weights to stay close to, positive, shape (n,).
        cap: Largest factor by which a weight may grow or shrink, above 1.
        tolerance: Largest weighted mean of a term, in its root mean squares, at which to stop.

    Returns:
        Shape (n,), with the sum of `base`.

    Raises:
        NotEnoughData: no weights within these bounds balance the terms.

    >>> balanced_weights(np.array([[1.0], [1.0], [1.0], [-1.0]]), np.ones(4)).round(4).tolist()
    [0.6667, 0.6667, 0.6667, 2.0]
    """
    share = base / base.sum()
    x = np.column_stack([np.ones(len(terms)), _orthonormal(terms, share)])
    goal = np.eye(1, x.shape[1])[0]  # the mean of the constant is 1, of every other column 0
    limit = math.log(cap)
    multipliers = np.zeros(x.shape[1])
    value = _dual(x @ multipliers, share, limit) - multipliers[0]
    for _ in range(200):
        exponent = x @ multipliers
        weight = share * np.exp(np.clip(exponent, -limit, limit))
        gradient = weight @ x - goal
        if np.abs(gradient).max() <= tolerance:
            found: Floats = weight * base.sum()
            return found
        free = weight * (np.abs(exponent) < limit)
        step = np.linalg.solve(x.T @ (x * free[:, None]) + 1e-10 * np.eye(len(goal)), gradient)
        multipliers, value, moved = _descend(x, share, limit, multipliers, step, float(gradient @ step), value)
        if not moved:
            break
    raise NotEnoughData(f"pairs that weights within a factor of {cap:g} can balance")


def _descend(
    x: Floats, share: Floats, limit: float, start: Floats, step: Floats, slope: float, value: float
) -> tuple[Floats, float, bool]:
    """Take the step, halved until it gains enough; whether any did."""
    for halving in range(40):
        pace = 0.5**halving
        tried = start - pace * step
        reached = _dual(x @ tried, share, limit) - tried[0]
        if reached <= value - 1e-4 * pace * slope + 1e-15 * abs(value):
            return tried, reached, True
    return start, value, False


def _dual(exponent: Floats, share: Floats, limit: float) -> float:
    """Mean of the function whose slope is exp(exponent) within the limits and constant beyond them."""
    inside = np.clip(exponent, -limit, limit)
    return float(share @ (np.exp(inside) * (1 + exponent - inside)))


def _orthonormal(terms: Floats, share: Floats) -> Floats:
    """Columns that span the terms, each with a weighted mean square of 1, shape (n, r <= m)."""
    scale = np.sqrt(share @ terms**2)
    kept = terms[:, scale > 0] / scale[scale > 0]
    if not kept.shape[1]:
        return kept
    values, vectors = np.linalg.eigh((kept * share[:, None]).T @ kept)
    strong = values > 1e-8 * values.max()
    spanned: Floats = kept @ (vectors[:, strong] / np.sqrt(values[strong]))
    return spanned
