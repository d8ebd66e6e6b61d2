"""Benjamini and Hochberg against scipy, and the rate it promises."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dehusk.stats.multiplicity import benjamini_hochberg


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
