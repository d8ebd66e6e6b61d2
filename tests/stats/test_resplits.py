"""Intervals over repeated splits, of held-out and of fixed rows: they cover where the plain ones do not."""

import numpy as np
import pytest
from scipy import stats

from dehusk.core.errors import NotEnoughData
from dehusk.stats.effects import clustered_mean
from dehusk.stats.resplits import by_prompt, over_fixed, over_splits


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
    with pytest.raises(NotEnoughData, match="2 splits"):
        over_fixed(np.ones((1, 9)), 0.3)
    with pytest.raises(NotEnoughData, match="2 prompts"):
        over_fixed(np.ones((5, 1)), 0.3)


def test_by_prompt_is_the_clustered_mean():
    rng = np.random.default_rng(3)
    values, prompts = rng.normal(1, 1, 60), rng.integers(0, 9, 60)
    mean, low, high, p, n = clustered_mean(values, prompts)
    found = over_fixed(np.tile(by_prompt(values, prompts), (4, 1)), 0.3)  # fits that agree add nothing
    assert len(by_prompt(values, prompts)) == n
    assert np.allclose(found, (mean, low, high, p))
    assert np.allclose(by_prompt(values, np.arange(60)), values)


def test_fits_alone_are_the_jackknife():
    """Prompts that all agree within a split leave Student's t of the splits, with the ratio turned over."""
    split = np.random.default_rng(4).normal(1, 2, 6)
    found = over_fixed(np.tile(split[:, None], 50), 0.3)
    error = np.sqrt((1 / 6 + 0.7 / 0.3) * split.var(ddof=1))
    assert np.allclose((found.low, found.high), stats.t.interval(0.95, 5, split.mean(), error))
    assert np.allclose(found.p, 2 * stats.t.sf(split.mean() / error, 5))


def test_nothing_differs():
    assert [float(part) for part in over_fixed(np.zeros((3, 8)), 0.3)] == [0, 0, 0, 1]


WORTH = np.array([0.3, 0.1, 0.2, 0.0, 0.2, 0.0])  # what each dimension says of the label
HEADS = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 1, 1]])  # dimensions that two equally good heads see


def ranked(rng, rows, prompts, splits=5, held_out=0.3):
    """Whether pairs of another distribution, which is harder, are ranked right by both heads, shape (2, s, g)."""
    sample, pairs = rng.normal(WORTH, 1, (rows, 6)), rng.normal(0.7 * WORTH, 1, (prompts, 6))
    kept = rows - round(held_out * rows)
    fits = np.array([sample[rng.permutation(rows)[:kept]].mean(axis=0) for _ in range(splits)])
    return ((fits * HEADS[:, None]) @ pairs.T > 0).astype(float)


def expected(rng, kept):
    """Accuracy there of a head fitted on so many rows, mean over samples."""
    heads = HEADS[0] * rng.normal(WORTH, 1 / np.sqrt(kept), (50_000, 6))
    return stats.norm.cdf(0.7 * heads @ WORTH / np.linalg.norm(heads, axis=1)).mean()


@pytest.mark.parametrize(("rows", "prompts", "blind"), [(400, 60, "splits"), (80, 200, ""), (120, 4000, "prompts")])
def test_fixed_rows_are_covered_whichever_error_is_larger(rows, prompts, blind):
    """First the prompts of the fixed set decide, last the fits; an interval that counts the other only is too short."""
    rng, runs = np.random.default_rng(5), 400
    truth = expected(rng, round(0.7 * rows))
    hits, p = dict.fromkeys(("fixed", "splits", "prompts"), 0), []
    for _ in range(runs):
        one, other = ranked(rng, rows, prompts)
        found = {
            "fixed": over_fixed(one, 0.3),
            "splits": over_splits(one.mean(axis=1), 0.3),
            "prompts": clustered_mean(one.mean(axis=0), np.arange(prompts)),
        }
        for name, interval in found.items():
            hits[name] += bool(interval.low <= truth <= interval.high)
        p.append(float(over_fixed(other - one, 0.3).p))  # the heads are equally good: there is nothing to find
    assert 0.92 <= hits["fixed"] / runs <= 0.985
    assert not blind or hits[blind] / runs < 0.88
    assert 0.01 <= np.mean(np.array(p) < 0.05) <= 0.08
    assert stats.kstest(p, "uniform").statistic < 0.13
