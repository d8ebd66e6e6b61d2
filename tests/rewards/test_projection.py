"""A direction taken out of a head: the form of the hook, exactly what was planted, and nothing else."""

import itertools

import numpy as np
import pytest

from dehusk.core.errors import NotEnoughData
from dehusk.rewards.heads import LinearHead
from dehusk.rewards.projection import orthonormal, project, shift

D = 12


def head(rng, *widths):
    sizes = [D, *widths, 1]
    weights = tuple(rng.normal(size=(out, into)) for into, out in itertools.pairwise(sizes))
    biases = tuple(rng.normal(size=len(weight)) for weight in weights)
    return LinearHead(rng.normal(size=D), rng.uniform(0.3, 3, D), weights, biases)


def edited(rng, original, *directions, noise=0.0):
    """Points moved along each direction in turn, and which it was."""
    of = np.arange(len(original)) % len(directions)
    size = rng.uniform(0.5, 1.5, (len(original), 1))
    return original + size * np.stack(directions)[of] + noise * rng.normal(size=original.shape), of


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("widths", [(), (8,), (8, 4)])
def test_it_is_the_hook_on_standardised_points(strength, widths):
    """h' = h − α P Pᵀ h before the first layer, with P made by Gram and Schmidt."""
    rng = np.random.default_rng(0)
    model, points = head(rng, *widths), rng.normal(size=(300, D))
    after, of = edited(rng, points, rng.normal(size=D), rng.normal(size=D))
    found = project(model, points, after, of, strength=strength)
    first, second = (shift(model, points[of == k], after[of == k]) for k in (0, 1))
    first = first / np.linalg.norm(first)
    second = second / np.linalg.norm(second)
    second = second - (first @ second) * first
    second = second / np.linalg.norm(second)
    z = (points - model.mean) / model.scale
    for direction in (first, second):
        z = z - strength * np.outer(z @ direction, direction)
    hooked = model.rewards(z * model.scale + model.mean)
    np.testing.assert_allclose(found.rewards(points), hooked, atol=1e-10)


def test_an_edit_earns_nothing_afterwards_half_with_half_and_the_opposite_with_two():
    rng = np.random.default_rng(1)
    model, points = head(rng), rng.normal(size=(400, D))
    direction = rng.normal(size=D)
    after, of = edited(rng, points[:200], direction)
    new, _ = edited(rng, points[200:], direction)
    earned = model.rewards(new) - model.rewards(points[200:])
    for strength, left in ((0.5, 0.5), (1.0, 0.0), (2.0, -1.0)):
        found = project(model, points[:200], after, of, strength=strength)
        np.testing.assert_allclose(found.rewards(new) - found.rewards(points[200:]), left * earned, atol=1e-9)


def test_a_direction_that_the_head_does_not_look_at_changes_nothing():
    rng = np.random.default_rng(2)
    model, points = head(rng), rng.normal(size=(100, D))
    weights = model.weights[0][0] / model.scale
    blind = rng.normal(size=D)
    blind -= weights * (blind @ weights) / (weights @ weights)
    after, of = edited(rng, points, blind)
    np.testing.assert_allclose(project(model, points, after, of).rewards(points), model.rewards(points), atol=1e-10)


def test_what_is_across_the_direction_keeps_its_price():
    rng = np.random.default_rng(3)
    model, points = head(rng), rng.normal(size=(100, D))
    direction = rng.normal(size=D)
    after, of = edited(rng, points, direction)
    found = project(model, points, after, of)
    across = rng.normal(size=D) * model.scale
    unit = (direction / model.scale) / np.linalg.norm(direction / model.scale)
    across = across - model.scale * unit * (unit @ (across / model.scale))
    earned = [one.rewards(points + across) - one.rewards(points) for one in (found, model)]
    np.testing.assert_allclose(*earned, atol=1e-9)


def test_a_spared_direction_keeps_all_its_weight():
    rng = np.random.default_rng(4)
    model, points = head(rng), rng.normal(size=(200, D))
    quality = rng.normal(size=D)
    after, of = edited(rng, points, 0.7 * quality + rng.normal(size=D))
    spared = shift(model, points, points + quality)
    found = project(model, points, after, of, spared=spared)
    earned = [one.rewards(points + quality) - one.rewards(points) for one in (found, model)]
    np.testing.assert_allclose(*earned, atol=1e-9)
    lost = project(model, points, after, of)
    assert abs((lost.rewards(points + quality) - model.rewards(points + quality)).mean()) > 1e-3


def test_the_basis_is_orthonormal_and_two_alike_count_once():
    rng = np.random.default_rng(5)
    one, other = rng.normal(size=D), rng.normal(size=D)
    found = orthonormal(np.stack([one, 3 * one, other]))
    assert found.shape == (D, 2)
    np.testing.assert_allclose(found.T @ found, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(found @ (found.T @ other), other, atol=1e-12)


def test_too_little():
    rng = np.random.default_rng(6)
    model, points = head(rng), rng.normal(size=(100, D))
    with pytest.raises(NotEnoughData, match="at least 50 edited answers a target, got 49"):
        project(model, points[:49], points[:49] + 1, np.zeros(49, int))
    with pytest.raises(NotEnoughData, match="got 0"):
        project(model, points[:0], points[:0], np.zeros(0, int))
    with pytest.raises(NotEnoughData, match="edits that move the points"):
        project(model, points, points, np.zeros(100, int))
