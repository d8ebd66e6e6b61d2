"""How several models differ: against numpy, covered intervals, and tests that hold their level."""

import numpy as np
import pytest

from dehusk.core.errors import NotEnoughData
from dehusk.stats.diversity import correlations, diversity
from dehusk.stats.slopes import slope_changes, standardised_slopes


def test_correlations_are_those_of_numpy():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 300)) + rng.normal(size=300)
    found = correlations(values, np.arange(300))
    expected = np.corrcoef(values)
    np.testing.assert_allclose(found.matrix, expected)
    assert found.mean.value == pytest.approx(expected[np.triu_indices(4, 1)].mean())


def test_a_member_that_does_not_vary_has_no_correlation():
    values = np.array([[1.0, -1.0, 1.0], [0.0, 0.0, 0.0]])
    found = correlations(values, np.arange(3))
    assert np.isnan(found.matrix[0, 1])
    assert found.mean is None


def test_the_interval_of_the_mean_covers():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(300):
        shared = rng.normal(size=60)
        groups = np.repeat(np.arange(60), 2)
        values = shared[groups] + rng.normal(
            size=(3, 120)
        )  # prompts have something of their own: rows are not independent
        mean = correlations(values, groups).mean
        covered += mean.low <= 0.5 <= mean.high
    assert 0.91 <= covered / 300 <= 0.985


def draw(rng, prices, n=300):
    """Margins of members that pay for features, shape (m, k), and noise of their own."""
    x = rng.normal(size=(n, len(prices[0])))
    return np.asarray(prices) @ x.T + rng.normal(size=(len(prices), n)), x, np.arange(n)


def test_planted_signs_are_told_apart():
    found = diversity(*draw(np.random.default_rng(2), [[0.6, 0.6, 0.0], [0.6, -0.6, 0.0], [0.6, 0.6, 0.0]]))
    assert (found.shared_p < 0.001).tolist() == [True, False, False]
    assert (found.opposed_p < 0.001).tolist() == [False, True, False]
    assert found.agreement[:2].tolist() == pytest.approx([1.0, 5 / 6 - 1 / 6])
    assert found.together.value[0] > 0.5


def test_without_prices_neither_is_found():
    rng = np.random.default_rng(3)
    p = [(found.shared_p, found.opposed_p) for found in (diversity(*draw(rng, np.zeros((2, 4)))) for _ in range(250))]
    shared, opposed = np.array(p).transpose(1, 0, 2).reshape(2, -1)
    assert (shared < 0.05).mean() < 0.05
    assert (opposed < 0.05).mean() < 0.05


def test_one_price_alone_is_neither_shared_nor_opposed():
    rng = np.random.default_rng(4)
    found = [diversity(*draw(rng, [[0.8], [0.0]])) for _ in range(200)]
    for name in ("shared_p", "opposed_p"):
        assert np.mean([getattr(one, name)[0] < 0.05 for one in found]) < 0.08


def test_scale_and_shift_of_a_member_do_not_matter_and_errors_keep_theirs():
    margins, x, groups = draw(np.random.default_rng(5), [[0.3, 0.0], [0.1, 0.2]])
    found, again = diversity(margins, x, groups), diversity(margins * np.array([[10.0], [0.1]]), x, groups)
    np.testing.assert_allclose(again.margins.matrix, found.margins.matrix)
    np.testing.assert_allclose(again.shared_p, found.shared_p)
    np.testing.assert_allclose(again.together.value, found.together.value)
    np.testing.assert_allclose(again.errors.matrix, found.errors.matrix)
    turned = diversity(-margins, -x, groups)  # chosen and rejected change places
    np.testing.assert_allclose(turned.together.value, found.together.value)
    np.testing.assert_allclose(turned.accuracy, 1 - found.accuracy)


def test_too_little():
    margins, x, groups = draw(np.random.default_rng(6), [[0.3], [0.1]], n=19)
    with pytest.raises(NotEnoughData, match="at least 20 prompts"):
        diversity(margins, x, groups)
    with pytest.raises(NotEnoughData, match="at least 2 reward models, got 1"):
        diversity(margins[:1], x, groups)
    with pytest.raises(NotEnoughData, match="scores that differ"):
        diversity(np.ones((2, 30)), np.ones((30, 1)), np.arange(30))


def test_a_change_of_slopes_is_their_difference_and_its_interval_covers():
    rng = np.random.default_rng(7)
    covered = []
    for seed in range(201):
        n = 100_000 if seed == 0 else 300
        x = rng.normal(size=(n, 2))
        shared = rng.normal(size=n)  # the two models err together, so the change is known better than either
        before, after = x @ [0.5, 0.2] + shared, x @ [0.1, 0.4] + shared + 0.2 * rng.normal(size=n)
        groups = np.arange(n)
        found = slope_changes(x, before, after, groups)
        first, last = (standardised_slopes(x, y, groups) for y in (before, after))
        np.testing.assert_allclose(found.value, last.value - first.value)
        if seed == 0:
            truth = found.value
            continue
        assert (found.high - found.low < last.high - last.low).all()
        covered += ((found.low <= truth) & (truth <= found.high)).tolist()
    assert 0.92 <= np.mean(covered) <= 0.985
