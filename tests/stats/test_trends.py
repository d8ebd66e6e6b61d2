"""Levels and slopes of curves: scipy as the oracle, coverage under autocorrelated noise, and what must not matter."""

import numpy as np
import pytest
from scipy import stats

from dehusk.core.errors import NotEnoughData
from dehusk.stats.trends import (
    autocorrelation,
    binned,
    block_length,
    mean_level,
    running_median,
    smoothed,
    theil_sen,
    trend,
)


def noise(rng, n, phi):
    """AR(1) noise of variance 1."""
    out, last = np.empty(n), rng.normal()
    for place in range(n):
        last = phi * last + rng.normal() * np.sqrt(1 - phi**2)
        out[place] = last
    return out


def test_the_slope_is_scipys():
    rng = np.random.default_rng(0)
    for n in (8, 30, 60):
        x, y = np.cumsum(rng.integers(1, 5, n)).astype(float), rng.normal(size=n)
        expected = stats.theilslopes(y, x).slope
        assert theil_sen(x, y) == pytest.approx(expected)
        assert trend(x, y, rng).value == pytest.approx(expected)


@pytest.mark.parametrize(("phi", "least"), [(0.0, 0.92), (0.5, 0.84), (0.8, 0.80)])
def test_the_interval_covers_the_slope(phi, least):
    rng = np.random.default_rng(1)
    x = np.arange(60.0)
    covered = 0
    for _ in range(200):
        found = trend(x, 0.02 * x + noise(rng, 60, phi), rng, draws=100)
        covered += found.low <= 0.02 <= found.high
    assert covered / 200 >= least  # the autocorrelation is estimated too, and too low with 60 points


def test_independent_errors_would_be_too_sure():
    """With autocorrelated noise the interval is wider than the same noise would give in a shuffled order."""
    rng = np.random.default_rng(2)
    y = noise(rng, 60, 0.8)
    x = np.arange(60.0)
    wide, narrow = trend(x, y, rng), trend(x, rng.permutation(y), rng)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_scaling_steps_scales_the_slope():
    y = noise(np.random.default_rng(3), 40, 0.3)
    x = np.arange(40.0)
    one, ten = (trend(scale * x, y, np.random.default_rng(4)) for scale in (1, 10))
    assert ten == pytest.approx((one.value / 10, one.low / 10, one.high / 10, 40))


def test_turning_the_curve_turns_the_slope():
    y = noise(np.random.default_rng(3), 40, 0.3)
    x = np.arange(40.0)
    up, down = trend(x, y, np.random.default_rng(4)), trend(x, -y, np.random.default_rng(4))
    assert (down.value, down.low, down.high) == pytest.approx((-up.value, -up.high, -up.low))


def test_one_wild_point_does_not_matter():
    x = np.arange(30.0)
    y = x.copy()
    y[3] = 1e9
    assert theil_sen(x, y) == pytest.approx(1.0)


@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_the_level_of_a_stretch_is_covered_whether_it_rises_or_not(slope):
    rng = np.random.default_rng(5)
    place = np.arange(20) - 9.5
    covered = [
        found.low <= 0 <= found.high for found in (mean_level(slope * place + rng.normal(size=20)) for _ in range(400))
    ]
    assert 0.91 <= np.mean(covered) <= 0.99


def test_too_few_points():
    with pytest.raises(NotEnoughData, match="at least 8 logged steps, got 7"):
        trend(np.arange(7.0), np.arange(7.0), np.random.default_rng(0))
    with pytest.raises(NotEnoughData, match="at least 8"):
        trend(np.ones(9), np.arange(9.0), np.random.default_rng(0))
    with pytest.raises(NotEnoughData, match="at least 3"):
        mean_level(np.array([1.0, 2.0]))


def test_blocks_grow_with_autocorrelation():
    rng = np.random.default_rng(6)
    lengths = [np.mean([block_length(noise(rng, 100, phi)) for _ in range(50)]) for phi in (0.0, 0.5, 0.9)]
    assert lengths == sorted(lengths)
    assert lengths[2] > 2 * lengths[0]
    assert np.mean([autocorrelation(noise(rng, 400, 0.6)) for _ in range(50)]) == pytest.approx(0.6, abs=0.03)


def test_smoothing_halves_by_steps_not_by_points():
    x = np.array([0.0, 1, 2, 10])
    assert smoothed(x, np.full(4, 3.0), 2.0) == pytest.approx(np.full(4, 3.0))
    brute = [
        sum(0.5 ** ((x[k] - x[j]) / 2) * x[j] for j in range(k + 1))
        / sum(0.5 ** ((x[k] - x[j]) / 2) for j in range(k + 1))
        for k in range(4)
    ]
    assert smoothed(x, x, 2.0) == pytest.approx(brute)


def test_running_median_and_bins():
    assert running_median(np.array([1.0, 9, 2, 3, 3]), 3).tolist() == [1, 2, 3, 3, 3]
    step, value = binned(np.arange(10.0), np.arange(10.0), 5)
    assert step.tolist() == value.tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]
    assert binned(np.arange(3.0), np.arange(3.0), 5)[0].size == 3
