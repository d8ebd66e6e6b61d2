"""The paired and the length-matched contrast: limits, oracle, coverage, invariances."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from stage_tables import two_stages

from dehusk.core.errors import NotEnoughData
from dehusk.stats.effects import clustered_mean, clustered_sign_p
from dehusk.stats.matching import contrast, equal_count_strata, length_strata, sign_p, stage_means

SIMULATED = settings(max_examples=25, deadline=None)


def uneven(seed, g=30, k=3, s=4):
    """Prompts with one to four answers a stage."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 5, 2 * g)
    prompts = np.repeat(np.tile(np.arange(g), 2), counts)
    later = np.repeat(np.repeat([False, True], g), counts)
    return rng.random((later.size, k)) + later[:, None], later, prompts, rng.integers(0, s, later.size)


def brute_force(values, later, prompts, strata):
    """Standardised means by loops over a dictionary of cells."""
    answers = defaultdict(int)
    for prompt, side in zip(prompts, later, strict=True):
        answers[prompt, side] += 1
    cells, owners = defaultdict(lambda: [0.0, 0.0]), defaultdict(set)
    for value, prompt, side, stratum in zip(values, prompts, later, strata, strict=True):
        w = 1 / answers[prompt, side]
        cells[stratum, side][0] += w
        cells[stratum, side][1] += w * value
        owners[stratum, side].add(prompt)
    used = [s for s in set(strata) if len(owners[s, False]) > 1 and len(owners[s, True]) > 1]
    share = {s: cells[s, False][0] + cells[s, True][0] for s in used}
    total = sum(share.values())
    return [sum(share[s] / total * cells[s, side][1] / cells[s, side][0] for s in used) for side in (False, True)]


@given(st.integers(0, 10_000))
@SIMULATED
def test_means_equal_those_of_brute_force(seed):
    values, later, prompts, strata = uneven(seed)
    means = stage_means(values, later, prompts, strata)
    for column in range(values.shape[1]):
        expected = brute_force(values[:, column], later, prompts, strata)
        assert [means.earlier[column], means.later[column]] == pytest.approx(expected)


@given(st.integers(0, 10_000))
@SIMULATED
def test_without_strata_it_is_the_paired_difference(seed):
    rng = np.random.default_rng(seed)
    g = 40
    earlier, later = rng.random(g), rng.random(g) + 0.1
    expected = clustered_mean(later - earlier, np.arange(g))
    side, prompts = np.repeat([False, True], g), np.tile(np.arange(g), 2)
    found = contrast(stage_means(np.concatenate([earlier, later])[:, None], side, prompts))
    assert [found.value[0], found.low[0], found.high[0], found.p[0], found.n] == pytest.approx(list(expected))


def test_sign_test_is_the_one_of_the_clusters():
    values, later, prompts, _ = two_stages(80, np.random.default_rng(0), effect=0.2)
    difference = values[later, 0] - values[~later, 0]
    assert sign_p(values, later, prompts)[0] == pytest.approx(clustered_sign_p(difference, prompts[later]))
    only_one_way = np.array([[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]])
    p = sign_p(only_one_way, np.repeat([False, True], 3), np.tile(np.arange(3), 2))
    assert p[0] == pytest.approx(stats.binomtest(3, 3).pvalue)


def test_four_answers_against_one_lean_no_way():
    """Some of four answers have a feature more often than a single one has; that is no difference."""
    rng, g = np.random.default_rng(3), 300
    prompts, later = np.concatenate([np.arange(g), np.repeat(np.arange(g), 4)]), np.arange(5 * g) >= g
    p = sign_p((rng.random((5 * g, 400)) < 0.15).astype(float), later, prompts)
    assert (p <= 0.05).mean() <= 0.08
    more = rng.random((5 * g, 50)) < 0.10 + 0.15 * later[:, None]
    assert (sign_p(more.astype(float), later, prompts) <= 0.001).mean() > 0.9


def test_without_a_change_of_length_matched_equals_raw():
    rng = np.random.default_rng(1)
    lengths = np.tile(rng.lognormal(6, 1, 300), 2)
    prompts, later = np.tile(np.arange(300), 2), np.repeat([False, True], 300)
    values = (rng.random((600, 5)) < 0.2 + 0.1 * later[:, None]).astype(float)
    raw = stage_means(values, later, prompts)
    matched = stage_means(values, later, prompts, equal_count_strata(lengths))
    assert matched.coverage == 1
    assert matched.later - matched.earlier == pytest.approx(raw.later - raw.earlier)


