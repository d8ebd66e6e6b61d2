"""Rows and their mirror images: against brute force, with ties, and with weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dehusk.stats import opposites
from dehusk.stats.opposites import facing, mirrored_subset, nearest_opposites, signed_ranks


def brute(x, caliper):
    """Distances of all pairs of rows with opposite signs, taken from the closest on."""
    points = signed_ranks(x)
    inverse = np.linalg.inv(points.T @ points / len(points) + 1e-6 * np.eye(x.shape[1]))
    partner = np.where((x == 0).all(axis=1), np.arange(len(x)), -1)
    edges = []
    for i in range(len(x)):
        for j in range(i):
            if (np.sign(x[i]) == -np.sign(x[j])).all() and x[i].any():
                gap = points[i] + points[j]
                edges.append((np.sqrt(gap @ inverse @ gap), i, j))
    for distance, i, j in sorted(edges):
        if distance <= caliper and partner[i] < 0 and partner[j] < 0:
            partner[i], partner[j] = j, i
    return partner


def gaps(x, partner):
    """Sizes of the sums of matched rows' ranks, sorted; of partners that are perfect opposites 0."""
    points, kept = signed_ranks(x), np.flatnonzero(partner >= 0)
    inverse = np.linalg.inv(points.T @ points / len(points) + 1e-6 * np.eye(x.shape[1]))
    gap = points[kept] + points[partner[kept]]
    return np.sort(np.sqrt(np.einsum("ni,ij,nj->n", gap, inverse, gap)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("caliper", [0.1, 0.5, 10.0])
def test_the_closest_are_taken_first(seed, caliper):
    x = np.random.default_rng(seed).normal(0.3, 1, (32, 2)) * [1, 50]
    partner, expected = nearest_opposites(x, caliper, np.random.default_rng(0)), brute(x, caliper)
    assert np.allclose(gaps(x, partner), gaps(x, expected))  # ranks have ties, so the partners may differ


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_partners_are_mutual_opposite_and_near(seed, columns):
    draw = np.random.default_rng(seed)
    x = draw.integers(-3, 5, (150, columns)).astype(float)
    partner = nearest_opposites(x, 0.3, draw)
    kept = np.flatnonzero(partner >= 0)
    assert (partner[partner[kept]] == kept).all()
    assert (np.sign(x[kept]) == -np.sign(x[partner[kept]])).all()
    assert ((partner == np.arange(150)) == (x == 0).all(axis=1)).all()


def test_equal_rows_are_all_matched_however_many(monkeypatch):
    rounds = []
    candidates = opposites._candidates
    monkeypatch.setattr(opposites, "_candidates", lambda *given: rounds.append(1) or candidates(*given))
    x = np.repeat([[1.0, 2.0], [-1.0, -2.0]], [700, 400], axis=0)
    assert (nearest_opposites(x, 0.1, np.random.default_rng(0)) >= 0).sum() == 800
    assert len(rounds) < 15  # not one row a round


@given(st.integers(0, 10_000), st.integers(1, 3))
def test_a_cell_is_as_frequent_as_its_mirror_image_and_no_rarer_than_it_must_be(seed, columns):
    draw = np.random.default_rng(seed)
    cells = draw.integers(-2, 3, (120, columns))
    kept = mirrored_subset(cells, np.ones(120), draw)
    for cell in np.unique(cells, axis=0):
        here, there = (cells == cell).all(axis=1), (cells == -cell).all(axis=1)
        assert kept[here].sum() == (here.sum() if not cell.any() else min(here.sum(), there.sum()))


def test_weights_of_a_cell_and_its_mirror_image_nearly_agree():
    draw = np.random.default_rng(0)
    cells, weights = draw.choice([-1, 1, 1, 1], (3000, 1)), draw.choice([0.5, 1.0, 2.0], 3000)
    kept = mirrored_subset(cells, weights, draw)
    more, less = (weights[kept & (cells[:, 0] == way)].sum() for way in (1, -1))
    assert abs(more - less) <= 1.0 and kept[cells[:, 0] == -1].all()


def test_a_row_and_its_negative_face_opposite_ways():
    x = np.random.default_rng(0).integers(-1, 2, (50, 3)).astype(float)
    assert (facing(x) == -facing(-x)).all() and ((facing(x) == 0) == ~x.any(axis=1)).all()


def test_ranks_do_not_depend_on_the_scale():
    x = np.random.default_rng(0).normal(size=(60, 2))
    assert (signed_ranks(x) == signed_ranks(np.sign(x) * np.abs(x) ** 3)).all()
