"""Benjamini and Hochberg against scipy, and the rate it promises; joint intervals against Šidák."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dehusk.stats.multiplicity import benjamini_hochberg, together


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_equals_scipy(p):
    np.testing.assert_allclose(benjamini_hochberg(np.array(p)), stats.false_discovery_control(p), atol=1e-12)


def test_untested_hypotheses_do_not_count():
    q = benjamini_hochberg(np.array([0.01, np.nan, 0.04]))
    assert np.isnan(q[1])
    np.testing.assert_allclose(q[[0, 2]], [0.02, 0.04])
    assert benjamini_hochberg(np.array([])).size == 0


def test_the_rate_is_held_under_a_mixture():
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(400):
        p = np.concatenate([rng.random(80), stats.norm.sf(rng.normal(3.5, 1, 20))])
        found = benjamini_hochberg(p) <= 0.1
        shares.append(found[:80].sum() / max(found.sum(), 1))
    assert np.mean(shares) < 0.1


@pytest.mark.parametrize("k", [1, 5, 40])
def test_joint_intervals_of_independent_estimates_are_those_of_sidak(k):
    drawn = np.random.default_rng(0).normal(size=(40_000, k)) * np.arange(1, k + 1)
    whole = together(np.zeros(k), drawn, 10**7)
    assert whole.critical == pytest.approx(stats.norm.ppf((1 + 0.95 ** (1 / k)) / 2), abs=0.03)
    assert whole.high == pytest.approx(whole.critical * np.arange(1, k + 1), rel=0.03)
    assert whole.single == pytest.approx(1.96, abs=0.001)


def test_few_clusters_widen_as_students_t_does_and_what_never_varies_has_no_width():
    drawn = np.random.default_rng(0).normal(size=(40_000, 2)) * [1.0, 0.0] + [0.0, 3.0]
    whole = together(np.array([0.0, 3.0]), drawn, 10)
    assert whole.critical == pytest.approx(stats.t.ppf(0.975, 9), abs=0.05)
    assert (whole.low[1], whole.high[1], whole.error[1]) == (3.0, 3.0, 0.0)
