"""One split of the pairs: what methods are fitted on, and the plain model that all of them are compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dehusk.comparison.readings import Points, Rewards
from dehusk.core.kinds import objectives
from dehusk.core.run import stream
from dehusk.core.tables import Floats, Ints, Measures, Pairs
from dehusk.fitting.heads import FittedHeads, fit_heads
from dehusk.fitting.training_set import Places, TrainingSet, training_set
from dehusk.rewards.heads import LinearHead


@dataclass(frozen=True, eq=False)
class Trial:
    """The fitted part of one split."""

    pairs: Pairs
    measures: Measures
    data: TrainingSet  # of these pairs, with foreign points
    targets: tuple[str, ...]
    embedder: Places
    measure: Callable[[Pairs], Measures]
    seed: int
    blocks: tuple[slice, ...]  # dimensions of each embedder

    def rng(self, name: str) -> np.random.Generator:
        """Chance of one named consumer; the same in every method that asks for it."""
        return stream(self.seed, f"compare {name}")

    @cached_property
    def plain(self) -> FittedHeads:
        """Bradley and Terry's head on all pairs as they are."""
        return fit_heads(self.data, objectives["bt"].thing(), rng=self.rng("plain"))

    def again(self, pairs: Pairs) -> TrainingSet:
        """Repaired pairs as points; what the store of the embedder knows is not embedded again."""
        return training_set(pairs, self.measure(pairs), self.embedder, self.data.names, self.rng("again"))

    @cached_property
    def members(self) -> tuple[LinearHead, ...]:
        """Heads of different kinds: two on opposite halves of the prompts, a small network, one an embedder."""
        l2 = self.plain.l2
        halves = fit_heads(self.data, objectives["bt"].thing(), l2=l2, members=2, vary="halves", rng=self.rng("halves"))
        net = fit_heads(self.data, objectives["bt"].thing(hidden=32), l2=l2, rng=self.rng("network"))
        parts = [self._alone(block) for block in self.blocks] if len(self.blocks) > 1 else list(self.plain.heads)
        return (*halves.heads, *net.heads, *parts)

    def _alone(self, block: slice) -> LinearHead:
        """A head on the dimensions of one embedder, with zeros on the others'."""
        wide = self.data.chosen.shape[1]
        narrow = replace(self.data, chosen=self.data.chosen[:, block], rejected=self.data.rejected[:, block])
        head = fit_heads(narrow, objectives["bt"].thing(), rng=self.rng(f"block {block.start}")).heads[0]
        mean, scale, weight = np.zeros(wide), np.ones(wide), np.zeros((1, wide))
        mean[block], scale[block], weight[:, block] = head.mean, head.scale, head.weights[0]
        return LinearHead(mean, scale, (weight,), head.biases)


def by_head(head: LinearHead) -> Rewards:
    """A head as rewards of points."""

    def rewards(points: Points, _features: Floats, _groups: Ints) -> Floats:
        return head.rewards(points)

    return rewards


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Several embedders as one: their points next to each other."""

    embedders: Sequence[Places]

    def embed(self, prompts: Sequence[str], responses: Sequence[str]) -> Points:
        """Points of n answers, shape (n, d), d the sum of the embedders' dimensions."""
        return np.concatenate([one.embed(prompts, responses) for one in self.embedders], axis=1)
