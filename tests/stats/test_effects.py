"""Clustered means and Wilson intervals: scipy, brute force, coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dehusk.core.errors import NotEnoughData
from dehusk.stats.effects import clustered_mean, clustered_sign_p, wilson


def test_without_clusters_it_is_the_one_sample_t_test():
    values = np.random.default_rng(0).normal(0.3, 1, 40)
    found, oracle = clustered_mean(values, np.arange(40)), stats.ttest_1samp(values, 0)
    low, high = oracle.confidence_interval()
    assert found.p == pytest.approx(oracle.pvalue)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_with_equal_clusters_it_is_the_t_test_of_cluster_means():
    values = np.random.default_rng(1).normal(0.2, 1, (30, 4)) + np.random.default_rng(2).normal(0, 1, (30, 1))
    found = clustered_mean(values.ravel(), np.repeat(np.arange(30), 4))
    assert found.p == pytest.approx(stats.ttest_1samp(values.mean(axis=1), 0).pvalue)


@given(st.integers(0, 2**32 - 1))
def test_duplicating_every_row_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    values, clusters = rng.normal(size=20), rng.integers(0, 8, 20)
    once, twice = clustered_mean(values, clusters), clustered_mean(np.tile(values, 2), np.tile(clusters, 2))
    np.testing.assert_allclose(twice, once)


def test_too_few_clusters_are_refused():
    with pytest.raises(NotEnoughData, match="2 prompts"):
        clustered_mean(np.ones(3), np.zeros(3, dtype=int))


def test_sign_p_is_mcnemar():
    values, clusters = np.array([1, 1, 1, -1, 0, 0, np.nan]), np.arange(7)
    assert clustered_sign_p(values, clusters) == pytest.approx(stats.binomtest(3, 4).pvalue)


@pytest.mark.parametrize(("wins", "n"), [(0, 5), (5, 5), (37, 80), (12.5, 40)])
def test_wilson(wins, n):
    share, low, high = wilson(wins, n)
    assert share == wins / n
    if wins == int(wins):
        oracle = stats.binomtest(int(wins), n).proportion_ci(method="wilson")
        assert (low, high) == pytest.approx((oracle.low, oracle.high), abs=1e-12)
    with pytest.raises(NotEnoughData):
        wilson(0, 0)
