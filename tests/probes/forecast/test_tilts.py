"""How far a pool can say, and whether the truth lies in what it says: cheap repetitions without tables."""

import numpy as np
import pytest
from pool_tables import best_of_truth, logistic, normal_quantiles, tilt_truth

from dehusk.core.errors import NotEnoughData
from dehusk.probes.forecast.tilts import Tilts, best_of_equal
from dehusk.probes.selection.pools import Block, Pool
from dehusk.stats.selection import best_of_nats
from dehusk.stats.stratified import bootstrap_weights


def tilts(score, nats=1.0):
    rows = np.where(np.isnan(score), -1, np.arange(score.size).reshape(score.shape))
    return Tilts.of(Pool(None, "sft", "rm", rows, score, int((~np.isnan(score)).sum(axis=1).min()), 0), nats)


def course(found, values, seed=0, draws=1000):
    prompts = len(values)
    times = bootstrap_weights(prompts, np.random.default_rng([seed, 1]), most=draws)
    return found.course(Block([0], np.arange(prompts), values[..., None]), np.array([True]), times)


def coverage(draw, truth, *, runs=300, draws=400):
    """Share of runs whose interval holds the truth at 0.2 nats and at their end, and where they ended on average."""
    held, ends = [], []
    for seed in range(runs):
        score, values = draw(np.random.default_rng(seed))
        found = tilts(score, 1.0)
        made = course(found, values, seed, draws)
        near = int(np.flatnonzero(found.axis == 0.2)[0])
        bands = [(made.tilt.low[near, 0], made.tilt.high[near, 0]), (made.level.low[0], made.level.high[0])]
        held.append([low <= truth(at) <= high for at, (low, high) in zip((0.2, found.nats), bands, strict=True)])
        ends.append(found.nats)
    return np.mean(held, axis=0), float(np.mean(ends))


def test_the_interval_covers_the_tilted_policy_of_a_normal_reward():
    z = normal_quantiles()
    grid = np.linspace(0, 2, 201)
    rates = tilt_truth(z, logistic(-2.5 + z), grid)

    def draw(rng):
        score = rng.normal(size=(80, 16))
        return score, (rng.random(score.shape) < logistic(-2.5 + score)).astype(float)

    held, end = coverage(draw, lambda at: np.interp(at, grid, rates))
    assert end == pytest.approx(0.88, abs=0.03)  # sixteen answers do not reach 1 nat
    assert held == pytest.approx([0.95, 0.95], abs=0.03)  # one standard error of 300 runs is 0.013


def test_the_interval_covers_the_tilted_policy_of_a_two_valued_reward():
    score, rate = np.repeat([0.0, 1.0], [8, 2]), np.repeat([0.1, 0.4], [8, 2])
    grid = np.linspace(0, 1.6, 161)
    rates = tilt_truth(score, rate, grid)

    def draw(rng):
        won = rng.random((80, 12)) < 0.2
        return won.astype(float), (rng.random(won.shape) < np.where(won, 0.4, 0.1)).astype(float)

    held, end = coverage(draw, lambda at: np.interp(at, grid, rates))
    assert end > 0.5
    assert held == pytest.approx([0.95, 0.95], abs=0.03)


def test_best_of_n_stands_beside_it_at_equal_divergence():
    rng = np.random.default_rng(0)
    z = normal_quantiles()
    score = rng.normal(size=(4000, 16))
    values = (rng.random(score.shape) < logistic(-2.5 + score)).astype(float)
    found = tilts(score, best_of_nats(3))
    made = course(found, values, draws=200)
    expected = best_of_truth(logistic(-2.5 + z), 3)
    assert made.equal.low[0] < expected < made.equal.high[0]
    assert made.best_of.value[:, 0] == pytest.approx(
        [best_of_truth(logistic(-2.5 + z), n) for n in (1, 2, 4, 8, 16)], abs=0.02
    )
    assert made.equal.high[0] < made.level.low[0]  # another policy, which moves less


def test_more_answers_reach_further_and_nothing_is_said_past_the_reach():
    rng = np.random.default_rng(1)
    reaches = []
    for size in (4, 8, 16, 32):
        found = tilts(rng.normal(size=(300, size)), 9.0)
        reaches.append(found.reach)
        assert found.nats == found.reach
        assert found.axis.max() <= found.reach + 1e-12
        assert found.at(found.plain.top) == pytest.approx(1 / 3, abs=2e-3)
    assert (np.diff(reaches) > 0.2).all()
    assert reaches[0] < 0.2
    assert reaches[3] > 1.1


def test_a_score_with_few_values_ends_where_it_can_go_no_further():
    rng = np.random.default_rng(2)
    score = (rng.random((200, 16)) < 0.6).astype(float)
    found = tilts(score, 1.0)
    assert found.saturated
    assert found.reach == pytest.approx(-np.log(0.6), abs=0.1)
    made = course(found, score)
    assert made.level.value[0] == pytest.approx(1, abs=0.01)
    assert not tilts(rng.normal(size=(50, 8))).saturated


def test_a_larger_doubt_widens_one_side():
    rng = np.random.default_rng(3)
    score = rng.normal(size=(100, 8))
    values = (rng.random(score.shape) < logistic(-2.5 + score)).astype(float)
    found = tilts(score)
    made = course(found, values)
    drawn = made.picked.drawn[:, 0]
    assert made.picked.doubt[0] > 0
    assert made.level.high[0] > np.quantile(drawn, 0.975)


def test_scores_moved_by_prompt_or_scaled_change_nothing():
    rng = np.random.default_rng(4)
    score = rng.normal(size=(60, 8))
    values = (rng.random(score.shape) < logistic(-2 + score)).astype(float)
    first = tilts(score)
    for other in (score + rng.normal(size=(60, 1)) * 10, 37 * score):
        moved = tilts(other)
        assert moved.reach == pytest.approx(first.reach)
        assert course(moved, values).level.value == pytest.approx(course(first, values).level.value)
    assert tilts(37 * score).at(tilts(37 * score).strengths) == pytest.approx(first.at(first.strengths) / 37)
    double = tilts(np.tile(score, (2, 1)))
    assert double.reach == pytest.approx(first.reach, rel=0.01)
    twice = course(double, np.tile(values, (2, 1))).tilt.value
    assert twice[1] == pytest.approx(course(first, values).tilt.value[1], rel=0.01)


def test_equal_scores_are_refused():
    with pytest.raises(NotEnoughData, match="scores that differ between the answers to a prompt"):
        tilts(np.repeat(np.arange(20.0), 8).reshape(20, 8))


def test_best_of_n_that_goes_as_far_is_a_mixture_of_two():
    for nats in (0.0, 0.1, 0.5, 1.0, 1.8):
        n, share = best_of_equal(nats, 16)
        assert 0 <= share <= 1
        assert (1 - share) * best_of_nats(n) + share * best_of_nats(n + 1) == pytest.approx(nats)
    assert best_of_equal(9.0, 4) == (4, 0.0)
