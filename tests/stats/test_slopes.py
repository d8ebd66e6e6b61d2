"""Slopes, correlations within prompts and splines against scipy, brute force and simulation."""

import numpy as np
import pytest
from scipy import stats

from dehusk.core.errors import NotEnoughData
from dehusk.stats.slopes import ranks_within, standardised_slopes, within_prompt_correlations
from dehusk.stats.splines import dependence, f_p


def test_without_controls_the_slope_is_the_correlation():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 3)), rng.normal(size=200)
    y += x @ [1.0, 0.0, -0.5]
    found = standardised_slopes(x, y, np.arange(200))
    expected = [stats.pearsonr(x[:, k], y).statistic for k in range(3)]
    assert found.value == pytest.approx(expected)
    assert found.p[1] > 0.01 > found.p[0]


def test_controls_are_held_as_in_least_squares():
    rng = np.random.default_rng(1)
    control = rng.normal(size=(300, 2))
    x = control @ [1.0, 0.3] + rng.normal(size=300)
    y = 2 * control[:, 0] + 0.4 * x + rng.normal(size=300)
    design = np.column_stack([np.ones(300), control, x])
    slope = np.linalg.lstsq(design, y, rcond=None)[0][-1]
    found = standardised_slopes(x[:, None], y, np.arange(300), control)
    assert found.value[0] == pytest.approx(slope * x.std() / y.std())


def test_rows_without_a_value_are_left_out_of_their_column_only():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(100, 2)), rng.normal(size=100)
    holes = x.copy()
    holes[:50, 1] = np.nan
    found = standardised_slopes(holes, y, np.arange(100))
    assert found.value[0] == standardised_slopes(x[:, :1], y, np.arange(100)).value[0]
    assert found.value[1] == pytest.approx(standardised_slopes(x[50:, 1:], y[50:], np.arange(50)).value[0])
    assert found.n.tolist() == [100, 50]


def test_a_column_that_does_not_vary_has_no_slope():
    assert np.isnan(standardised_slopes(np.ones((50, 1)), np.arange(50.0), np.arange(50)).value).all()
    assert np.isnan(standardised_slopes(np.arange(50.0)[:, None], np.ones(50), np.arange(50)).value).all()


@pytest.mark.parametrize("slope", [0.0, 0.5, 3.0])
def test_intervals_cover_and_null_p_values_are_uniform(slope):
    rng = np.random.default_rng(3)
    covered, p = [], []
    for _ in range(400):
        clusters = rng.integers(0, 80, 160)
        common = rng.normal(size=(80, 1))[clusters]
        x = common + rng.normal(size=(160, 1))
        y = slope * x[:, 0] + rng.normal(size=80)[clusters] + rng.normal(size=160)
        truth = slope * np.sqrt(2) / np.sqrt(2 * slope**2 + 2)
        found = standardised_slopes(x, y, clusters)
        covered.append(found.low[0] <= truth <= found.high[0])
        p.append(found.p[0])
    assert np.mean(covered) == pytest.approx(0.95, abs=0.03)
    if slope == 0:
        assert stats.kstest(p, "uniform").pvalue > 0.01


def test_a_rare_feature_is_no_surer_than_it_is():
    rng = np.random.default_rng(6)
    p = []
    for _ in range(400):
        x = np.zeros((200, 1))
        x[:12, 0] = 1
        p.append(standardised_slopes(x, rng.normal(size=200), np.arange(200)).p[0])
    assert np.mean(np.array(p) <= 0.05) <= 0.08


def test_correlations_within_prompts_against_a_loop():
    rng = np.random.default_rng(4)
    prompts = rng.integers(0, 12, 60)
    x, y = rng.integers(0, 4, (60, 2)).astype(float), rng.normal(size=60)
    x[3, 1] = np.nan
    ranked = np.column_stack([ranks_within(x[:, k], prompts) for k in range(2)])
    for k in range(2):
        pearson, spearman = [], []
        for prompt in np.unique(prompts):
            rows = (prompts == prompt) & ~np.isnan(x[:, k])
            if rows.sum() > 1 and np.ptp(x[rows, k]) > 0:
                pearson.append(stats.pearsonr(x[rows, k], y[rows]).statistic)
                if k == 0:
                    spearman.append(stats.spearmanr(x[rows, k], y[rows]).statistic)
        assert within_prompt_correlations(x, y, prompts).value[k] == pytest.approx(np.mean(pearson))
        if k == 0:
            ranks = within_prompt_correlations(ranked, ranks_within(y, prompts), prompts)
            assert ranks.value[0] == pytest.approx(np.mean(spearman))


def test_ranks_restart_in_every_prompt_and_ties_share():
    assert ranks_within(np.array([5.0, 1.0, 5.0, 2.0, np.nan]), np.array([0, 0, 0, 1, 1]))[:4].tolist() == [
        1.5,
        0,
        1.5,
        0,
    ]


def test_a_bend_is_seen_and_a_line_is_not_called_one():
    rng = np.random.default_rng(5)
    prompts = np.repeat(np.arange(150), 4)
    straight, bent = [], []
    for _ in range(120):
        x = rng.uniform(-2, 2, 600)
        noise = rng.normal(size=600) + rng.normal(size=150)[prompts]
        straight.append(dependence(x, x + noise, prompts).p)
        bent.append(dependence(x, x**2 + noise, prompts))
    assert stats.kstest(straight, "uniform").pvalue > 0.01
    assert np.mean([found.p < 0.05 for found in bent]) > 0.95
    assert np.mean([found.spline - found.linear for found in bent]) > 0.2


def test_dependence_refuses_what_cannot_bend():
    with pytest.raises(NotEnoughData, match="quantiles"):
        dependence(np.repeat([0.0, 1.0], 50), np.arange(100.0), np.repeat(np.arange(50), 2))
    with pytest.raises(NotEnoughData, match="two answers"):
        dependence(np.arange(100.0), np.arange(100.0), np.arange(100))


def test_tail_of_f():
    assert f_p(2.5, 3, 40) == pytest.approx(stats.f.sf(2.5, 3, 40))
