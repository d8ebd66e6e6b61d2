"""Intervals over repeated splits: they cover where the plain ones do not."""

import numpy as np
import pytest
from scipy import stats

from dehusk.core.errors import NotEnoughData
from dehusk.stats.resplits import over_splits


def test_without_held_out_rows_it_is_the_t_interval():
    values = np.random.default_rng(0).normal(1, 2, (7, 3))
    found = over_splits(values, 1e-12)
    low, high = stats.t.interval(0.95, 6, values.mean(axis=0), stats.sem(values, axis=0))
    assert np.allclose(found.low, low) and np.allclose(found.high, high)
    assert np.allclose(found.p, stats.ttest_1samp(values, 0, axis=0).pvalue)


def test_more_comparisons_widen_and_raise_p():
    values = np.random.default_rng(1).normal(0.5, 1, (6, 2))
    one, ten = over_splits(values, 0.3), over_splits(values, 0.3, comparisons=10)
    assert (ten.high - ten.low > one.high - one.low).all()
    assert np.allclose(ten.p, np.minimum(1, 10 * one.p))


def test_coverage_of_a_mean_over_overlapping_splits():
    """Means of held-out thirds of one sample: plain intervals cover far too little, corrected ones do not."""
    rng = np.random.default_rng(2)
    hits, plain, runs = 0, 0, 400
    for _ in range(runs):
        sample = rng.normal(0, 1, 60)
        values = np.array([[sample[rng.permutation(60)[:20]].mean()] for _ in range(5)])
        wide, thin = over_splits(values, 1 / 3), over_splits(values, 1e-12)
        hits += bool(wide.low[0] <= 0 <= wide.high[0])
        plain += bool(thin.low[0] <= 0 <= thin.high[0])
    assert plain / runs < 0.9
    assert 0.92 < hits / runs < 0.99


def test_splits_that_agree_exactly():
    found = over_splits(np.array([[0.0, 1.0]] * 3), 0.3)
    assert found.p.tolist() == [1.0, 0.0]


def test_one_split_is_not_enough():
    with pytest.raises(NotEnoughData, match="2 splits"):
        over_splits(np.ones((1, 2)), 0.3)
