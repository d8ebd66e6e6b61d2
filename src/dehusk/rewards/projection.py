"""A head made blind to what an edit does to its points: the direction is taken out of its weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.kinds import adjustments
from dehusk.core.tables import Floats, Ints
from dehusk.rewards.heads import LinearHead

FEWEST = 50  # counterfactual pairs a target; 200 and more are advised


@adjustments.add("project", of="head")
def project(
    head: LinearHead,
    original: Any,
    edited: Any,
    targets: Ints,
    *,
    strength: float = 1.0,
    spared: Floats | None = None,
) -> LinearHead:
    """Takes the direction in which edits of a target move the points out of a head's weights (arXiv 2603.03291).

    With the directions as orthonormal columns P of the standardised space (the normalised mean shift of each target,
    Gram and Schmidt), points would be changed to z − strength · P Pᵀ z; on the first layer that is the same as
    W − strength · (W P) Pᵀ, and the biases stay. Strength 0.5 takes half of it away, 2 turns it around: it
    over-corrects. What moves along with a target in the points goes with it, quality included, and pressure may move
    to what is correlated with it (arXiv 2605.27996): certify the result.

    Args:
        head: Linear, or of several layers.
        original: Points of answers, shape (n, d).
        edited: Points of the same answers with more of a target, shape (n, d).
        targets: Which target each row edits, shape (n,).
        strength: How much of the direction is taken.
        spared: A direction of the standardised space, shape (d,), that keeps all its weight (see `shift`): that of
            right against wrong, say.

    Raises:
        NotEnoughData: fewer than 50 rows of a target, or edits that do not move the points.
    """
    shifts = []
    for target in np.unique(targets):
        rows = targets == target
        if rows.sum() < FEWEST:
            raise NotEnoughData(f"at least {FEWEST} edited answers a target, got {int(rows.sum())}")
        shifts.append(shift(head, original[rows], edited[rows]))
    if not shifts:
        raise NotEnoughData(f"at least {FEWEST} edited answers a target, got 0")
    directions = orthonormal(np.stack(shifts), spared)
    first = head.weights[0] - strength * (head.weights[0] @ directions) @ directions.T
    return replace(head, weights=(first, *head.weights[1:]))


def shift(head: LinearHead, before: Any, after: Any) -> Floats:
    """Mean way from points to points in the standardised space of a head, shape (d,)."""
    moved: Floats = (np.asarray(after, np.float64) - np.asarray(before, np.float64)).mean(axis=0) / head.scale
    return moved


def orthonormal(shifts: Floats, spared: Floats | None = None) -> Floats:
    """An orthonormal basis of some directions, shape (d, r), r <= k.

    Args:
        shifts: Shape (k, d).
        spared: What is taken out of each of them first, shape (d,).

    Raises:
        NotEnoughData: nothing is left of them.
    """
    size = np.linalg.norm(shifts, axis=1)
    units = shifts[size > 0] / size[size > 0, None]
    if spared is not None and np.linalg.norm(spared) > 0:
        kept = spared / np.linalg.norm(spared)
        units = units - np.outer(units @ kept, kept)
    _, strengths, basis = np.linalg.svd(units, full_matrices=False)  # spans what QR does, whatever their order
    if not (strengths > 1e-6).any():
        raise NotEnoughData("edits that move the points")
    found: Floats = basis[strengths > 1e-6].T
    return found
