"""The split of a reward gain: limits, oracle, coverage, invariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dehusk.core.errors import NotEnoughData
from dehusk.stats.stratified import bootstrap_weights, stratified_gain


def scored(seed, g=60, samples=4, *, quality=0.5, per_word=0.0, longer=40.0):
    """Rewards of an earlier and a later stage: quality gained at any length, plus so much a word."""
    rng = np.random.default_rng(seed)
    prompts = np.tile(np.repeat(np.arange(g), samples), 2)
    later = np.repeat([False, True], g * samples)
    words = np.clip(100 + rng.normal(0, 20, g)[prompts] + rng.normal(0, 40, prompts.size) + longer * later, 1, None)
    rewards = rng.normal(0, 0.5, g)[prompts] + rng.normal(0, 0.5, prompts.size) + quality * later + per_word * words
    return rewards, later, prompts, words, rng


def split(rewards, later, prompts, buckets, rng, **options):
    return stratified_gain(
        rewards, later, prompts, buckets.astype(int), bootstrap_weights(prompts.max() + 1, rng, most=300), **options
    )


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_point_equals_the_published_formula(seed):
    rewards, later, prompts, words, rng = scored(seed, g=20, samples=2)
    buckets, weights, gains = (words // 20).astype(int), [], []
    for b in np.unique(buckets):
        after, before = rewards[later & (buckets == b)], rewards[~later & (buckets == b)]
        if after.size and before.size and after.size + before.size >= 10:
            weights.append(after.size + before.size)
            gains.append(after.mean() - before.mean())
    found = split(rewards, later, prompts, buckets, rng)
    assert found.within[0] == pytest.approx(np.average(gains, weights=weights))
    assert found.total[0] == pytest.approx(rewards[later].mean() - rewards[~later].mean())
    assert found.coverage == pytest.approx(sum(weights) / rewards.size)
    assert found.buckets == len(weights)


def test_all_of_it_stays_when_the_reward_does_not_know_length():
    rewards, later, prompts, words, rng = scored(0, g=400, quality=0.5)
    found = split(rewards, later, prompts, words // 20, rng)
    assert found.moved_share[1] < 0 < found.moved_share[2]
    assert found.moved_share[0] == pytest.approx(0, abs=0.06)


def test_none_of_it_stays_when_the_reward_is_length():
    _, later, prompts, words, rng = scored(1, g=400)
    found = split(words // 20 * 0.1, later, prompts, words // 20, rng)
    assert found.moved_share[0] == pytest.approx(1)
    found = split(words * 0.01, later, prompts, words // 20, rng)  # what 20 words in a bucket leave over
    assert found.moved_share[0] == pytest.approx(1, abs=0.06)


def test_interval_covers_the_planted_split():
    # At any length the later stage gains 0.3; the rest of the total comes from 40 words more at 0.01 each, but within
    # a bucket of 20 words the later answers are still a little longer, so the truth is taken from a very large sample.
    truth = split(*scored(2, g=20_000, quality=0.3, per_word=0.01)[:3], *_buckets(2, g=20_000)).within[0]
    assert truth == pytest.approx(0.3, abs=0.05)
    covered = []
    for seed in range(100, 400):
        rewards, later, prompts, words, rng = scored(seed, g=60, samples=2, quality=0.3, per_word=0.01)
        found = split(rewards, later, prompts, words // 20, rng)
        covered.append(found.within[1] <= truth <= found.within[2])
    assert np.mean(covered) == pytest.approx(0.95, abs=0.035)  # 300 draws of a 95 % interval, percentile on 60 prompts


def _buckets(seed, g):
    *_, words, rng = scored(seed, g=g, quality=0.3, per_word=0.01)
    return words // 20, rng


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_swapping_shifting_scaling_permuting(seed):
    rewards, later, prompts, words, rng = scored(seed, g=30)
    buckets = (words // 20).astype(int)
    draws = bootstrap_weights(30, rng, most=200)
    found = stratified_gain(rewards, later, prompts, buckets, draws)
    swapped = stratified_gain(rewards, ~later, prompts, buckets, draws)
    assert swapped.within[0] == pytest.approx(-found.within[0])
    assert swapped.total[1] == pytest.approx(-found.total[2])
    assert swapped.moved_share[0] == pytest.approx(found.moved_share[0])
    assert stratified_gain(rewards + 5, later, prompts, buckets, draws).within == pytest.approx(found.within)
    assert stratified_gain(rewards * 2, later, prompts, buckets, draws).moved_share == pytest.approx(found.moved_share)
    order = np.random.default_rng(seed).permutation(rewards.size)
    moved = stratified_gain(rewards[order], later[order], prompts[order], buckets[order], draws)
    assert moved.within == pytest.approx(found.within)
    twice = stratified_gain(*(np.concatenate([x, x]) for x in (rewards, later, prompts, buckets)), draws, least=20)
    assert twice.total == pytest.approx(found.total)  # the same answers twice are no new prompts
    assert twice.within == pytest.approx(found.within)


def test_null_p_is_not_too_small():
    p = []
    for seed in range(300):
        rewards, later, prompts, words, rng = scored(seed, g=80, samples=1, quality=0.5)
        p.append(split(rewards, later, prompts, rng.integers(0, 2, words.size), rng).moved_p)
    assert np.mean(np.array(p) < 0.05) <= 0.085


def test_buckets_of_one_stage_are_refused():
    later = np.repeat([False, True], 20)
    with pytest.raises(NotEnoughData, match="answers of both stages"):
        stratified_gain(np.ones(40), later, np.tile(np.arange(20), 2), later.astype(int), np.ones((5, 20)))
