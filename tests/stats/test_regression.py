"""The paired logistic model against scikit-learn, brute force, and planted effects."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from dehusk.core.errors import NotEnoughData
from dehusk.stats.panel import clustered_means, effects_of
from dehusk.stats.regression import marginal_shifts, paired_logit, sigmoid

TRUTH = np.array([0.8, 0.0, -0.5])


def draw(rng, n, beta=TRUTH, clusters=None):
    """Differences oriented as chosen − rejected: a fair coin decides which answer is called the first."""
    shared = rng.normal(size=(n, 1)) if clusters is None else rng.normal(size=(clusters.max() + 1, 1))[clusters]
    x = np.sign(rng.normal(size=(n, len(beta))) + 0.7 * shared) * (rng.random((n, len(beta))) < 0.6)
    wins = rng.random(n) < sigmoid(x @ beta)
    return np.where(wins[:, None], x, -x)


def test_coefficients_equal_scikit_learn():
    rng = np.random.default_rng(0)
    x = draw(rng, 400) + rng.normal(0, 0.1, (400, 3))
    side = rng.choice([-1, 1], 400)
    oracle = LogisticRegression(fit_intercept=False, C=1 / 0.7, tol=1e-10, max_iter=1000).fit(x * side[:, None], side)
    np.testing.assert_allclose(paired_logit(x, ridge=0.7).beta, oracle.coef_[0], rtol=1e-5)


def test_weights_are_repetitions():
    x = draw(np.random.default_rng(1), 60)
    weights = np.random.default_rng(2).integers(0, 4, 60)
    weighted = paired_logit(x, weights=weights.astype(float))
    np.testing.assert_allclose(weighted.beta, paired_logit(np.repeat(x, weights, axis=0)).beta, atol=1e-8)


def test_influence_is_the_change_when_a_row_is_left_out():
    x = draw(np.random.default_rng(3), 300)
    fit = paired_logit(x, ridge=1e-9)
    for row in (0, 17, 150):
        without = paired_logit(np.delete(x, row, axis=0), ridge=1e-9).beta
        np.testing.assert_allclose(fit.beta - without, fit.influence[row], atol=2e-3)


def test_one_binary_feature_gives_the_raw_shift_and_its_interval():
    rng = np.random.default_rng(4)
    x, clusters = draw(rng, 300, beta=np.array([0.6])), rng.integers(0, 80, 300)
    adjusted = effects_of(*marginal_shifts(x, paired_logit(x, ridge=1e-10)), clusters)
    np.testing.assert_allclose(adjusted, clustered_means(x, clusters), atol=1e-6)


def test_shift_equals_brute_force():
    x = draw(np.random.default_rng(5), 200)
    fit = paired_logit(x)
    value, _ = marginal_shifts(x, fit)
    more, less = x.copy(), x.copy()
    more[:, 1], less[:, 1] = np.abs(x[:, 1]), -np.abs(x[:, 1])
    assert value[1] == pytest.approx(np.mean(sigmoid(more @ fit.beta) - sigmoid(less @ fit.beta)))


def test_an_unrelated_feature_leaves_the_shift_alone():
    rng = np.random.default_rng(6)
    x = np.stack([rng.choice([-1.0, 1.0], 40_000), rng.normal(size=40_000)], axis=1)
    x = np.where((rng.random(40_000) < sigmoid(x @ np.array([0.7, 2.0])))[:, None], x, -x)
    alone, both = paired_logit(x[:, :1]), paired_logit(x)
    assert both.beta[0] > 1.4 * alone.beta[0]  # a coefficient grows when noise is explained
    assert marginal_shifts(x, both)[0][0] == pytest.approx(marginal_shifts(x[:, :1], alone)[0][0], abs=0.01)


@pytest.mark.parametrize("seed", [7, 8])
def test_intervals_cover_planted_effects(seed):
    rng = np.random.default_rng(seed)
    large = draw(rng, 400_000)
    truth, _ = marginal_shifts(large, paired_logit(large))
    clusters = np.repeat(np.arange(150), 3)
    covered = []
    for _ in range(400):
        x = draw(rng, 450, clusters=clusters)
        found = effects_of(*marginal_shifts(x, paired_logit(x)), clusters)
        covered.append((found.low <= truth) & (found.high >= truth))
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


def test_a_passenger_of_another_feature_is_told_from_its_driver():
    rng = np.random.default_rng(9)
    x = draw(rng, 20_000, beta=np.array([1.0, 0.0]))
    raw = clustered_means(x, np.arange(20_000))
    held = effects_of(*marginal_shifts(x, paired_logit(x)), np.arange(20_000))
    assert raw.low[1] > 0.02  # the passenger looks associated
    assert held.low[1] <= 0 <= held.high[1]
    assert held.low[0] > 0.2


def test_equal_and_separable_columns_stay_finite():
    x = draw(np.random.default_rng(10), 200)
    doubled = np.hstack([x[:, :1], x[:, :1], np.ones((200, 1))])  # two equal columns, one that always wins
    fit = paired_logit(doubled)
    assert fit.beta[0] == pytest.approx(fit.beta[1])
    value, influence = marginal_shifts(doubled, fit)
    assert np.isfinite(influence).all()
    assert value[2] > 0.95


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_turning_pairs_around_turns_the_signs(seed):
    x = draw(np.random.default_rng(seed), 80)
    there, back = paired_logit(x), paired_logit(-x)
    np.testing.assert_allclose(back.beta, -there.beta, atol=1e-7)
    np.testing.assert_allclose(marginal_shifts(-x, back)[0], -marginal_shifts(x, there)[0], atol=1e-7)


def test_too_few_rows_are_refused():
    with pytest.raises(NotEnoughData, match="as many pairs"):
        paired_logit(np.ones((2, 3)))
