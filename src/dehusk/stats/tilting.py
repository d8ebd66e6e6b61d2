"""The policy that a reward is worth paying divergence for, seen through answers of the policy it starts from.

The best policy under a KL penalty of strength β is π*(y|x) ∝ π(y|x) exp(r(x, y)/β). Answers of π, weighted by
exp(r/β) and normalised within their prompt, stand for π*. From N answers such a ratio is biased towards π, and its
divergence towards 0, by O(1/N): the most rewarded answers are those a small pool lacks. Both are corrected by the
jackknife (Quenouille, 1956); its second order (Schucany, Gray and Owen, 1971) leaves O(1/N³). A corrected ratio is
linear in what is averaged, so it too is a row of weights, some of them negative.

What no correction can restore is the reward of answers the pool does not have. `Tilt.top` tells when that begins to
matter; the last step of the correction bounds what may be left, since the steps have one sign and shrink.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dehusk.stats.selection import deviation

Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
_BLOCKS = 64  # answers left out at a time; larger pools are left out in this many blocks
_CELLS = 1_000_000  # numbers worked on at once
_FLOOR = -25.0  # log of the smallest weight against the largest: beyond it the others would be lost to rounding


TOP = 1 / 3  # mean share of a prompt's weight on one answer, up to which a pool can say
_STRENGTHS = np.concatenate([[0.0], 0.05 * 1.2 ** np.arange(34)])  # 1/β in standard deviations of the score, to 20.5
_SPARE = 2  # strengths past the reach, for resamples whose curves are shorter


class Tilt(NamedTuple):
    """Weights of a pool's answers under c strengths 1/β, and how far each takes the policy."""

    weights: Floats  # (P, c, N), rows sum to 1, 0 where a prompt has fewer answers; may be negative if corrected
    nats: Floats  # (P, c), divergence from the policy that was sampled
    effective: Floats  # (c,), mean effective number of answers a prompt, before the correction
    top: Floats  # (c,), mean share of a prompt's weight on its heaviest answer, before the correction


class Ladder(NamedTuple):
    """Tilts of one pool by c growing strengths, as far as it can say."""

    strengths: Floats  # (c,), 1/β in units of the score, 0 first
    plain: Tilt  # without correction
    first: Tilt
    second: Tilt
    reach: float  # nats


def ladder(scores: Floats) -> Ladder:
    """Tilt a pool until it can say no more.

    It can say until a third of a prompt's weight, on average, lies on one of its answers. In simulated pools of 8 to 64
    answers, with rewards from two-valued to heavy-tailed (Laplace), the second-order correction has left no more than
    two of its own last steps up to there, and more beyond.

    Args:
        scores: As for `tilted`.

    Raises:
        NotEnoughData: when scores are equal within every prompt.
    """
    strengths = _STRENGTHS / deviation(scores)
    plain = tilted(scores, strengths, order=0)
    strengths = strengths[: int((plain.top <= TOP).sum()) + _SPARE]
    plain, first, second = (tilted(scores, strengths, order=order) for order in range(3))
    reach = float(np.interp(TOP, plain.top, np.maximum.accumulate(second.nats.mean(axis=0))))
    return Ladder(strengths, plain, first, second, reach)


def tilted(scores: Floats, strengths: Sequence[float] | Floats, *, order: int = 2) -> Tilt:
    """Tilt a pool by exp(strength · score) within each prompt; adding a constant to a prompt's scores changes nothing.

    Args:
        scores: Shape (P, N), NaN after the answers of a prompt that has fewer, at least order + 1 a prompt, in random
            order.
        strengths: 1/β, one β for all prompts, c of them, non-negative.
        order: Order of the jackknife, 0 for none.
    """
    kept = ~np.isnan(scores)
    filled = np.where(kept, scores, -np.inf)
    below = np.where(kept, filled - filled.max(axis=1, keepdims=True), 0.0)
    width = max(1, _CELLS // scores.size)
    parts = [
        _tilted(below, kept, np.asarray(strengths)[start : start + width], order)
        for start in range(0, len(strengths), width)
    ]
    return Tilt(*(np.concatenate(column, axis=min(1, column[0].ndim - 1)) for column in zip(*parts, strict=True)))


def _tilted(below: Floats, kept: Bools, strengths: Floats, order: int) -> Tilt:
    """Some strengths at once: every prompt and strength is a pool of its own."""
    prompts, most = below.shape
    exponent = np.maximum(strengths[:, None] * below[:, None], _FLOOR)
    mass = np.where(kept[:, None], np.exp(exponent), 0.0)
    total = mass.sum(axis=2)
    effective, top = (total**2 / (mass**2).sum(axis=2)).mean(axis=0), (mass.max(axis=2) / total).mean(axis=0)
    sums = [_blocked(part) for part in (mass, mass * exponent, np.broadcast_to(kept[:, None] * 1.0, mass.shape))]
    share, nats = _jackknifed(sums[0], sums[1], sums[2], order)
    weights = mass * np.tile(share, -(-most // share.shape[1]))[:, :most].reshape(mass.shape)
    return Tilt(weights, nats.reshape(prompts, -1), effective, top)


def _blocked(x: Floats) -> Floats:
    """Pools (P, c, N) as rows of their answers or, when there are more than 64, of sums over every 64th one."""
    rows: Floats = x.reshape(-1, x.shape[2])
    if rows.shape[1] > _BLOCKS:
        rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % _BLOCKS))).reshape(len(rows), -1, _BLOCKS).sum(axis=1)
    return rows


