"""Which of several features go with the label, the others held: a logistic model of pairs, without an intercept.

Row i holds what the chosen answer has more of than the rejected one (x_i, shape (k,)); the model is Bradley and Terry's
P(this one is chosen) = sigma(x_i · beta). There is no intercept because turning a pair around must turn the sign.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dehusk.core.errors import NotEnoughData

Floats = np.ndarray[Any, np.dtype[np.float64]]


class PairedLogit(NamedTuple):
    """A fitted model: coefficients, shape (k,), and what each row adds to their error, shape (n, k)."""

    beta: Floats
    influence: Floats


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(−x)) without overflow, same shape."""
    result: Floats = 1 / (1 + np.exp(-np.clip(x, -500, 500)))
    return result


def paired_logit(
    x: Floats,
    *,
    ridge: float = 0.1,
    weights: Floats | None = None,
    start: Floats | None = None,
    tolerance: float = 1e-8,
) -> PairedLogit:
    """Fit by Newton's method (iteratively reweighted least squares) with halved steps where a step overshoots.

    Args:
        x: Differences chosen − rejected, shape (n, k), columns of comparable scale.
        ridge: Penalty ridge / 2 · |beta|²: keeps separable and collinear columns finite (equal columns share the
            coefficient equally); 0.1 is a tenth of what one undecided pair a column knows.
        weights: Non-negative, shape (n,); equal when absent.
        start: First guess, shape (k,).
        tolerance: Largest change of a coefficient at which to stop.

    Raises:
        NotEnoughData: with fewer rows than columns, or if 100 steps do not settle.
    """
    n, k = x.shape
    if n < k or k == 0:
        raise NotEnoughData(f"at least as many pairs as features, got {n} and {k}")
    weights = np.ones(n) if weights is None else weights
    beta = np.zeros(k) if start is None else start.astype(np.float64)
    right = sigmoid(x @ beta)  # the model's chance of what was chosen
    loss = _loss(right, beta, weights, ridge)
    for _ in range(100):
        hessian = x.T @ (x * (weights * right * (1 - right))[:, None]) + ridge * np.eye(k)
        gradient: Floats = (weights * (1 - right)) @ x - ridge * beta
        step = np.linalg.solve(hessian, gradient).astype(np.float64)
        beta, right, loss = _descend(x, beta, step, loss, weights, ridge)
        if np.abs(step).max() < tolerance:
            score = x * (weights * (1 - right))[:, None] - ridge * beta * (weights / weights.sum())[:, None]
            return PairedLogit(beta, score @ np.linalg.inv(hessian))
    raise NotEnoughData("features whose joint model settles within 100 steps")


def _descend(
    x: Floats, beta: Floats, step: Floats, loss: float, weights: Floats, ridge: float
) -> tuple[Floats, Floats, float]:
    """Take the step, halved until it does not climb (the last try counts: it is below rounding error)."""
    for halving in range(20):
        tried = beta + step / 2**halving
        right = sigmoid(x @ tried)
        reached = _loss(right, tried, weights, ridge)
        if reached <= loss * (1 + 1e-12):
            break
    return tried, right, reached


def _loss(right: Floats, beta: Floats, weights: Floats, ridge: float) -> float:
    return float(0.5 * ridge * (beta**2).sum() - (weights * np.log(right)).sum())


def marginal_shifts(
    x: Floats, fit: PairedLogit, *, columns: int | None = None, weights: Floats | None = None
) -> tuple[Floats, Floats]:
    """Win-rate shift of each feature with the others left as they are, in the unit of the raw shift.

    For each pair, the chance to be chosen of the answer with more of the feature minus that of the answer with less,
    everything else in the pair as observed; averaged over pairs:
    g_j = mean_i [sigma(o_ij + beta_j |x_ij|) − sigma(o_ij − beta_j |x_ij|)], o_ij = x_i · beta − beta_j x_ij.
    With no other feature and x in {−1, 0, 1} this *is* the raw shift, share of wins − share of losses, and so is its
    interval; and, unlike a coefficient, it stays the same when an unrelated feature joins the model.

    Args:
        x: Shape (n, k), as fitted.
        fit: The fitted model.
        columns: Only the first so many features are wanted.
        weights: As fitted.

    Returns:
        The shifts, shape (k,), and what each row adds to their error, shape (n, k): see `panel.effects_of`.
    """
    weights = np.ones(len(x)) if weights is None else weights
    share = (weights / weights.sum())[:, None]
    wanted = x[:, :columns]
    beta = fit.beta[:columns]
    others = (x @ fit.beta)[:, None] - wanted * beta
    above, below = sigmoid(others + beta * np.abs(wanted)), sigmoid(others - beta * np.abs(wanted))
    change = above - below
    value = (share * change).sum(axis=0)
    steep_above, steep_below = above * (1 - above), below * (1 - below)
    # Row j: derivative of g_j in every coefficient; its own coefficient moves both ends apart, the others move both.
    slope = ((steep_above - steep_below) * share).T @ x
    own = np.arange(wanted.shape[1])
    slope[own, own] = (share * (steep_above + steep_below) * np.abs(wanted)).sum(axis=0)
    return value, share * (change - value) + fit.influence @ slope.T