@pytest.mark.parametrize("cut", [250, 400, 700])
def test_what_is_a_function_of_length_vanishes(cut):
    _, later, prompts, lengths = two_stages(2000, np.random.default_rng(2), longer=0.7)
    values = np.column_stack([lengths > cut, np.log(lengths)]).astype(float)
    raw = contrast(stage_means(values, later, prompts))
    matched = contrast(stage_means(values, later, prompts, length_strata(lengths)))
    assert raw.value[0] > 0.15
    assert abs(matched.value[0]) < 0.012  # what one stratum can hold
    assert abs(matched.value[1]) < 0.03 * raw.value[1]


def test_weights_are_those_of_both_stages_and_strata_of_one_stage_are_dropped():
    later = np.array([False] * 6 + [True] * 6)
    prompts = np.tile(np.arange(6), 2)
    strata = np.array([0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 2])
    values = np.array([0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1], dtype=float)[:, None]
    means = stage_means(values, later, prompts, strata)
    assert (means.strata, means.dropped, means.coverage) == (2, 1, pytest.approx(11 / 12))
    assert means.earlier[0] == pytest.approx(6 / 11 * 0.5 + 5 / 11 * 0)
    assert means.later[0] == pytest.approx(6 / 11 * 1 + 5 / 11 * 2 / 3)


@given(st.integers(0, 10_000))
@SIMULATED
def test_swapping_permuting_duplicating_shifting(seed):
    values, later, prompts, strata = uneven(seed)
    means = stage_means(values, later, prompts, strata)
    found = contrast(means)
    swapped = contrast(stage_means(values, ~later, prompts, strata))
    assert swapped.value == pytest.approx(-found.value)
    assert swapped.low == pytest.approx(-found.high)
    order = np.random.default_rng(seed).permutation(later.size)
    moved = contrast(stage_means(values[order], later[order], prompts[order], strata[order]))
    twice = contrast(stage_means(*(np.concatenate([part, part]) for part in (values, later, prompts, strata))))
    shifted = contrast(stage_means(values + 7, later, prompts, strata))
    for other in (moved, twice, shifted):  # answers seen twice are no new prompts: the interval must not shrink
        assert other.low == pytest.approx(found.low)
        assert other.p == pytest.approx(found.p)
    assert contrast(stage_means(values * 3, later, prompts, strata)).low == pytest.approx(3 * found.low)
    renamed = contrast(stage_means(values, later, prompts, 3 - strata))
    assert renamed.high == pytest.approx(found.high)


@pytest.mark.parametrize("scale", ["log_odds", "log_ratio"])
def test_log_scales_are_haldane_and_antisymmetric(scale):
    g = 50
    values = np.zeros((2 * g, 1))
    values[g : g + 10] = 1  # none of 50, then 10 of 50
    later, prompts = np.repeat([False, True], g), np.tile(np.arange(g), 2)
    found = contrast(stage_means(values, later, prompts), scale)
    before, after = 0.5 / 51, 10.5 / 51
    link = (lambda p: np.log(p / (1 - p))) if scale == "log_odds" else np.log
    assert found.value[0] == pytest.approx(link(after) - link(before))
    # The variance of independent binomials with half a success added, which pairing hardly changes here.
    spread = [1 / 0.5, 1 / 10.5] if scale == "log_ratio" else [1 / 0.5 + 1 / 50.5, 1 / 10.5 + 1 / 40.5]
    spread = sum(spread) - (2 / 51 if scale == "log_ratio" else 0)
    half = (found.high - found.low)[0] / 2 / stats.t.ppf(0.975, g - 1)
    assert half == pytest.approx(np.sqrt(spread), rel=0.02)
    swapped = contrast(stage_means(values, ~later, prompts), scale)
    assert swapped.value == pytest.approx(-found.value)


@pytest.mark.parametrize(
    ("g", "samples", "base", "effect"), [(200, 1, 0.3, 0.1), (60, 4, 0.3, 0.1), (600, 1, 0.03, 0.03)]
)
def test_matched_interval_covers_the_planted_effect(g, samples, base, effect):
    rng = np.random.default_rng(3)
    covered, raw_covered = [], []
    for _ in range(50):
        values, later, prompts, lengths = two_stages(g, rng, k=60, base=base, effect=effect, samples=samples)
        found = contrast(stage_means(values, later, prompts, length_strata(lengths)))
        raw = contrast(stage_means(values, later, prompts))
        covered.append((found.low <= effect) & (effect <= found.high))
        raw_covered.append((raw.low <= effect) & (effect <= raw.high))
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)
    if base > 0.1:
        assert np.mean(raw_covered) < 0.9  # the confounder is really there


