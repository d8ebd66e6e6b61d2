"""What a fitted method is looked at with, on prompts it was not fitted on: one reading a column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from dehusk.core.tables import Floats, Ints
from dehusk.fitting.training_set import TrainingSet
from dehusk.stats.bounding import bounded
from dehusk.stats.resplits import by_prompt
from dehusk.stats.selection import best_of_weights, deviation, sizes
from dehusk.stats.slopes import standardised_slopes

Points = np.ndarray[Any, np.dtype[np.float32]]
# points (n, d), features (n, k) and which answers are weighed against each other (n,) -> rewards (n,)
Rewards = Callable[[Points, Floats, Ints], Floats]
Reading = float | Floats  # of held-out rows one number, of what is the same in every split a value a prompt, shape (g,)
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
    def draws(self) -> list[int]:
        """The n of which the best is picked, up to the answers that every prompt has."""
        least = int((self.rows >= 0).sum(axis=1).min(initial=self.rows.shape[1]))
        return sizes(min(least, MOST))

    @property
    def best_of(self) -> int:
        """The n at which features are looked at, and gold in short: 16, or all where there are fewer."""
        return min(LIFTED, self.draws[-1])


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


def wins(margin: Floats) -> Floats:
    """1 where the chosen answer scores higher, 0 where it scores lower, a half where they tie, shape (n,)."""
    found: Floats = (np.sign(margin) + 1) / 2
    return found


def accuracy(margin: Floats) -> float:
    """Share of pairs whose chosen answer scores higher, ties half."""
    return float(wins(margin).mean())


def readings(rewards: Rewards, held: Held) -> tuple[dict[str, Reading], Floats]:
    """Every column of one method in one split.

    Args:
        rewards: The fitted method.
        held: Held-out pairs, other distributions and a pool.

    Returns:
        Column -> reading, and the coefficient of every feature, shape (k,), NaN where one does not vary: standard
        deviations of the margin a standard deviation of the feature's difference, with the label held.
    """
    own = margins(rewards, held.test)
    right = accuracy(own)
    found: dict[str, Reading] = {"accuracy": right}
    for name, data in held.elsewhere.items():
        found[f"accuracy:{name}"] = by_prompt(wins(margins(rewards, data)), data.groups)
    slopes = coefficients(own, held.test)
    for target in held.targets:
        found[f"coefficient:{target}"] = float(slopes[held.test.names.index(target)])
    if held.test.foreign_chosen is not None:
        found["prompt_gain"] = right - accuracy(margins(rewards, held.test, foreign=True))
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


def _picked(rewards: Rewards, pool: PoolPoints, names: Sequence[str], targets: Sequence[str]) -> dict[str, Reading]:
    """Gold of the best of n, and how much more of the targets the best of 16 has, in SD within prompts."""
    weights = best_of_weights(pool.spread(rewards(pool.points, pool.features, pool.groups)), pool.draws)  # (P, c, N)
    found: dict[str, Reading] = {}
    if pool.gold is not None:
        lifts = _lifts(weights, pool.spread(pool.gold))
        found |= {f"gold:{n}": lift for n, lift in zip(pool.draws, lifts, strict=True)}
    told = weights[:, [pool.draws.index(pool.best_of)]]
    for target in targets:
        [found[f"lift:{target}"]] = _lifts(told, pool.spread(pool.features[:, names.index(target)]))
    return found


def _lifts(weights: Floats, values: Floats) -> Floats:
    """What each of c rows of weights picks, less the prompt's mean, in SD within prompts, shape (c, P)."""
    off = np.nan_to_num(values - np.nanmean(values, axis=1, keepdims=True))
    if not off.any():
        return np.zeros((weights.shape[1], len(off)))  # the pool does not vary, so no pick moves it
    found: Floats = np.einsum("pcn,pn->cp", weights, off) / deviation(values)
    return found.round(12)  # the best of one is the mean: what rounding leaves of 0 must not look like a difference
