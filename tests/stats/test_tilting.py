"""Tilted pools: the formula, the jackknife against leaving answers out by hand, and what it is good for."""

import itertools

import numpy as np
import pytest

from dehusk.stats.tilting import at_nats, tilted


def plain(scores, values, strength):
    """Tilted mean and divergence of one pool, by the formula."""
    weights = np.exp(strength * (scores - scores.max()))
    share = weights / weights.sum()
    return np.array([share @ values, share @ np.log(share * len(scores))])


def by_hand(scores, values, strength, order):
    """The jackknife, every set of answers left out in turn."""
    n = len(scores)

    def mean(without):
        found = []
        for out in itertools.combinations(range(n), without):
            kept = np.setdiff1d(np.arange(n), out)
            found.append(plain(scores[kept], values[kept], strength))
        return np.mean(found, axis=0)

    if order == 1:
        return n * mean(0) - (n - 1) * mean(1)
    return (n**2 * mean(0) - 2 * (n - 1) ** 2 * mean(1) + (n - 2) ** 2 * mean(2)) / 2


@pytest.mark.parametrize("order", [0, 1, 2])
def test_weights_and_divergence_are_those_of_the_jackknife(order):
    rng = np.random.default_rng(0)
    sizes = [4, 9, 6]
    scores = np.full((3, 9), np.nan)
    for row, size in enumerate(sizes):
        scores[row, :size] = rng.normal(size=size)
    values = rng.normal(size=(3, 9))
    found = tilted(scores, [0.7, 2.0], order=order)
    for row, size in enumerate(sizes):
        for at, strength in enumerate((0.7, 2.0)):
            own, others = scores[row, :size], values[row, :size]
            expected = by_hand(own, others, strength, order) if order else plain(own, others, strength)
            assert found.weights[row, at, :size] @ others == pytest.approx(expected[0])
            assert found.nats[row, at] == pytest.approx(expected[1])
            assert (found.weights[row, at, size:] == 0).all()
    assert found.weights.sum(axis=2) == pytest.approx(1)


def test_answers_beyond_sixty_four_are_left_out_in_blocks():
    rng = np.random.default_rng(1)
    scores, values = rng.normal(size=(1, 130)), rng.normal(size=130)
    blocks = np.arange(130) % 64
    whole = plain(scores[0], values, 1.0)
    one = np.mean([plain(scores[0][blocks != b], values[blocks != b], 1.0) for b in range(64)], axis=0)
    found = tilted(scores, [1.0], order=1)
    expected = 64 * whole - 63 * one
    assert found.weights[0, 0] @ values == pytest.approx(expected[0])
    assert found.nats[0, 0] == pytest.approx(expected[1])


def test_a_constant_added_to_the_scores_of_a_prompt_changes_nothing():
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(5, 8))
    first, moved = (tilted(part, [0.5, 3.0]) for part in (scores, scores + rng.normal(size=(5, 1)) * 1e3))
    assert moved.weights == pytest.approx(first.weights, abs=1e-8)
    assert moved.nats == pytest.approx(first.nats, abs=1e-8)
    order = rng.permutation(8)
    assert tilted(scores[:, order], [0.5, 3.0]).weights == pytest.approx(first.weights[..., order])


def test_no_strength_is_no_tilt_and_equal_scores_give_none():
    found = tilted(np.random.default_rng(3).normal(size=(4, 6)), [0.0])
    assert found.weights == pytest.approx(1 / 6)
    assert found.nats == pytest.approx(0, abs=1e-12)
    assert (found.effective[0], found.top[0]) == (pytest.approx(6), pytest.approx(1 / 6))
    equal = tilted(np.ones((2, 5)), [9.0])
    assert equal.weights == pytest.approx(0.2)
    assert equal.nats == pytest.approx(0, abs=1e-12)


def test_extreme_scores_stay_finite():
    scores = np.array([[0.0, 1e6, 1e6, -1e9, 3.0], [5.0, 5.0, 5.0, 1e12, -1e12]])
    found = tilted(scores, [0.0, 1e-3, 1.0, 1e6])
    assert np.isfinite(found.weights).all()
    assert np.isfinite(found.nats).all()
    assert found.top[-1] == pytest.approx(0.75)


def toy(rng, prompts, size):
    """A reward with three values, and a feature that goes with it; the truth is a sum."""
    kind = rng.choice(3, size=(prompts, size), p=[0.6, 0.3, 0.1])
    return np.array([0.0, 1.0, 2.0])[kind], (rng.random((prompts, size)) < np.array([0.1, 0.3, 0.7])[kind]).astype(
        float
    )


def test_each_order_is_nearer_to_the_truth():
    strength = 1.0
    share = np.array([0.6, 0.3, 0.1]) * np.exp(strength * np.arange(3))
    share /= share.sum()
    rate = share @ [0.1, 0.3, 0.7]
    nats = share @ np.log(share / [0.6, 0.3, 0.1])
    scores, values = toy(np.random.default_rng(4), 60_000, 6)
    off = []
    for order in range(3):
        found = tilted(scores, [strength], order=order)
        off.append([(found.weights[:, 0] * values).sum(axis=1).mean() - rate, found.nats.mean() - nats])
    off = np.abs(off)  # standard error of the second order: 0.002
    assert (off[0] > [0.02, 0.04]).all()
    assert (off[1] < off[0] / 3).all()
    assert (off[2] < 0.008).all()


def test_curves_are_read_off_at_equal_divergence():
    strengths = np.array([0.0, 0.3, 0.6, 0.9, 1.2])
    nats, means = strengths**2 / 2, 5 - 3 * strengths  # a unit normal reward and a mean that goes against it
    targets = np.array([0.0, 0.18, 0.3, 9.0])
    found = at_nats(nats[None], means[None, :, None], targets)[0, :, 0]
    assert found == pytest.approx([5, 5 - 3 * 0.6, 5 - 3 * np.sqrt(0.6), 5 - 3 * 1.2])


def test_a_curve_that_runs_back_is_read_where_it_first_arrives():
    nats = np.array([[0.0, 1.0, 0.9, 2.0]])
    assert at_nats(nats, np.arange(4.0)[None, :, None], np.array([1.0, 2.0]))[0, 1, 0] == 3
