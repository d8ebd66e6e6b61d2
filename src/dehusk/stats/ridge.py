"""Ridge regression of pair differences on more terms than pairs, cross-fitted.

The target of every pair is 1 (its label) or a number that changes its sign when the pair is turned around, such as a
score difference; there is no intercept, so the fitted score w·x ranks one answer above the other. Every model that
nested cross-validation asks for (each fold left out, each two folds left out, none; each penalty) solves
(M K M + lambda) alpha = M y with one kernel matrix K and its own mask M of rows. Conjugate gradients solve all of
them side by side, one matrix product a step, instead of one inverse each.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


class CrossFit(NamedTuple):
    """Dual coefficients: the weights of the terms are x.T @ dual."""

    held_out: Array  # (n, f): column j was fitted without fold j, and is 0 there
    whole: Array  # (n,): fitted on all rows
    penalties: Array  # (f,): what the inner folds chose for each outer fold


def cross_fitted_ridge(
    kernel: Array, folds: Ints, penalties: tuple[float, ...], *, target: Array | None = None
) -> CrossFit:
    """Fit with each fold left out, the penalty chosen inside the others by held-out squared error.

    Args:
        kernel: x @ x.T of the differences, shape (n, n), float32 or float64.
        folds: Fold of each row, 0 … f − 1, at least 3 of them, shape (n,).
        penalties: Candidates, as multiples of the mean of the kernel's diagonal.
        target: What is fitted, shape (n,); 1 everywhere when absent.
    """
    count = int(folds.max()) + 1
    unit = float(np.trace(kernel)) / len(kernel) or 1.0
    left_out = [*((fold,) for fold in range(count)), (), *combinations(range(count), 2)]
    masks = np.stack([~np.isin(folds, gone) for gone in left_out], axis=1)
    lambdas = np.repeat(np.asarray(penalties) * unit, len(left_out))
    target = np.ones(len(kernel), dtype=kernel.dtype) if target is None else target.astype(kernel.dtype)
    duals = masked_ridge(kernel, np.tile(masks, len(penalties)), lambdas, target=target)
    squared = ((kernel @ duals - target[:, None]) ** 2).reshape(len(kernel), len(penalties), len(left_out))
    duals = duals.reshape(squared.shape)
    inner_loss = np.zeros((len(penalties), count))
    for model, gone in enumerate(left_out[count + 1 :], start=count + 1):
        for outer, judge in (gone, gone[::-1]):
            inner_loss[:, outer] += squared[folds == judge, :, model].sum(axis=0)
    best = inner_loss.argmin(axis=0)
    overall = int(inner_loss.sum(axis=1).argmin())
    return CrossFit(duals[:, best, np.arange(count)], duals[:, overall, count], np.asarray(penalties)[best])


def masked_ridge(
    kernel: Array, masks: Array, lambdas: Array, tolerance: float = 1e-4, *, target: Array | None = None
) -> Array:
    """Dual coefficients of c ridge models, each on its own rows, by conjugate gradients.

    Args:
        kernel: Positive semi-definite, shape (n, n).
        masks: Rows of each model, Boolean, shape (n, c).
        lambdas: Penalty of each model, positive, shape (c,).
        tolerance: Norm of the residual at which to stop, relative to the target's.
        target: What is fitted, shape (n,); 1 everywhere when absent.

    Returns:
        Shape (n, c), zero outside the masks.
    """
    mask = masks.astype(kernel.dtype)
    lambdas = lambdas.astype(kernel.dtype)
    duals = np.zeros_like(mask)
    residual = mask.copy() if target is None else mask * target.astype(kernel.dtype)[:, None]
    direction, size = residual.copy(), (residual**2).sum(axis=0)
    goal = tolerance**2 * size
    for _ in range(len(kernel)):
        if np.all(size <= goal):
            break
        image = mask * (kernel @ direction) + lambdas * direction
        curvature = (direction * image).sum(axis=0)
        pace = np.divide(size, curvature, out=np.zeros_like(size), where=(curvature > 0) & (size > goal))
        duals += pace * direction
        residual -= pace * image
        reached = (residual**2).sum(axis=0)
        direction = residual + np.divide(reached, size, out=np.zeros_like(size), where=size > goal) * direction
        size = reached
    return duals
