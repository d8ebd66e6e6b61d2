"""Columns at once: equal to brute force on one at a time, and covering what they should."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dehusk.core.errors import NotEnoughData
from dehusk.stats.effects import clustered_mean
from dehusk.stats.panel import clustered_means, clustered_sign_ps


def one_column(values, clusters, weights):
    """The sandwich of one weighted mean, row by row: value, low, high, p and the number of clusters."""
    kept = ~np.isnan(values) & (weights > 0)
    values, clusters, weights = values[kept], clusters[kept], weights[kept]
    names = sorted(set(clusters.tolist()))
    g = len(names)
    mean = np.average(values, weights=weights)
    sums = [
        sum(w * (v - mean) for v, c, w in zip(values, clusters, weights, strict=True) if c == name) for name in names
    ]
    se = np.sqrt(sum(s**2 for s in sums) * g / (g - 1)) / weights.sum()
    if se < 1e-12:
        return mean, mean, mean, stats.binomtest(g, g).pvalue if mean else 1.0, g
    low, high = stats.t.interval(0.95, g - 1, mean, se)
    return mean, low, high, 2 * stats.t.sf(abs(mean / se), g - 1), g


@given(st.integers(0, 2**32 - 1))
def test_equals_brute_force_one_column_at_a_time(seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(-1, 2, (25, 4)).astype(float)
    values[rng.random(values.shape) < 0.2] = np.nan
    clusters, weights = rng.integers(0, 9, 25), rng.integers(0, 3, 25).astype(float)
    found = clustered_means(values, clusters, weights=weights)
    signs = clustered_sign_ps(values, clusters)
    for k in range(4):
        sums = np.bincount(clusters, np.nan_to_num(values[:, k]))
        lean = [int((sums > 0).sum()), int((sums != 0).sum())]
        assert signs[k] == pytest.approx(stats.binomtest(*lean).pvalue if lean[1] else 1.0)
        if found.n[k] < 2:
            assert np.isnan(found.low[k])
            with pytest.raises(NotEnoughData, match=f"got {found.n[k]}"):
                clustered_mean(values[:, k], clusters, weights=weights)
            continue
        expected = one_column(values[:, k], clusters, weights)
        np.testing.assert_allclose([column[k] for column in found], expected, atol=1e-9)
        np.testing.assert_allclose(clustered_mean(values[:, k], clusters, weights=weights), expected, atol=1e-9)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_scale_and_row_order_and_copies(seed, unit):
    rng = np.random.default_rng(seed)
    values, clusters = rng.normal(size=(20, 2)), rng.integers(0, 8, 20)
    base = clustered_means(values, clusters)
    order = rng.permutation(20)
    np.testing.assert_allclose(clustered_means(values[order], clusters[order]), base)
    np.testing.assert_allclose(clustered_means(np.tile(values, (3, 1)), np.tile(clusters, 3)), base)
    np.testing.assert_allclose(clustered_means(unit * values, clusters).high, unit * base.high)
    np.testing.assert_allclose(clustered_means(-values, clusters).low, -base.high)


def test_rows_of_a_cluster_that_agree_are_one_row():
    values = np.random.default_rng(3).normal(size=(12, 1))
    repeated = clustered_means(np.repeat(values, 10, axis=0), np.repeat(np.arange(12), 10))
    np.testing.assert_allclose(repeated, clustered_means(values, np.arange(12)))


def test_no_rows_are_refused():
    with pytest.raises(NotEnoughData):
        clustered_means(np.zeros((0, 2)), np.zeros(0, dtype=int))


def test_intervals_cover_a_mean_of_clustered_signs():
    rng = np.random.default_rng(5)
    clusters = np.repeat(np.arange(60), 4)
    lean = rng.beta(3, 2, size=(60, 1500))  # each prompt leans its own way
    signs = np.where(rng.random((240, 1500)) < lean[clusters], 1.0, -1.0)
    found = clustered_means(signs, clusters)
    covered = np.mean((found.low <= 0.2) & (found.high >= 0.2))
    assert covered == pytest.approx(0.95, abs=0.02)
