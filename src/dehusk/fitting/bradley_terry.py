"""Bradley and Terry's linear head, exactly, and how much its weights should be held down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.tables import Floats, Ints
from dehusk.stats.folds import grouped_folds
from dehusk.stats.regression import sigmoid

PENALTIES = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)  # tried by `held_out_losses`; per standardised dimension
PAIRS = 20_000  # looked at by `held_out_losses`: the best penalty hardly depends on how many there are
_FOLDS = 5
_STEPS = 100  # of Newton
_INNER = 50  # products with the Hessian a step
Vector = np.ndarray[Any, np.dtype[Any]]  # float32


class Axes(NamedTuple):
    """Principal axes of differences, shape (d, r), and their power Σ weight · (x · axis)², shape (r,).

    r is the smaller of the dimensions d and the pairs n: along all other directions the differences are 0.
    """

    turn: Vector
    power: Vector

    def stretch(self, vectors: Vector, l2: float, exponent: float) -> Vector:
        """Vectors, shape (…, d), times (¼ xᵀx + l2) to a power.

        That matrix bounds the curvature of the penalised loss (Böhning and Lindsay, 1988): its inverse is what
        conjugate gradients are preconditioned with, its inverse root makes every direction about equally steep.
        """
        flat = l2**exponent
        along = (self.power / 4 + l2) ** exponent - flat
        stretched: Vector = vectors * flat + ((vectors @ self.turn) * along) @ self.turn.T
        return stretched


def axes_of(x: Vector, weight: Floats) -> Axes:
    """Principal axes of differences of n pairs, shape (n, d), with weights, shape (n,)."""
    weighted = x * np.sqrt(weight).astype(np.float32)[:, None]
    if len(x) >= x.shape[1]:
        power, turn = np.linalg.eigh(weighted.T @ weighted)
        return Axes(turn.astype(np.float32), np.maximum(power, 0).astype(np.float32))
    power, turn = np.linalg.eigh(weighted @ weighted.T)
    kept = power > 1e-6 * max(float(power.max(initial=0)), 1e-30)
    axes = weighted.T @ turn[:, kept] / np.sqrt(power[kept])
    return Axes(axes.astype(np.float32), power[kept].astype(np.float32))


def logit(
    x: Vector,
    weight: Floats,
    l2: float,
    axes: Axes,
    *,
    start: Vector | None = None,
    tolerance: float = 1e-4,
    watch: Callable[[Vector], bool] = lambda _: False,
) -> Vector:
    """Weights, shape (d,), that minimise Σ weight · −log σ(x · w) + l2 / 2 · |w|².

    Newton's method whose systems are solved by preconditioned conjugate gradients: no Hessian is ever formed, so that
    20,000 pairs of 576 dimensions take a tenth of a second.

    Args:
        x: Differences chosen − rejected on standardised dimensions, shape (n, d).
        weight: Shape (n,).
        l2: Positive.
        axes: Of these differences, or of ones much like them.
        start: First guess, shape (d,).
        tolerance: Length of the preconditioned gradient, in units of what chance gives it, at which to stop.
        watch: Gets the weights after every step and says whether to stop.

    Raises:
        NotEnoughData: if the steps do not settle.
    """
    light = weight.astype(np.float32)

    def loss(w: Vector, margin: Vector) -> float:
        return float(weight @ np.logaddexp(0, -margin.astype(np.float64))) + l2 / 2 * float(w @ w)

    w: Vector = np.zeros(x.shape[1], dtype=np.float32) if start is None else start
    margin = x @ w
    reached, chance = loss(w, margin), float(np.sqrt(max(light.sum(), 1e-30)))
    for _ in range(_STEPS):
        right = sigmoid(margin).astype(np.float32)
        gradient: Vector = l2 * w - (light * (1 - right)) @ x
        size = float(np.sqrt(max(float(gradient @ axes.stretch(gradient, l2, -1)), 0)))
        if size <= tolerance * chance:
            return w
        bend = light * right * (1 - right)
        step, moved = _solve(x, bend, l2, gradient, axes, min(0.1, size / chance))
        for halving in range(20):
            tried, there = w + step / 2**halving, margin + moved / 2**halving
            if (found := loss(tried, there)) < reached:
                break
        else:
            return w  # what is left to gain is below rounding error
        w, margin, reached = tried, there, found
        if watch(w):
            return w
    raise NotEnoughData(f"a model that settles within {_STEPS} steps")


def _solve(x: Vector, bend: Vector, l2: float, gradient: Vector, axes: Axes, relative: float) -> tuple[Vector, Vector]:
    """The step s with (xᵀ diag(bend) x + l2) s = −gradient, shape (d,), and the margins x · s, shape (n,)."""
    step: Vector = np.zeros_like(gradient)
    moved: Vector = np.zeros(len(x), dtype=np.float32)
    rest: Vector = -gradient
    ahead = axes.stretch(rest, l2, -1)
    first = power = float(rest @ ahead)
    for _ in range(_INNER):
        along = x @ ahead
        bent = (bend * along) @ x + l2 * ahead
        far = np.float32(power / float(ahead @ bent))
        step, moved, rest = step + far * ahead, moved + far * along, rest - far * bent
        steep = axes.stretch(rest, l2, -1)
        before, power = power, float(rest @ steep)
        if power <= relative**2 * first:
            break
        ahead = steep + np.float32(power / before) * ahead
    return step, moved


def held_out_losses(x: Vector, weight: Floats, groups: Ints, rng: np.random.Generator) -> Mapping[float, float]:
    """Mean −log σ(margin) on held-out prompts under every penalty of `PENALTIES`.

    Args:
        x: Differences on standardised dimensions, shape (n, d).
        weight: Shape (n,).
        groups: Prompt of each pair, shape (n,): a prompt's pairs are held out together.
        rng: Which prompts are held out when, and which are looked at if there are more than `PAIRS` pairs.

    Raises:
        NotEnoughData: fewer prompts than folds.
    """
    folds = grouped_folds(groups, max(_FOLDS, _FOLDS * len(x) // PAIRS), rng)
    looked = folds < _FOLDS
    x, weight, folds = x[looked], weight[looked], folds[looked]
    losses = dict.fromkeys(PENALTIES, 0.0)
    for fold in range(_FOLDS):
        inside, outside = folds != fold, folds == fold
        kept, counts, start = x[inside], weight[inside], None
        axes = axes_of(kept, counts)
        for penalty in sorted(PENALTIES, reverse=True):  # from stiff to loose, each from the one before
            start = logit(kept, counts, penalty, axes, start=start, tolerance=1e-3)
            lost = np.logaddexp(0, -(x[outside] @ start).astype(np.float64))
            losses[penalty] += float(weight[outside] @ lost / weight.sum())
    return losses
