"""Pressure is what it says, joint bands cover, and minima and maxima of bands keep what they hold."""

from __future__ import annotations

import numpy as np
import pytest
from contests import contest

from dehusk.certification.bands import HIGH, LOW, VALUE, bands
from dehusk.certification.contest import pressures
from dehusk.stats.multiplicity import together
from dehusk.stats.ranking import normal_scores
from dehusk.stats.selection import full_lift

OLD, NEW, GOLD = np.linspace(-0.6, 0.9, 6), np.linspace(0.5, -0.3, 6), np.linspace(0, 0.5, 6)


def correlation(weights):
    return weights / np.sqrt(weights @ weights + 1)


def pool(rng, prompts, size):
    x = rng.normal(size=(prompts, size, 6))
    scores = [x @ weights + rng.normal(size=(prompts, size)) for weights in (OLD, NEW, GOLD)]
    return contest({f"f{i}": x[..., i] for i in range(6)}, *scores, targets=("f0",))


def excess(pressure):
    low, high = np.minimum(0, correlation(GOLD)), np.maximum(0, correlation(GOLD))
    return np.maximum(0, np.maximum(pressure - high, low - pressure))


def test_pressure_is_the_correlation_at_every_n_and_under_the_weights():
    found = pressures(pool(np.random.default_rng(0), 4000, 16), np.random.default_rng(1), nats=0.3)
    assert [one.kind for one in found.selections] == ["best_of_n"] * 4 + ["tilt"]
    for drawn, weights in ((found.before, OLD), (found.after, NEW), (found.gold, GOLD)):
        for row in drawn.value:
            assert row[:6] == pytest.approx(correlation(weights), abs=0.03)
    assert found.gold.value[:, 6] == pytest.approx(np.ones(5), abs=0.03)  # gold picks itself


def test_full_lift_is_the_mean_of_the_best_of_n():
    draws = np.random.default_rng(0).normal(size=(200_000, 16))
    for n in (2, 3, 8, 16):
        assert full_lift(n) == pytest.approx(draws[:, :n].max(axis=1).mean(), abs=0.01)
    assert full_lift(2) == pytest.approx(1 / np.sqrt(np.pi), abs=1e-6)


def test_joint_bands_cover_all_at_once_as_often_as_they_say():
    truth = np.stack([correlation(OLD), correlation(NEW), correlation(NEW) - correlation(OLD)])[:, None]
    held, rng = [], np.random.default_rng(0)
    for _ in range(400):
        found = pressures(pool(rng, 80, 8), rng, nats=0)
        o, w = found.before, found.after
        whole = together(
            np.stack([o.value, w.value, w.value - o.value])[..., :6],
            np.stack([o.drawn, w.drawn, w.drawn - o.drawn], axis=1)[..., :6],
            80,
        )
        held.append(((whole.low <= truth) & (truth <= whole.high)).all())
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


def test_growth_is_covered_wherever_before_and_after_lie():
    """Also at the kink, where before or after is where gold is, or 0."""
    truth = excess(correlation(NEW)) - excess(correlation(OLD))
    held, rng = [], np.random.default_rng(1)
    for _ in range(150):
        found = bands(pressures(pool(rng, 80, 8), rng, nats=0), np.arange(6), level=0.95)
        inside = (found.growth[LOW] <= truth + 1e-12) & (truth <= found.growth[HIGH] + 1e-12)
        held.append(inside.all())
        assert (found.growth[LOW] <= found.growth[VALUE] + 1e-12).all()
        assert (found.growth[VALUE] <= found.growth[HIGH] + 1e-12).all()
    assert np.mean(held) >= 0.93


def test_growth_is_excess_after_less_excess_before():
    found = bands(
        pressures(pool(np.random.default_rng(2), 60, 8), np.random.default_rng(3), nats=0), np.arange(6), level=0.9
    )
    o, w, g = (part[VALUE] for part in (found.before, found.after, found.gold))
    low, high = np.minimum(0, g), np.maximum(0, g)
    outside = [np.maximum(0, np.maximum(one - high, low - one)) for one in (o, w)]
    assert found.growth[VALUE] == pytest.approx(outside[1] - outside[0], abs=1e-12)


def test_what_would_have_been_found_is_found_four_times_in_five():
    rng = np.random.default_rng(4)

    def told(pressure):
        """Bands of a feature that the reward before ignores and the one after does not."""
        x, e = rng.normal(size=(100, 8, 3)), rng.normal(size=(2, 100, 8))
        after = pressure * x[..., 1] + np.sqrt(1 - pressure**2) * e[1]
        given = contest({f"f{i}": x[..., i] for i in range(3)}, e[0], after, targets=("f0",))
        return bands(pressures(given, rng, nats=0), np.array([1]), level=0.95)

    without = [told(0.0) for _ in range(40)]
    assert np.mean([(one.growth[LOW] > 0).any() for one in without]) <= 0.1
    needed = float(np.mean([one.needed.min() for one in without]))
    found = [(told(needed).growth[LOW] > 0).any() for _ in range(120)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.15)


def test_normal_scores_do_not_mind_tails():
    rng = np.random.default_rng(0)
    x = rng.normal(size=999)
    assert normal_scores(np.exp(5 * x)) == pytest.approx(normal_scores(x))
    assert np.std(normal_scores(x)) == pytest.approx(1, abs=0.02)
    assert np.isnan(normal_scores(np.array([1.0, np.nan, 2.0]))).tolist() == [False, True, False]
