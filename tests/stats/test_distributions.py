"""Tail probabilities against scipy."""

import numpy as np
import pytest
from scipy import stats

from dehusk.stats.distributions import (
    incomplete_beta,
    normal_p,
    normal_quantile,
    sign_test_p,
    t_p,
    t_quantile,
)
from dehusk.stats.panel import t_quantiles


def test_normal_p_and_quantile():
    z = np.array([0.0, 0.5, -1.96, 5.0, -12.0])
    np.testing.assert_allclose(normal_p(z), 2 * stats.norm.sf(np.abs(z)), rtol=1e-12)
    assert normal_quantile(0.975) == pytest.approx(stats.norm.ppf(0.975), abs=1e-12)


@pytest.mark.parametrize("freedom", [1, 2, 7, 30.5, 400, 1e6])
def test_t_p(freedom):
    t = np.array([0.0, 0.3, -2.0, 8.0, 40.0])
    np.testing.assert_allclose(t_p(t, freedom), 2 * stats.t.sf(np.abs(t), freedom), rtol=1e-9, atol=1e-300)


def test_t_p_of_infinity_is_zero():
    assert t_p(np.array([np.inf, -np.inf]), 5).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("freedom", [1, 3, 12, 200, 5000])
def test_t_quantile(freedom):
    assert t_quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-8)


def test_t_quantiles_of_a_column_agree_on_both_sides_of_the_switch():
    freedom = np.array([0, 1, 5, 199, 200, 201, 1000, 10**6])
    np.testing.assert_allclose(t_quantiles(0.975, freedom)[1:], stats.t.ppf(0.975, freedom[1:]), rtol=1e-8)
    assert np.isnan(t_quantiles(0.975, freedom)[0])


def test_incomplete_beta():
    rng = np.random.default_rng(0)
    a, b, x = rng.exponential(20, 300) + 0.01, rng.exponential(20, 300) + 0.01, rng.random(300)
    np.testing.assert_allclose(incomplete_beta(a, b, x), stats.beta.cdf(x, a, b), rtol=1e-8, atol=1e-14)


def test_sign_test_is_the_exact_binomial_test():
    counts = [(0, 0), (1, 0), (3, 3), (10, 2), (0, 7), (400, 460), (25_000, 24_000)]
    found = sign_test_p(*np.array(counts, dtype=float).T)
    expected = [1.0 if a + b == 0 else stats.binomtest(a, a + b).pvalue for a, b in counts]
    np.testing.assert_allclose(found, expected, rtol=1e-8)