def test_log_odds_interval_covers_the_planted_ratio():
    rng = np.random.default_rng(4)
    before, after, g, k = 0.05, 0.15, 300, 1500
    later, prompts = np.repeat([False, True], g), np.tile(np.arange(g), 2)
    values = (rng.random((2 * g, k)) < np.where(later, after, before)[:, None]).astype(float)
    means = stage_means(values, later, prompts)
    for scale, truth in (
        ("log_odds", np.log(after / (1 - after)) - np.log(before / (1 - before))),
        ("log_ratio", np.log(after / before)),
    ):
        found = contrast(means, scale)
        assert np.mean((found.low <= truth) & (truth <= found.high)) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("samples", [1, 4])
def test_p_is_uniform_without_an_effect(samples):
    rng = np.random.default_rng(5)
    p = []
    for _ in range(8):  # lengths are drawn anew each time: features of one draw share its strata
        values, later, prompts, lengths = two_stages(150, rng, k=100, samples=samples)
        p.append(contrast(stage_means(values, later, prompts, length_strata(lengths))).p)
    assert stats.kstest(np.concatenate(p), "uniform").pvalue > 0.001
    assert np.mean(np.concatenate(p) < 0.05) == pytest.approx(0.05, abs=0.02)


def test_strata_are_equal_and_narrow():
    rng = np.random.default_rng(6)
    x = rng.lognormal(6, 1, 8000)
    assert np.bincount(equal_count_strata(x)).tolist() == [160] * 50
    strata = length_strata(x)
    ends = [(x[strata == s].min(), x[strata == s].max()) for s in range(strata.max() + 1)]
    assert max(high / low for low, high in ends) <= 1.5 + 1e-9
    assert equal_count_strata(np.zeros(100)).tolist() == [0] * 100  # ties stay together
    assert equal_count_strata(np.r_[0.0, np.ones(99)]).tolist() == [0] + [1] * 99  # a rare value is not swallowed
    assert (np.diff(equal_count_strata(np.sort(x))) >= 0).all()


def test_lengths_that_do_not_meet_are_not_called_equal():
    later, prompts = np.repeat([False, True], 50), np.tile(np.arange(50), 2)
    with pytest.raises(NotEnoughData, match="equal length"):
        stage_means(np.ones((100, 1)), later, prompts, length_strata(np.where(later, 1000.0, 10.0)))


@pytest.mark.parametrize("g", [0, 1])
def test_one_prompt_is_refused(g):
    later = np.repeat([False, True], g)
    with pytest.raises(NotEnoughData, match="at least 2 prompts"):
        stage_means(np.zeros((2 * g, 1)), later, np.zeros(2 * g, dtype=np.int64))


@pytest.mark.parametrize("samples", [1, 3])
def test_interval_is_that_of_prompts_drawn_again_even_where_the_effect_depends_on_length(samples):
    """The weights of the strata vary too: with opposite effects in two strata they are most of the uncertainty."""
    rng = np.random.default_rng(7)
    g = 150
    prompts, later = np.tile(np.repeat(np.arange(g), samples), 2), np.repeat([False, True], g * samples)
    strata = (rng.normal(0, 1, g)[prompts] + rng.normal(0, 0.5, prompts.size) > 0).astype(int)
    values = (rng.random(prompts.size) < np.where(later == (strata == 1), 0.9, 0.1)).astype(float)[:, None]
    rows = [np.flatnonzero(prompts == prompt) for prompt in range(g)]
    drawn = []
    for _ in range(500):
        picked = [rows[prompt] for prompt in rng.integers(0, g, g)]
        again, at = np.repeat(np.arange(g), [part.size for part in picked]), np.concatenate(picked)
        means = stage_means(values[at], later[at], again, strata[at])
        drawn.append([contrast(means, scale).value[0] for scale in ("difference", "log_odds")])
    means = stage_means(values, later, prompts, strata)
    for scale, spread in zip(("difference", "log_odds"), np.std(drawn, axis=0), strict=True):
        found = contrast(means, scale)
        half = (found.high - found.low)[0] / 2 / stats.t.ppf(0.975, g - 1)
        assert half == pytest.approx(spread, rel=0.12)
