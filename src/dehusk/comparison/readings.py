"""What a fitted method is looked at with, on prompts it was not fitted on: one number a column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from dehusk.core.tables import Floats, Ints
from dehusk.fitting.training_set import TrainingSet
from dehusk.probes.data.contrast import bounded
from dehusk.stats.selection import best_of_weights, deviation, sizes
from dehusk.stats.slopes import standardised_slopes

Points = np.ndarray[Any, np.dtype[np.float32]]
# points (n, d), features (n, k) and which answers are weighed against each other (n,) -> rewards (n,)
Rewards = Callable[[Points, Floats, Ints], Floats]
MOST = 64  # answers a prompt from which the best is picked
LIFTED = 16  # answers a prompt of which the best is looked at for what it has more of


@dataclass(frozen=True, eq=False)
class PoolPoints:
    """Samples to pick from: P prompts with N answers each, as points and features."""

    points: Points  # (m, d)
    features: Floats  # (m, k), raw units
    rows: Ints  # (P, N) rows of the above, −1 where a prompt has fewer answers
    gold: Floats | None = None  # (m,)

    def spread(self, values: Floats) -> Floats:
        """Values of all answers, shape (m,), as (P, N), NaN where a prompt has fewer."""
        return np.where(self.rows < 0, np.nan, values[self.rows])

    @property
    def groups(self) -> Ints:
        """Prompt of every answer, shape (m,)."""
        found = np.full(len(self.points), -1)
        prompts = np.broadcast_to(np.arange(len(self.rows))[:, None], self.rows.shape)
        found[self.rows[self.rows >= 0]] = prompts[self.rows >= 0]
        return found

    @property
    def least(self) -> int:
        """Answers that every prompt has."""
        return int((self.rows >= 0).sum(axis=1).min(initial=self.rows.shape[1]))


@dataclass(frozen=True, eq=False)
class Held:
    """What methods are looked at with in one split."""

    test: TrainingSet
    targets: tuple[str, ...]
    elsewhere: Mapping[str, TrainingSet] = field(default_factory=lambda: MappingProxyType({}))  # other distributions
    pool: PoolPoints | None = None


def margins(rewards: Rewards, data: TrainingSet, *, foreign: bool = False) -> Floats:
    """Rewards of chosen less those of rejected answers, shape (n,), under their own or another prompt."""
    chosen, rejected = (data.foreign_chosen, data.foreign_rejected) if foreign else (data.chosen, data.rejected)
    assert chosen is not None and rejected is not None  # for mypy: the caller looked
    features = np.concatenate([data.chosen_features, data.rejected_features])
    both = rewards(np.concatenate([chosen, rejected]), features, np.tile(np.arange(len(data)), 2))
    return both[: len(data)] - both[len(data) :]


def accuracy(margin: Floats) -> float:
    """Share of pairs whose chosen answer scores higher, ties half."""
    return float((np.sign(margin) + 1).mean() / 2)


def readings(rewards: Rewards, held: Held) -> tuple[dict[str, float], Floats]:
    """Every column of one method in one split.

    Args:
        rewards: The fitted method.
        held: Held-out pairs, other distributions and a pool.

    Returns:
        Column -> value, and the coefficient of every feature, shape (k,), NaN where one does not vary: standard
        deviations of the margin a standard deviation of the feature's difference, with the label held.
    """
    own = margins(rewards, held.test)
    found = {"accuracy": accuracy(own)}
    for name, data in held.elsewhere.items():
        found[f"accuracy:{name}"] = accuracy(margins(rewards, data))
    slopes = coefficients(own, held.test)
    for target in held.targets:
        found[f"coefficient:{target}"] = float(slopes[held.test.names.index(target)])
    if held.test.foreign_chosen is not None:
        found["prompt_gain"] = found["accuracy"] - accuracy(margins(rewards, held.test, foreign=True))
    if held.pool is not None:
        found |= _picked(rewards, held.pool, held.test.names, held.targets)
    return found, slopes


def coefficients(margin: Floats, data: TrainingSet) -> Floats:
    """What every feature is worth to the margin, the label held, shape (k,).

    Differences and margins are bounded: heads on mean-pooled states of a language model put a one-word answer so far
    from all others that a single pair would decide the slope.
    """
    x = np.stack([bounded(column) for column in (data.chosen_features - data.rejected_features).T], axis=1)
    return np.asarray(standardised_slopes(x, bounded(margin), data.groups).value)


def _picked(rewards: Rewards, pool: PoolPoints, names: Sequence[str], targets: Sequence[str]) -> dict[str, float]:
    """Gold of the best of n, and how much more of the targets the best of 16 has, in SD within prompts."""
    draws = sizes(min(pool.least, MOST))
    weights = best_of_weights(pool.spread(rewards(pool.points, pool.features, pool.groups)), draws)  # (P, c, N)
    found: dict[str, float] = {}
    if pool.gold is not None:
        for n, gain in zip(draws, _lift(weights, pool.spread(pool.gold)), strict=True):
            found[f"gold:{n}"] = gain
    at = draws.index(min(LIFTED, draws[-1]))
    for target in targets:
        values = pool.spread(pool.features[:, names.index(target)])
        found[f"lift:{target}"] = _lift(weights[:, [at]], values)[0]
    return found


def _lift(weights: Floats, values: Floats) -> list[float]:
    """Mean over prompts of what each row of weights picks, less the prompt's mean, in SD within prompts."""
    off = np.nan_to_num(values - np.nanmean(values, axis=1, keepdims=True))
    if not off.any():
        return [0.0] * weights.shape[1]  # the pool does not vary, so no pick moves it
    return list(np.einsum("pcn,pn->c", weights, off) / len(off) / deviation(values))
