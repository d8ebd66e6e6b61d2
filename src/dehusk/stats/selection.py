"""What picking answers by a score does to everything else about them: best-of-n, computed instead of drawn.

A pool holds P prompts with up to N scored answers each. Whatever picks from it is a row of weights a prompt, so every
question becomes a product of weights (P, c, N) and values (P, N, k), with prompts as the units of sampling.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.stats.distributions import normal_p, normal_quantile

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


class Band(NamedTuple):
    """Points with the interval of resampled prompts, all of one shape."""

    value: Floats
    low: Floats
    high: Floats


def pooled(groups: Ints, rng: np.random.Generator) -> Ints:
    """Rows of every prompt side by side, in a random order, shape (P, N), −1 where a prompt has fewer.

    Args:
        groups: Prompt of each row, any integers, shape (n,).
        rng: Files often hold samples in an order that means something, such as by length.

    >>> pooled(np.array([7, 3, 7]), np.random.default_rng(0)).shape
    (2, 2)
    """
    order = rng.permutation(groups.size)
    order = order[np.argsort(groups[order], kind="stable")]
    _, start, count = np.unique(groups[order], return_index=True, return_counts=True)
    found = np.full((count.size, int(count.max(initial=0))), -1, dtype=np.int64)
    found[np.repeat(np.arange(count.size), count), np.arange(groups.size) - np.repeat(start, count)] = order
    return found


def sizes(most: int) -> list[int]:
    """The n at which best-of-n is shown: powers of two, and all answers that every prompt has.

    >>> sizes(12)
    [1, 2, 4, 8, 12]
    """
    return [2**power for power in range(most.bit_length()) if 2**power < most] + [most]


def deviation(values: Floats) -> float:
    """Standard deviation within prompts of values (P, N), NaN where a prompt has fewer answers.

    Raises:
        NotEnoughData: when no two answers of a prompt differ.
    """
    off = values - np.nanmean(values, axis=1, keepdims=True)
    freedom = int((~np.isnan(values)).sum()) - len(values)
    found = float(np.sqrt(np.nansum(off**2) / max(freedom, 1)))
    if found <= 1e-9 * float(np.nanmax(np.abs(values))):
        raise NotEnoughData("scores that differ between the answers to a prompt")
    return found


def best_of_weights(scores: Floats, n: Sequence[int]) -> Floats:
    """Chance that each answer is the best of n drawn from its prompt's pool without replacement.

    The answer of rank i among N wins with C(i−1, n−1)/C(N, n) (arXiv 2210.10760, appendix): the mean over all draws
    at once, which is why it has no bias and less noise than drawing. Equal scores share their chance equally.

    Args:
        scores: Shape (P, N), NaN where a prompt has fewer answers.
        n: Sizes of the draw, c of them.

    Returns:
        Shape (P, c, N), rows sum to 1; NaN for a prompt with fewer than n answers.

    >>> best_of_weights(np.array([[0.1, 0.5, 0.3]]), [1, 2, 3])[0].round(3).tolist()
    [[0.333, 0.333, 0.333], [0.0, 0.667, 0.333], [0.0, 1.0, 0.0]]
    """
    prompts, most = scores.shape
    size = (~np.isnan(scores)).sum(axis=1)[:, None]
    order = np.argsort(scores, axis=1, kind="stable")  # NaN last
    ordered = np.take_along_axis(scores, order, axis=1)
    place = np.broadcast_to(np.arange(most), scores.shape)
    new = np.ones(scores.shape, dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    below = np.maximum.accumulate(np.where(new, place, 0), axis=1)  # answers with a lower score
    last = np.ones(scores.shape, dtype=bool)
    last[:, :-1] = new[:, 1:]
    upto = np.minimum.accumulate(np.where(last, place, most)[:, ::-1], axis=1)[:, ::-1] + 1  # … or an equal one
    factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, most + 1)))])

    def inside(known: Ints, draw: int) -> Floats:
        """Chance that all of the draw comes from the `known` lowest answers: C(known, n)/C(N, n)."""
        rest, left = np.maximum(known - draw, 0), np.maximum(size - draw, 0)
        log = factorial[known] - factorial[rest] - factorial[size] + factorial[left]
        return np.where(known >= draw, np.exp(np.minimum(log, 0.0)), 0.0)

    found = np.zeros((prompts, len(n), most))
    for at, draw in enumerate(n):
        chance = (inside(np.minimum(upto, size), draw) - inside(below, draw)) / (upto - below)
        chance = np.where(place < size, chance, 0.0)
        np.put_along_axis(found[:, at], order, np.where(size >= draw, chance, np.nan), axis=1)
    return found


def best_of_nats(n: int) -> float:
    """Divergence of best-of-n from the policy it picks from, in nats: log n − (n − 1)/n.

    Exact when scores have no ties; with ties, as for any discrete score, an upper bound (arXiv 2401.01879).

    >>> [round(best_of_nats(n), 3) for n in (1, 2, 16)]
    [0.0, 0.193, 1.835]
    """
    return math.log(n) - (n - 1) / n


def full_lift(n: int) -> float:
    """What the best of n standard normal numbers is on average: the lift of picking by a feature itself, in its SD.

    >>> [round(full_lift(n), 3) for n in (1, 2, 16)]
    [0.0, 0.564, 1.766]
    """
    z = np.linspace(-9, 9, 7201)
    below = np.cumsum(np.exp(-(z**2) / 2))
    below = (below - np.exp(-(z**2) / 2) / 2) / below[-1]
    density = n * below ** (n - 1) * np.exp(-(z**2) / 2)
    return round(float((z * density).sum() / density.sum()), 9)


def resampled(values: Floats, draws: Floats, level: float = 0.95) -> Band:
    """Mean over prompts with the interval of prompts drawn again.

    Args:
        values: A value a prompt, shape (P, …).
        draws: From `stratified.bootstrap_weights`, shape (b, P).
        level: Coverage.

    Returns:
        Arrays of shape (…).
    """
    return band(values.mean(axis=0), redrawn(values, draws), level)


def redrawn(values: Floats, draws: Floats) -> Floats:
    """Means over prompts in each resample, shape (b, …), from one value a prompt, shape (P, …)."""
    found: Floats = _summed(draws / draws.sum(axis=1, keepdims=True), values)
    return found


def band(value: Floats, drawn: Floats, level: float = 0.95) -> Band:
    """A point, shape (…), with the interval of its resamples, shape (b, …).

    Percentiles corrected for bias and acceleration (Efron, 1987). What heavy weights average is skewed: the samples
    that give too low a mean also show too little spread, and plain percentiles miss it from below. To first order the
    acceleration is a sixth of the skewness of the resamples.
    """
    ordered = np.sort(drawn.reshape(len(drawn), -1), axis=0)
    off = ordered - ordered.mean(axis=0)
    spread = ordered.std(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        bend = np.where(spread > 0, (off * off * off).mean(axis=0) / (6 * spread**3), 0.0)
    flat = value.reshape(1, -1)
    below = ((ordered < flat).mean(axis=0) + (ordered <= flat).mean(axis=0)) / 2
    start = np.array([normal_quantile(float(share)) for share in np.clip(below, 0.02, 0.98)])
    ends = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        z = start + normal_quantile(tail)
        z = start + z / np.maximum(1 - bend * z, 0.1)
        place = (len(ordered) - 1) * np.where(z < 0, normal_p(z) / 2, 1 - normal_p(z) / 2)
        left = np.minimum(place.astype(np.int64), len(ordered) - 2)
        lower, upper = (np.take_along_axis(ordered, (left + step)[None], axis=0)[0] for step in (0, 1))
        ends.append((lower + (place - left) * (upper - lower)).reshape(value.shape))
    return Band(value, *ends)


def exchange_p(weights: Floats, values: Floats) -> Floats:
    """Two-sided p that weights which come from a score have nothing to do with the values, k columns at once.

    If they have not, every assignment of the weights to the answers of a prompt is as likely as any other. The sum of
    the picked values then has a known mean, variance and third moment; its tail is that of Pearson's type III with
    these (Mielke and Berry, Permutation Methods, 2001), through the cube root of Wilson and Hilferty (1931). Unlike a
    t test over prompts it holds for a phrase that stands in a handful of answers.

    Args:
        weights: Shape (P, N), rows sum to 1, 0 where a prompt has fewer answers.
        values: Shape (P, N, k), NaN in all columns where a prompt has fewer answers, and nowhere else.

    Returns:
        Shape (k,); 1 where values or weights do not vary within prompts.
    """
    kept = ~np.isnan(values[..., :1])
    size = kept.sum(axis=1).astype(np.float64)  # (P, 1)
    pull = np.where(kept[..., 0], weights - 1 / size, 0.0)
    off = np.where(kept, values - np.nansum(values, axis=1, keepdims=True) / size[..., None], 0.0)
    picked = (pull[:, None, :] @ off)[:, 0].sum(axis=0)
    second = (pull**2).sum(axis=1, keepdims=True) * (off**2).sum(axis=1) / np.maximum(size - 1, 1)
    third = (pull**3).sum(axis=1, keepdims=True) * (off**3).sum(axis=1) * size
    third = np.where(size > 2, third / np.maximum((size - 1) * (size - 2), 1), 0.0).sum(axis=0)
    variance = second.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        z, skew = picked / np.sqrt(variance), third / variance**1.5
        bent = 6 / skew * (np.cbrt(skew * z / 2 + 1) - 1) + skew / 6
    z = np.where(np.abs(skew) > 1e-6, bent, z)
    return np.where(variance > 1e-20, normal_p(np.nan_to_num(z)), 1.0)


def beyond_controls(weights: Floats, values: Floats, controls: Floats, draws: Floats, level: float = 0.95) -> Band:
    """What a pick does to the values beyond what it does through the controls, such as length.

    Values are regressed on the controls within prompts, over all answers of the pool; what is left is what the picked
    answers have more of than the pool's answers with the same controls. A pick by the controls alone leaves nothing
    (as far as the regression has the right shape); a pick that ignores them leaves its whole effect.

    Args:
        weights: Shape (P, N), rows sum to 1, 0 where a prompt has fewer answers.
        values: Shape (P, N, k), NaN in all columns where a prompt has fewer answers, and nowhere else.
        controls: Shape (P, N, m), any number where a prompt has fewer answers.
        draws: Shape (b, P).
        level: Coverage.

    Returns:
        Arrays of shape (k,).
    """
    kept = ~np.isnan(values[..., :1])
    size = kept.sum(axis=1, keepdims=True)

    def centred(x: Floats) -> Floats:
        x = np.where(kept, x, 0.0)
        return np.where(kept, x - x.sum(axis=1, keepdims=True) / size, 0.0)

    x, y = centred(controls), centred(values)
    spread = np.sqrt((x**2).mean(axis=(0, 1)))
    x = x[..., spread > 1e-9] / spread[spread > 1e-9]
    transposed = np.swapaxes(x, 1, 2)
    gram, cross = transposed @ x, transposed @ y  # (P, m, m), (P, m, k)
    pull, moved = (weights[:, None, :] @ x)[:, 0], (weights[:, None, :] @ y)[:, 0]
    ridge = 1e-9 * len(x) * np.eye(x.shape[2])  # collinear controls still fit

    def rest(times: Floats) -> Floats:
        slopes = np.linalg.solve(_summed(times, gram) + ridge, _summed(times, cross))
        explained = ((times @ pull)[:, None, :] @ slopes)[:, 0]
        left: Floats = (times @ moved - explained) / times.sum(axis=1, keepdims=True)
        return left

    return band(rest(np.ones((1, len(x))))[0], rest(draws), level)


def _summed(times: Floats, parts: Floats) -> Floats:
    """Sums over prompts, each counted `times` (b, P), of parts (P, …), shape (b, …)."""
    found: Floats = (times @ parts.reshape(len(parts), -1)).reshape(len(times), *parts.shape[1:])
    return found
