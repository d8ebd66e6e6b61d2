"""Best-of-n without drawing, against all draws; what picking does to values, against slow ways to the same number."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from dehusk.stats.selection import (
    band,
    best_of_nats,
    best_of_weights,
    beyond_controls,
    exchange_p,
    pooled,
    redrawn,
    resampled,
)


def by_all_draws(scores, n):
    """Chance of each answer to win, by every subset; equal scores share the win."""
    won, draws = np.zeros(len(scores)), 0
    for draw in itertools.combinations(range(len(scores)), n):
        best = max(scores[i] for i in draw)
        winners = [i for i in draw if scores[i] == best]
        won[winners] += 1 / len(winners)
        draws += 1
    return won / draws


@given(st.lists(st.integers(0, 4), min_size=1, max_size=7), st.integers(1, 7))
def test_best_of_n_is_the_mean_over_all_draws_ties_included(scores, n):
    found = best_of_weights(np.array([scores], dtype=float), [n])[0, 0]
    if n > len(scores):
        assert np.isnan(found).all()
    else:
        assert found == pytest.approx(by_all_draws(scores, n), abs=1e-12)


def test_prompts_of_unequal_size_stand_side_by_side():
    rng = np.random.default_rng(0)
    sizes, grid = [3, 6, 1], [1, 2, 3]
    scores = np.full((3, 6), np.nan)
    for row, size in enumerate(sizes):
        scores[row, :size] = rng.normal(size=size)
    found = best_of_weights(scores, grid)
    for row, size in enumerate(sizes):
        for at, n in enumerate(grid):
            if n <= size:
                assert found[row, at, :size] == pytest.approx(by_all_draws(scores[row, :size], n))
                assert (found[row, at, size:] == 0).all()
            else:
                assert np.isnan(found[row, at]).all()


def test_monotone_scores_and_the_order_of_answers_do_not_matter():
    scores = np.random.default_rng(1).normal(size=(4, 9))
    order = np.random.default_rng(2).permutation(9)
    first = best_of_weights(scores, [1, 4, 9])
    assert best_of_weights(np.exp(3 * scores), [1, 4, 9]) == pytest.approx(first)
    assert best_of_weights(scores[:, order], [1, 4, 9]) == pytest.approx(first[..., order])


def test_large_pools_do_not_overflow():
    scores = np.arange(3000.0)[None]
    weights = best_of_weights(scores, [1, 50, 3000])[0]
    assert weights.sum(axis=1) == pytest.approx(1)
    assert (weights @ scores[0])[1] == pytest.approx(50 * 3001 / 51 - 1)  # mean of the highest of 50 ranks
    assert weights[2, -1] == 1


@pytest.mark.parametrize("n", [1, 2, 5, 16])
def test_divergence_is_exact_without_ties_and_a_bound_with_them(n):
    def divergence(scores):
        weights = best_of_weights(scores[None].astype(float), [n])[0, 0]
        kept = weights[weights > 0]
        return float((kept * np.log(kept * len(scores))).sum())

    assert divergence(np.arange(4000)) == pytest.approx(best_of_nats(n), abs=0.01)
    assert divergence(np.arange(4000) % 3) <= best_of_nats(n) + 1e-9


def test_rows_are_put_side_by_side_in_random_order():
    groups = np.array([5, 2, 5, 5, 2, 9])
    found = pooled(groups, np.random.default_rng(3))
    assert found.shape == (3, 3)
    assert [sorted(row[row >= 0].tolist()) for row in found] == [[1, 4], [0, 2, 3], [5]]
    assert (np.sort(found < 0, axis=1) == (found < 0)).all()  # the gaps stand last
    firsts = [pooled(np.zeros(8, dtype=int), np.random.default_rng(seed))[0, 0] for seed in range(400)]
    assert np.bincount(firsts, minlength=8) == pytest.approx(50, abs=25)


def test_resamples_are_weighted_means():
    rng = np.random.default_rng(4)
    values, draws = rng.normal(size=(6, 2, 3)), rng.multinomial(6, np.full(6, 1 / 6), size=5).astype(float)
    slow = np.array([np.average(values, axis=0, weights=row) for row in draws])
    assert redrawn(values, draws) == pytest.approx(slow)
    assert resampled(values, draws).value == pytest.approx(values.mean(axis=0))


def test_intervals_are_percentiles_where_resamples_are_symmetric_and_scipys_where_they_are_not():
    rng = np.random.default_rng(15)
    symmetric = np.concatenate([half := rng.normal(size=(2000, 3)), -half])
    found = band(np.zeros(3), symmetric)
    assert found.low == pytest.approx(np.quantile(symmetric, 0.025, axis=0), abs=0.01)
    assert found.high == pytest.approx(np.quantile(symmetric, 0.975, axis=0), abs=0.01)
    values = rng.exponential(size=(40, 1)) ** 2
    draws = rng.multinomial(40, np.full(40, 1 / 40), size=4000).astype(float)
    oracle = bootstrap((values[:, 0],), np.mean, n_resamples=4000, method="BCa", rng=rng).confidence_interval
    found = resampled(values, draws)
    assert [found.low[0], found.high[0]] == pytest.approx([oracle.low, oracle.high], rel=0.04)
    plain = np.quantile(redrawn(values, draws), 0.975)
    assert found.high[0] > plain + 0.05  # a skewed mean may well be higher


def test_an_interval_without_spread_is_a_point():
    assert band(np.ones((2, 2)), np.ones((50, 2, 2))).high.tolist() == [[1, 1], [1, 1]]


def picked_p(rng, prompts, rates, size=8, permutations=0):
    """p of the best answer's features under a score that has nothing to do with them."""
    values = (rng.random((prompts, size, len(rates))) < rates).astype(float)
    weights = best_of_weights(rng.normal(size=(prompts, size)), [size])[:, 0]
    return exchange_p(weights, values), weights, values


