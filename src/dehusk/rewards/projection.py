"""A head made blind to the directions in which its points go along with a target: they leave its weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.kinds import adjustments
from dehusk.core.tables import Floats, Ints
from dehusk.rewards.heads import LinearHead
from dehusk.stats.bounding import bounded

FEWEST = 50  # edited answers a target, or pairs that differ in one; 200 and more are advised


@adjustments.add("project", of="head")
def project(head: LinearHead, shifts: Floats, *, strength: float = 1.0, spared: Floats | None = None) -> LinearHead:
    """Takes the direction in which points move with a target out of a head's weights (arXiv 2603.03291).

    With the directions as orthonormal columns P of the standardised space (each target's shift, normalised, Gram and
    Schmidt), points would be changed to z − strength · P Pᵀ z; on the first layer that is the same as
    W − strength · (W P) Pᵀ, and the biases stay. Strength 0.5 takes half of it away, 2 turns it around: it
    over-corrects. What moves along with a target in the points goes with it, quality included, and pressure may move
    to what is correlated with it (arXiv 2605.27996): certify the result.

    Args:
        head: Linear, or of several layers.
        shifts: A way in the standardised space a target, shape (k, d): `shifts_of_edits`, as in the paper, or
            `shifts_of_pairs`.
        strength: How much of the direction is taken.
        spared: A direction of the standardised space, shape (d,), that keeps all its weight (see `shift`): that of
            right against wrong, say.

    Raises:
        NotEnoughData: shifts of no length.
    """
    directions = orthonormal(shifts, spared)
    first = head.weights[0] - strength * (head.weights[0] @ directions) @ directions.T
    return replace(head, weights=(first, *head.weights[1:]))


def shifts_of_edits(head: LinearHead, original: Any, edited: Any, targets: Ints) -> Floats:
    """Mean way from answers to the same answers with more of a target, shape (k, d).

    Nothing else moves, but an edit spans little of a length: neutral sentences are one way of being longer among many.

    Args:
        head: Whose space it is.
        original: Points of answers, shape (n, d).
        edited: Points of the same answers with more of a target, shape (n, d).
        targets: Which of k targets each row edits, shape (n,).

    Raises:
        NotEnoughData: fewer than 50 rows of a target.
    """
    found = []
    for target in np.unique(targets):
        rows = targets == target
        if rows.sum() < FEWEST:
            raise NotEnoughData(f"at least {FEWEST} edited answers a target, got {int(rows.sum())}")
        found.append(shift(head, original[rows], edited[rows]))
    if not found:
        raise NotEnoughData(f"at least {FEWEST} edited answers a target, got 0")
    return np.stack(found)


def shifts_of_pairs(head: LinearHead, chosen: Any, rejected: Any, differences: Any) -> Floats:
    """How points change with each target between the answers of a pair, the label held, shape (k, d).

    The covariance of both differences about their means, those of the targets bounded; as pairs are oriented by their
    label, the means are what the label is worth. A linear head without these directions has, on these pairs, a slope of
    exactly 0 on every bounded target beside the label. (Least-squares erasure, arXiv 2306.03819, meets the same
    condition with the least change of the rewards instead of the weights.)

    Args:
        head: Whose space it is.
        chosen: Points of the chosen answers, shape (n, d).
        rejected: Points of the rejected answers, shape (n, d).
        differences: Targets, chosen − rejected, shape (n, k).

    Raises:
        NotEnoughData: a target on which fewer than 50 pairs differ.
    """
    x = np.asarray(differences, dtype=np.float64)
    fewest = min(np.count_nonzero(x, axis=0).tolist(), default=0)
    if fewest < FEWEST:
        raise NotEnoughData(f"at least {FEWEST} pairs that differ in each target, got {fewest}")
    x = bounded(x)
    z = (np.asarray(chosen, np.float64) - np.asarray(rejected, np.float64)) / head.scale
    found: Floats = (x - x.mean(axis=0)).T @ (z - z.mean(axis=0)) / len(x)
    return found


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
        raise NotEnoughData("targets that move the points")
    found: Floats = basis[strengths > 1e-6].T
    return found
