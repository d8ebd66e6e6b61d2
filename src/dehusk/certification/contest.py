"""Two rewards that choose from one pool, and the pressure that each puts on every feature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from dehusk.core.certificates import Role
from dehusk.core.errors import NotEnoughData
from dehusk.core.kinds import Feature
from dehusk.core.tables import Bools, Floats, Ints
from dehusk.stats.selection import best_of_weights, deviation, full_lift, sizes
from dehusk.stats.stratified import bootstrap_weights
from dehusk.stats.tilting import Ladder, at_nats, ladder

MOST = 64  # answers to choose from
FEWEST_TILTED = 4  # answers a prompt, for weights: their correction leaves out two of them
VARYING = 20  # prompts among whose answers a feature must differ
_RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Contest:
    """A pool of P prompts with up to N answers each, in random order, scored by both rewards."""

    features: tuple[Feature, ...]  # k
    units: tuple[str, ...]  # "share" for how often, "SD" for normal scores of how much
    means: tuple[float, ...]  # of what was measured
    roles: tuple[Role, ...]
    values: Floats  # (P, N, k), NaN in padding and on every answer of a prompt where a feature means nothing
    before: Floats  # (P, N), NaN in padding
    after: Floats
    gold: Floats | None
    clusters: Ints  # (P,), 0 … G−1
    least: int  # answers that every prompt has

    def varying(self) -> Ints:
        """Prompts among whose answers each feature differs, shape (k,)."""
        filled = np.where(np.isnan(self.values), -np.inf, self.values).max(axis=1)
        differs = filled > np.where(np.isnan(self.values), np.inf, self.values).min(axis=1)
        count: Ints = differs.sum(axis=0)
        return count


@dataclass(frozen=True, eq=False)
class Labels:
    """Whether both rewards agree with people on m labelled pairs: 1, ½ for equal scores, 0."""

    before: Floats  # (m,)
    after: Floats
    clusters: Ints  # (m,), prompts 0 … g−1


class Selection(NamedTuple):
    """One way of choosing."""

    kind: Literal["best_of_n", "tilt"]
    size: float


class Drawn(NamedTuple):
    """Numbers and the same in each resample."""

    value: Floats  # (c, k)
    drawn: Floats  # (b, c, k)


@dataclass(frozen=True, eq=False)
class Pressures:
    """Pressures on k features by c ways of selecting; gold itself is the last of them if it is known."""

    selections: tuple[Selection, ...]
    scale: Floats  # (c, k), units of the feature in one unit of pressure
    before: Drawn
    after: Drawn
    gold: Drawn | None
    clusters: int


def pressures(contest: Contest, rng: np.random.Generator, *, nats: float) -> Pressures:
    """Let both rewards, and gold, choose; every feature must differ among the answers to some prompt.

    Args:
        contest: The pool.
        rng: For the resamples.
        nats: Divergence of the weights, less where the pool does not reach as far; 0 for none.

    Raises:
        NotEnoughData: scores that are equal throughout, or fewer than two answers or prompts.
    """
    groups = int(contest.clusters.max(initial=-1)) + 1
    if groups < 2 or contest.least < 2:
        raise NotEnoughData(f"at least 2 answers to each of 2 prompts, got {contest.least} to {groups}")
    values = contest.values if contest.gold is None else np.concatenate([contest.values, contest.gold[..., None]], 2)
    valid = ~np.isnan(values[:, 0])
    means = np.nan_to_num(_mean(values))
    spread = np.array([deviation(values[valid[:, at], :, at]) for at in range(values.shape[2])])
    draws = bootstrap_weights(groups, rng, most=_RESAMPLES)[:, contest.clusters]
    grid = sizes(min(MOST, contest.least))[1:]
    scores = [contest.before, contest.after, *([] if contest.gold is None else [contest.gold])]
    tilts = [ladder(one) for one in scores] if nats > 0 and contest.least >= FEWEST_TILTED else []
    shared = min([nats, *(tilt.reach for tilt in tilts[:2])])
    goes = [shared, shared, *(min(shared, tilt.reach) for tilt in tilts[2:])]

    def put(at: int) -> Drawn:
        """The pressure of one of the scores."""
        weights, full = best_of_weights(scores[at], grid), [full_lift(n) for n in grid]
        if tilts:
            weights = np.concatenate([weights, _tilted(tilts[at], goes[at])[:, None]], axis=1)
            full.append(math.sqrt(2 * goes[at]))
        lifts = (weights @ np.nan_to_num(values) - means[:, None]) * valid[:, None]
        lifts /= np.array(full)[:, None] * spread
        return Drawn(lifts.sum(axis=0) / valid.sum(axis=0), _averaged(lifts, valid, draws))

    selections = [Selection("best_of_n", n) for n in grid] + ([Selection("tilt", shared)] if tilts else [])
    full = [*map(full_lift, grid), *([math.sqrt(2 * shared)] if tilts else [])]
    return Pressures(
        tuple(selections),
        np.array(full)[:, None] * spread,
        put(0),
        put(1),
        None if contest.gold is None else put(2),
        groups,
    )


def _mean(values: Floats) -> Floats:
    """Means of (P, N, k) over the answers of a prompt, NaN where there is none, shape (P, k)."""
    kept = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        found: Floats = np.where(kept, values, 0.0).sum(axis=1) / kept.sum(axis=1)
    return found


def _averaged(lifts: Floats, valid: Bools, draws: Floats) -> Floats:
    """Means over the valid prompts (P, k) in each resample, shape (b, c, k), of lifts (P, c, k)."""
    total = (draws @ lifts.reshape(len(lifts), -1)).reshape(len(draws), *lifts.shape[1:])
    count = np.maximum(draws @ valid.astype(np.float64), 1.0)
    found: Floats = total / count[:, None]
    return found


def _tilted(steps: Ladder, nats: float) -> Floats:
    """Weights (P, N) that go so far; β is what it is on these prompts, also in their resamples."""
    prompts, count, most = steps.second.weights.shape
    flat = steps.second.weights.swapaxes(0, 1).reshape(1, count, -1)
    return at_nats(steps.second.nats.mean(axis=0)[None], flat, np.array([nats])).reshape(prompts, most)
