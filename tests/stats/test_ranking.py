"""Shares of wins, areas under curves, folds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from dehusk.core.errors import NotEnoughData
from dehusk.stats.folds import grouped_folds
from dehusk.stats.ranking import auc, mean_shares, win_shares


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.lists(st.integers(0, 6), min_size=1, max_size=30))
def test_auc_equals_scikit_learn(positive, negative):
    labels = [1] * len(positive) + [0] * len(negative)
    expected = roc_auc_score(labels, positive + negative)
    assert auc(np.array(positive, dtype=float), np.array(negative, dtype=float)) == pytest.approx(expected)


def test_auc_of_nothing_is_refused():
    with pytest.raises(NotEnoughData):
        auc(np.array([]), np.array([1.0]))


def test_one_pair_a_prompt_is_wilson():
    margins = np.repeat([2.0, -1.0], [60, 30])[:, None]
    found = win_shares(margins, np.arange(90))
    oracle = stats.binomtest(60, 90).proportion_ci(method="wilson")
    assert (found.low[0], found.high[0]) == pytest.approx((oracle.low, oracle.high), abs=2e-3)
    assert found.p[0] == pytest.approx(stats.binomtest(60, 90).pvalue)


def test_copies_of_a_prompt_do_not_shrink_the_interval():
    margins = np.random.default_rng(0).normal(0.3, 1, (50, 1))
    once = win_shares(margins, np.arange(50))
    tenfold = win_shares(np.repeat(margins, 10, axis=0), np.repeat(np.arange(50), 10))
    np.testing.assert_allclose(tenfold.low, once.low, atol=0.004)
    np.testing.assert_allclose(tenfold.high, once.high, atol=0.004)


@given(st.integers(0, 2**32 - 1))
def test_turning_margins_around_mirrors_the_share(seed):
    rng = np.random.default_rng(seed)
    margins, clusters = rng.integers(-1, 2, (30, 2)).astype(float), rng.integers(0, 10, 30)
    there, back = win_shares(margins, clusters), win_shares(-margins, clusters)
    np.testing.assert_allclose(there.low, 1 - back.high, atol=1e-9)
    np.testing.assert_allclose(there.p, back.p)


def test_all_alike_and_too_few():
    found = win_shares(np.ones((20, 1)), np.arange(20))
    assert found.value[0] == 1.0
    assert 0.8 < found.low[0] < 0.9  # 20 wins of 20 prove no certainty
    assert np.isnan(win_shares(np.ones((5, 1)), np.zeros(5, dtype=int)).low[0])


@pytest.mark.parametrize("share", [0.5, 0.85])
def test_intervals_cover_a_planted_share(share):
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(80), 3)
    prompts = rng.beta(8 * share, 8 * (1 - share), (80, 1500))
    found = mean_shares((rng.random((240, 1500)) < prompts[clusters]).astype(float), clusters)
    assert np.mean((found.low <= share) & (found.high >= share)) == pytest.approx(0.95, abs=0.02)


@given(st.integers(0, 2**32 - 1))
def test_folds_keep_groups_together_and_fill_evenly(seed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 20, 100)
    folds = grouped_folds(groups, 5, rng)
    sizes = [len(set(groups[folds == fold])) for fold in range(5)]
    assert sum(sizes) == len(set(groups))
    assert max(sizes) - min(sizes) <= 1
    with pytest.raises(NotEnoughData):
        grouped_folds(np.array([1, 1, 2]), 3, rng)
