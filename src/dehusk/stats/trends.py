"""Levels and slopes of a logged curve, whose points are not independent: neighbours share their noise.

Points are (step, value), steps in ascending order and not evenly spaced.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.stats.distributions import t_quantile

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

MOST = 60  # points of a slope: more are averaged in bins of neighbours, which keeps the pairs at 1,770
_LEAST_LEVEL, _LEAST_SLOPE = 3, 8


class Interval(NamedTuple):
    """A number between two bounds, and the points behind it."""

    value: float
    low: float
    high: float
    n: int


def theil_sen(x: Floats, y: Floats) -> float:
    """Median slope over all pairs of points with different x (Theil 1950, Sen 1968).

    >>> theil_sen(np.array([0.0, 1, 2, 3, 4]), np.array([0.0, 2, 4, 6, 100]))
    2.0
    """
    first, second = np.triu_indices(x.size, 1)
    run = x[second] - x[first]
    return float(np.median((y[second] - y[first])[run != 0] / run[run != 0]))


def trend(x: Floats, y: Floats, rng: np.random.Generator, *, level: float = 0.95, draws: int = 200) -> Interval:
    """Theil–Sen slope of y on x with an interval that allows for autocorrelation.

    Blocks of neighbouring residuals get random signs (the dependent wild bootstrap: Shao 2010), the blocks as long as
    their first autocorrelation asks for (Carlstein 1986). Resampling the residuals themselves would repeat some: equal
    pairs pull a median of slopes to 0. The spread of the slopes, widened by Student's t on the number of blocks, gives
    the interval: percentiles of few blocks are too narrow.

    Args:
        x: Steps, shape (n,), ascending.
        y: Values, shape (n,), finite.
        rng: Draws the blocks.
        level: Coverage.
        draws: Resampled curves.

    Raises:
        NotEnoughData: with fewer than 8 points, or points at one step only.
    """
    if x.size < _LEAST_SLOPE or x[0] == x[-1]:
        raise NotEnoughData(f"at least {_LEAST_SLOPE} logged steps, got {x.size}")
    n = x.size
    x, y = binned(x, y, MOST)
    slope = theil_sen(x, y)
    residuals = y - slope * x
    residuals = residuals - np.median(residuals)
    length = block_length(residuals)
    resampled = residuals * _signs(x.size, length, draws, rng)
    first, second = np.triu_indices(x.size, 1)
    run = x[second] - x[first]
    first, second, run = first[run > 0], second[run > 0], run[run > 0]
    slopes = np.median((resampled[:, second] - resampled[:, first]) / run, axis=1)
    spread = float(np.sqrt(np.mean(slopes**2))) * math.sqrt(x.size / (x.size - 2))  # residuals of a line are too small
    half = t_quantile(0.5 + level / 2, max(2, x.size // length - 2)) * spread
    return Interval(slope, slope - half, slope + half, n)


def mean_level(y: Floats, *, level: float = 0.95) -> Interval:
    """Mean of a stretch of a curve, its t interval on as many points as are independent under an AR(1) noise.

    The noise is what is left of a straight line: a stretch that rises is not uncertain for that.

    Args:
        y: Shape (n,), finite, in order of steps.
        level: Coverage.

    Raises:
        NotEnoughData: with fewer than 3 points.
    """
    n = y.size
    if n < _LEAST_LEVEL:
        raise NotEnoughData(f"at least {_LEAST_LEVEL} logged steps, got {n}")
    place = np.arange(n) - (n - 1) / 2
    line = 2 if n >= 2 * _LEAST_LEVEL else 1  # numbers that are fitted: too few points tell no slope
    residuals = y - y.mean() - (place * (place @ y) / (place @ place) if line > 1 else 0.0)
    rho = autocorrelation(residuals)
    independent = max(float(_LEAST_LEVEL), n * (1 - rho) / (1 + rho))  # rho is a guess, with few points a wild one
    error = math.sqrt(float(residuals @ residuals) / (n - line) / independent)
    half = t_quantile(0.5 + level / 2, max(2, round(independent) - line)) * error
    return Interval(float(y.mean()), float(y.mean()) - half, float(y.mean()) + half, n)


def autocorrelation(residuals: Floats) -> float:
    """First autocorrelation, its small-sample bias added back (Kendall 1954), kept in [0, 0.9]; 0 with few points."""
    power = float(residuals @ residuals)
    if residuals.size < 2 * _LEAST_LEVEL or power <= 0:
        return 0.0
    rho = float(residuals[1:] @ residuals[:-1]) / power
    return min(0.9, max(0.0, rho + (1 + 3 * rho) / residuals.size))


def block_length(residuals: Floats) -> int:
    """Length of blocks, 1 … n/4: (√6 ρ / (1 − ρ²))^⅔ n^⅓ for an AR(1) process (Carlstein 1986).

    ρ is taken one standard error up: blocks that are too long only widen an interval, too short ones lie.
    """
    rho = min(0.9, autocorrelation(residuals) + 1 / math.sqrt(residuals.size))
    best = (math.sqrt(6) * rho / (1 - rho * rho)) ** (2 / 3) * residuals.size ** (1 / 3)
    return int(min(max(1, round(best)), max(1, residuals.size // 4)))


def smoothed(x: Floats, y: Floats, half_life: float) -> Floats:
    """Exponential moving average whose weights halve every `half_life` steps, without bias at the start, shape (n,)."""
    total, weight = 0.0, 0.0
    out = np.empty(y.size)
    decays = np.exp2(-np.diff(x, prepend=x[:1]) / half_life)
    for place, (decay, value) in enumerate(zip(decays, y, strict=True)):
        total, weight = decay * total + value, decay * weight + 1
        out[place] = total / weight
    return out


def running_median(y: Floats, width: int) -> Floats:
    """Median of the `width` (odd) values around each, edges repeated, shape (n,)."""
    padded = np.pad(y, width // 2, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1), dtype=np.float64)


def binned(x: Floats, y: Floats, most: int) -> tuple[Floats, Floats]:
    """Means of at most `most` runs of neighbouring points, shapes (m,) and (m,)."""
    if x.size <= most:
        return x, y
    starts = np.linspace(0, x.size, most, endpoint=False).astype(np.int64)
    sizes = np.diff(starts, append=x.size)
    return np.add.reduceat(x, starts) / sizes, np.add.reduceat(y, starts) / sizes


def _signs(n: int, length: int, draws: int, rng: np.random.Generator) -> Floats:
    """One random sign a block of `length` neighbours, blocks starting at a random phase, shape (draws, n)."""
    blocks = (np.arange(n) + rng.integers(0, length, size=(draws, 1))) // length
    signs = rng.choice((-1.0, 1.0), size=(draws, n // length + 2))
    return np.take_along_axis(signs, blocks, axis=1)