def test_p_is_uniform_when_scores_mean_nothing_for_common_and_for_rare_values():
    rng = np.random.default_rng(5)
    rates = np.repeat([0.5, 0.1, 0.01], 20)
    p = np.concatenate([picked_p(rng, 200, rates)[0] for _ in range(60)]).reshape(-1, 3, 20)
    low = [np.mean(p[:, at] < 0.05) for at in range(3)]  # of 1,200 each
    assert low[:2] == pytest.approx([0.05, 0.05], abs=0.015)
    assert 0.005 < low[2] < 0.055  # two counts are expected, so that few p are possible
    assert np.mean(p < 0.001) <= 0.003


def test_p_agrees_with_permutations():
    rng = np.random.default_rng(6)
    _, weights, values = picked_p(rng, 60, np.array([0.05, 0.4]))
    weights = best_of_weights(rng.normal(size=(60, 8)) + 0.5 * values[..., 1] + 0.5 * values[..., 0], [4])[:, 0]

    def moved(w):
        return np.einsum("pn,pnk->k", w - 1 / 8, values)

    shuffled = np.array([moved(rng.permuted(weights, axis=1)) for _ in range(4000)])
    upper = (shuffled >= moved(weights)).mean(axis=0)
    exact = 2 * np.minimum(upper, 1 - upper)
    assert exchange_p(weights, values) == pytest.approx(exact, rel=0.25, abs=0.005)


def test_p_of_what_does_not_vary_is_one():
    values = np.ones((5, 4, 2))
    values[:, :, 1] = np.arange(5)[:, None]
    weights = np.eye(4)[[0, 1, 2, 3, 0]]
    assert exchange_p(weights, values).tolist() == [1, 1]
    assert exchange_p(np.full((5, 4), 0.25), np.random.default_rng(0).normal(size=(5, 4, 1))).tolist() == [1]


def padded_case(rng, prompts=30, most=7):
    size = rng.integers(3, most + 1, prompts)
    gone = np.arange(most) >= size[:, None]
    length, values = rng.normal(size=(prompts, most)), rng.normal(size=(prompts, most, 2))
    values[..., 1] += 2 * length
    values[gone] = np.nan
    weights = best_of_weights(np.where(gone, np.nan, length + rng.normal(size=length.shape)), [3])[:, 0]
    return weights, values, length[..., None], gone


def test_what_is_left_beyond_controls_is_that_of_a_regression_with_a_term_a_prompt():
    weights, values, controls, gone = padded_case(np.random.default_rng(7))
    prompt = np.repeat(np.arange(30), 7)[~gone.ravel()]
    design = np.column_stack([controls[~gone], np.eye(30)[prompt]])
    slope = np.linalg.lstsq(design, values[~gone], rcond=None)[0][0]
    pull = weights - np.where(gone, 0, 1 / (~gone).sum(axis=1, keepdims=True))
    expected = [
        (pull * np.nan_to_num(values[..., k])).sum() / 30 - slope[k] * (pull * controls[..., 0]).sum() / 30
        for k in range(2)
    ]
    found = beyond_controls(weights, values, controls, np.ones((3, 30)))
    assert found.value == pytest.approx(expected)
    assert found.low == pytest.approx(expected)  # each prompt once


def test_a_pick_by_the_control_leaves_nothing_and_one_that_ignores_it_everything():
    rng = np.random.default_rng(8)
    length = rng.normal(size=(400, 8))
    carried, own = length + rng.normal(size=length.shape), rng.normal(size=length.shape)
    values = np.stack([carried, own], axis=2)
    draws = rng.multinomial(400, np.full(400, 1 / 400), size=300).astype(float)
    longest = beyond_controls(best_of_weights(length, [8])[:, 0], values, length[..., None], draws)
    assert (longest.low < 0).all()
    assert (longest.high > 0).all()
    by_own = beyond_controls(best_of_weights(own, [8])[:, 0], values, length[..., None], draws)
    assert by_own.value[1] == pytest.approx(1.42, abs=0.1)  # mean of the highest of eight normals
    nothing = beyond_controls(best_of_weights(length, [8])[:, 0], values, np.ones((400, 8, 1)), draws)
    assert nothing.value[0] == pytest.approx(1.42, abs=0.1)
