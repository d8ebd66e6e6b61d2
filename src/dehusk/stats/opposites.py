"""Rows and their mirror images: subsets in which a point is as frequent as the point opposite to it.

A row holds what the chosen answer of a pair has more of than the rejected one. Where x and −x are equally frequent,
nothing about x tells which answer was chosen.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
_CANDIDATES = 16  # nearest rows looked at in one round
_AT_ONCE = 4_000_000  # distances held in memory


def mirrored_subset(cells: Ints, weights: Floats, rng: np.random.Generator) -> Bools:
    """Rows to keep so that each cell weighs as much as its mirror image: the heavier one is thinned out at random.

    Args:
        cells: Signed cell of each row, shape (n, k); the mirror image of a cell is its negative.
        weights: Positive, shape (n,).
        rng: Which rows of the heavier cell stay.

    Returns:
        Shape (n,); rows in the cell of zeros stay.

    >>> kept = mirrored_subset(np.array([[1], [1], [-1], [2], [0]]), np.ones(5), np.random.default_rng(0))
    >>> kept[:2].sum(), kept[2:].tolist()
    (np.int64(1), [True, False, True])
    """
    kept: Bools = (cells == 0).all(axis=1)
    side = facing(cells)
    rows = rng.permutation(np.flatnonzero(~kept))
    if not rows.size:
        return kept
    cell = np.unique(cells[rows] * side[rows, None], axis=0, return_inverse=True)[1].reshape(-1)
    half = 2 * cell + (side[rows] > 0)
    total = np.bincount(half, weights[rows], minlength=2 * (int(cell.max()) + 1))
    lighter = total.reshape(-1, 2).min(axis=1)
    order = np.argsort(half, kind="stable")
    running = np.cumsum(weights[rows[order]])
    before = (np.cumsum(total) - total)[half[order]]
    kept[rows[order]] = running - before - weights[rows[order]] / 2 < lighter[cell[order]] - 1e-12
    return kept


def nearest_opposites(x: Floats, caliper: float, rng: np.random.Generator) -> Ints:
    """Partner of each row: another whose signs are all opposite and whose sizes are close, each used once.

    Closest first (greedy). Distances are Mahalanobis's on ranks (Rosenbaum, 2010, section 8.3), which neither a long
    tail nor correlated columns distort.

    Args:
        x: Shape (n, k).
        caliper: Largest distance of two partners, in standard deviations of the ranks.
        rng: Breaks ties.

    Returns:
        Row of the partner, shape (n,); −1 without one; a row of zeros is its own partner.
    """
    partner = np.where((x == 0).all(axis=1), np.arange(len(x)), -1)
    side = facing(x)
    points = _whitened(signed_ranks(x)) * side[:, None]
    pattern = np.unique(np.sign(x) * side[:, None], axis=0, return_inverse=True)[1].reshape(-1)
    for one in np.unique(pattern[side != 0]):
        ahead, behind = (np.flatnonzero((pattern == one) & (side == way)) for way in (1, -1))
        few, many = sorted((ahead, behind), key=len)
        for i, j in _closest_first(points[few], points[many], caliper, rng):
            partner[few[i]], partner[many[j]] = many[j], few[i]
    return partner


def facing(x: Floats | Ints) -> Ints:
    """Sign of the first entry of each row that is not 0, shape (n,): −1, 0 or 1; a row and its negative differ.

    >>> facing(np.array([[0.0, -2.0], [3.0, -1.0], [0.0, 0.0]])).tolist()
    [-1, 1, 0]
    """
    signs = np.sign(x).astype(np.int64)
    first = (signs != 0).argmax(axis=1)
    found: Ints = signs[np.arange(len(x)), first]
    return found


def signed_ranks(x: Floats) -> Floats:
    """Each entry's sign times the mean rank of its size among the sizes of its column, scaled to (0, 1], same shape.

    >>> signed_ranks(np.array([[-5.0], [1.0], [1.0], [0.0]])).ravel().tolist()
    [-1.0, 0.625, 0.625, 0.0]
    """
    found = np.empty(x.shape)
    for column in range(x.shape[1]):
        _, place, count = np.unique(np.abs(x[:, column]), return_inverse=True, return_counts=True)
        found[:, column] = np.sign(x[:, column]) * (np.cumsum(count) - (count - 1) / 2)[place] / len(x)
    return found


def _whitened(points: Floats) -> Floats:
    """Coordinates in which plain distance is Mahalanobis's; the spread is about 0, since a row may stand either way."""
    spread = points.T @ points / max(len(points), 1)
    values, vectors = np.linalg.eigh(spread + 1e-6 * np.eye(len(spread)))
    turned: Floats = points @ (vectors / np.sqrt(values))
    return turned


def _closest_first(few: Floats, many: Floats, caliper: float, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Pairs (row of `few`, row of `many`) taken from the closest on; rounds over the nearest candidates of each row."""
    found: list[tuple[int, int]] = []
    ours, theirs = np.arange(len(few)), np.arange(len(many))
    while ours.size and theirs.size:
        rows, columns, distances = _candidates(few[ours], many[theirs], rng)
        near = distances <= caliper
        rows, columns, distances = rows[near], columns[near], distances[near]
        free_row, free_column = np.ones(ours.size, dtype=bool), np.ones(theirs.size, dtype=bool)
        for at in np.argsort(distances, kind="stable"):
            i, j = rows[at], columns[at]
            if free_row[i] and free_column[j]:
                free_row[i] = free_column[j] = False
                found.append((int(ours[i]), int(theirs[j])))
        reachable = np.zeros(ours.size, dtype=bool)
        reachable[rows] = True
        ours, theirs = ours[free_row & reachable], theirs[free_column]
    return found


def _candidates(few: Floats, many: Floats, rng: np.random.Generator) -> tuple[Ints, Ints, Floats]:
    """The nearest rows of `many` for each row of `few` as edges: row, column and distance, each shape (e,)."""
    count = min(_CANDIDATES, len(many))
    size = max(1, _AT_ONCE // len(many))
    columns, distances = [], []
    for start in range(0, len(few), size):
        part = few[start : start + size]
        squared = (part**2).sum(axis=1)[:, None] + (many**2).sum(axis=1) - 2 * part @ many.T
        squared = np.maximum(squared, 0) + 1e-9 * rng.random(squared.shape)  # equal rows do not all ask for the same
        nearest = np.argpartition(squared, count - 1, axis=1)[:, :count]
        columns.append(nearest.ravel())
        distances.append(np.sqrt(np.take_along_axis(squared, nearest, axis=1)).ravel())
    return np.repeat(np.arange(len(few)), count), np.concatenate(columns), np.concatenate(distances)