def _jackknifed(mass: Floats, energy: Floats, count: Floats, order: int) -> tuple[Floats, Floats]:
    """Weight a unit of mass, shape (P, g), and divergence, shape (P,), from sums of g blocks.

    With S the sum of mass and E that of mass · exponent, the divergence is E/S − log(S/N): the mean exponent under the
    tilt less the log of its normaliser.
    """
    used = count > 0
    g = used.sum(axis=1).astype(np.float64)
    sums = [x.sum(axis=1, keepdims=True) for x in (mass, energy, count)]

    def divergence(s: Floats, e: Floats, n: Floats) -> Floats:
        return e / s - np.log(s / n)

    share = np.broadcast_to(1 / sums[0], mass.shape)
    nats = divergence(*sums)[:, 0]
    if order == 0:
        return share, nats
    without = [np.where(used, total - x, 1.0) for total, x in zip(sums, (mass, energy, count), strict=True)]
    one = np.where(used, 1 / without[0], 0.0)
    share_one = (one.sum(axis=1, keepdims=True) - one) / g[:, None]
    nats_one = np.where(used, divergence(*without), 0.0).sum(axis=1) / g
    if order == 1:
        return g[:, None] * share - (g[:, None] - 1) * share_one, g * nats - (g - 1) * nats_one
    share_two, nats_two = _leaving_two([mass, energy, count], sums, used)
    first, second, third = g**2 / 2, (g - 1) ** 2, (g - 2) ** 2 / 2
    return (
        first[:, None] * share - second[:, None] * share_one + third[:, None] * share_two,
        first * nats - second * nats_one + third * nats_two,
    )


def _leaving_two(parts: list[Floats], sums: list[Floats], used: Bools) -> tuple[Floats, Floats]:
    """Means over all pairs of blocks left out: of the weight that each block keeps (P, g), and of the divergence (P,).

    Pairs are taken by their distance, so that memory stays (P, g).
    """
    prompts, g = parts[0].shape
    touching, every, nats, pairs = np.zeros((prompts, g)), np.zeros(prompts), np.zeros(prompts), np.zeros(prompts)
    for apart in range(1, g):
        both = used[:, apart:] & used[:, :-apart]
        mass, energy, count = (
            np.where(both, total - x[:, apart:] - x[:, :-apart], 1.0) for total, x in zip(sums, parts, strict=True)
        )
        inverse = np.where(both, 1 / mass, 0.0)
        nats += np.where(both, energy * inverse - np.log(mass / count), 0.0).sum(axis=1)
        every += inverse.sum(axis=1)
        touching[:, apart:] += inverse
        touching[:, :-apart] += inverse
        pairs += both.sum(axis=1)
    return (every[:, None] - touching) / pairs[:, None], nats / pairs


def at_nats(nats: Floats, values: Floats, targets: Floats) -> Floats:
    """Read curves off at given divergences, on straight lines in the root of the divergence.

    To first order a tilt moves every mean in proportion to its strength, and its divergence with the square of that.

    Args:
        nats: Mean divergence of c tilts, weakest first and 0 at the first, shape (b, c).
        values: What goes with each, shape (b, c, k).
        targets: Shape (t,); one beyond a curve is read at its end.

    Returns:
        Shape (b, t, k).

    >>> at_nats(np.array([[0.0, 1.0]]), np.array([[[0.0], [1.0]]]), np.array([0.25, 4.0]))[0, :, 0].tolist()
    [0.5, 1.0]
    """
    root, goal = np.sqrt(np.maximum.accumulate(np.maximum(nats, 0), axis=1)), np.sqrt(targets)
    place = np.clip((root[:, None] <= goal[:, None]).sum(axis=2) - 1, 0, root.shape[1] - 2)
    left, right = np.take_along_axis(root, place, axis=1), np.take_along_axis(root, place + 1, axis=1)
    share = np.clip((goal - left) / np.maximum(right - left, 1e-12), 0, 1)[..., None]
    before, after = (np.take_along_axis(values, at[..., None], axis=1) for at in (place, place + 1))
    found: Floats = before + share * (after - before)
    return found
