"""A direction taken out of a head: the form of the hook, exactly what was planted, and nothing else."""

import itertools

import numpy as np
import pytest

from dehusk.core.errors import NotEnoughData
from dehusk.rewards.heads import LinearHead
from dehusk.rewards.projection import orthonormal, project, shift, shifts_of_edits, shifts_of_pairs

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


def blinded(model, original, after, of, **options):
    return project(model, shifts_of_edits(model, original, after, of), **options)


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("widths", [(), (8,), (8, 4)])
def test_it_is_the_hook_on_standardised_points(strength, widths):
    """h' = h − α P Pᵀ h before the first layer, with P made by Gram and Schmidt."""
    rng = np.random.default_rng(0)
    model, points = head(rng, *widths), rng.normal(size=(300, D))
    after, of = edited(rng, points, rng.normal(size=D), rng.normal(size=D))
    found = blinded(model, points, after, of, strength=strength)
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
        found = blinded(model, points[:200], after, of, strength=strength)
        np.testing.assert_allclose(found.rewards(new) - found.rewards(points[200:]), left * earned, atol=1e-9)


def test_a_direction_that_the_head_does_not_look_at_changes_nothing():
    rng = np.random.default_rng(2)
    model, points = head(rng), rng.normal(size=(100, D))
    weights = model.weights[0][0] / model.scale
    blind = rng.normal(size=D)
    blind -= weights * (blind @ weights) / (weights @ weights)
    after, of = edited(rng, points, blind)
    np.testing.assert_allclose(blinded(model, points, after, of).rewards(points), model.rewards(points), atol=1e-10)


def test_what_is_across_the_direction_keeps_its_price():
    rng = np.random.default_rng(3)
    model, points = head(rng), rng.normal(size=(100, D))
    direction = rng.normal(size=D)
    after, of = edited(rng, points, direction)
    found = blinded(model, points, after, of)
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
    found = blinded(model, points, after, of, spared=spared)
    earned = [one.rewards(points + quality) - one.rewards(points) for one in (found, model)]
    np.testing.assert_allclose(*earned, atol=1e-9)
    lost = blinded(model, points, after, of)
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
        blinded(model, points[:49], points[:49] + 1, np.zeros(49, int))
    with pytest.raises(NotEnoughData, match="got 0"):
        blinded(model, points[:0], points[:0], np.zeros(0, int))
    with pytest.raises(NotEnoughData, match="targets that move the points"):
        blinded(model, points, points, np.zeros(100, int))


def pairs(rng, n=400):
    """Points that move with a target in one direction and with the label in another that is not across it."""
    label, way = rng.normal(size=D), rng.normal(size=D)
    longer = rng.normal(size=(n, 1)) + 0.5  # what is chosen is longer, too
    difference = rng.normal(size=(n, D)) + longer * way + label + 0.5 * way
    rejected = rng.normal(size=(n, D))
    return rejected + difference, rejected, longer


@pytest.mark.parametrize("targets", [1, 2])
def test_of_pairs_no_slope_is_left_beside_the_label(targets):
    """Oracle: ordinary least squares of the new margins on the targets and a constant."""
    rng = np.random.default_rng(7)
    model = head(rng)
    chosen, rejected, longer = pairs(rng)
    x = np.hstack([longer, longer + rng.normal(size=longer.shape)])[:, :targets]
    found = project(model, shifts_of_pairs(model, chosen, rejected, x))
    design = np.hstack([np.tanh(x / np.sqrt((x**2).mean(axis=0))), np.ones((len(x), 1))])
    slopes = [np.linalg.lstsq(design, one.rewards(chosen) - one.rewards(rejected))[0] for one in (model, found)]
    assert abs(slopes[0][0]) > 0.1
    np.testing.assert_allclose(slopes[1][:targets], 0, atol=1e-9)


def test_of_pairs_the_label_keeps_its_price_where_the_target_is_balanced():
    rng = np.random.default_rng(8)
    model, n = head(rng), 20_000
    way, label = np.eye(D)[0] * model.scale, np.eye(D)[1] * model.scale
    x = rng.normal(size=(n, 1))
    rejected = rng.normal(size=(n, D))
    found = project(model, shifts_of_pairs(model, rejected + x * way + label, rejected, x))
    earned = [one.rewards(label[None] + model.mean) - one.rewards(model.mean[None]) for one in (found, model)]
    np.testing.assert_allclose(*earned, rtol=0.05, atol=1e-9)
    assert abs(found.weights[0][0, 0]) < 1e-9 < abs(model.weights[0][0, 0])


def test_of_pairs_one_enormous_answer_does_not_set_the_direction():
    rng = np.random.default_rng(11)
    model = head(rng)
    chosen, rejected, longer = pairs(rng)
    usual = shifts_of_pairs(model, chosen, rejected, longer)[0]
    longer[0] = 60.0
    found = shifts_of_pairs(model, chosen, rejected, longer)[0]
    assert usual @ found / np.linalg.norm(usual) / np.linalg.norm(found) > 0.9


def test_of_pairs_a_shuffled_target_takes_little():
    """Null: of a random direction among d, a d-th of the weights' square."""
    rng = np.random.default_rng(9)
    model = head(rng)
    lost = []
    for _ in range(50):
        chosen, rejected, longer = pairs(rng)
        found = project(model, shifts_of_pairs(model, chosen, rejected, rng.permutation(longer)))
        lost.append(1 - np.sum(found.weights[0] ** 2) / np.sum(model.weights[0] ** 2))
    assert np.mean(lost) < 2.5 / D


def test_of_pairs_too_few_that_differ():
    rng = np.random.default_rng(10)
    model = head(rng)
    chosen, rejected, longer = pairs(rng, 80)
    longer[:31] = 0
    with pytest.raises(NotEnoughData, match="at least 50 pairs that differ in each target, got 49"):
        shifts_of_pairs(model, chosen, rejected, longer)
