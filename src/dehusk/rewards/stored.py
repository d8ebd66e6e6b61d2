"""Scores that are never computed twice: looked up first, computed a slice at a time, kept slice by slice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from dehusk.core.kinds import RewardModel
from dehusk.core.tables import Floats
from dehusk.rewards.answers import as_scores
from dehusk.rewards.store import Store, key

Pair = tuple[str, str]  # prompt and response

SLICE = 64  # texts that a killed run may have to score again


class Stored:
    """A reward model behind a store.

    The model may say more about itself. `identity`, a string or None, names everything that its scores depend
    on; without one nothing is kept on disk, but equal texts of one call are still scored once. `texts_a_call`, an
    integer or None, is how many texts it wants at a time (`SLICE` when it does not say, all of them when None). A
    model that knows best what goes together has `in_parts`: it gets all texts as `score` does, and yields rows of
    them with their scores.

    `model` is the model itself, for a probe that must ask it again or that changes what it reads (`TextScorer`).
    `progress` is called with the different texts done and those in all.
    """

    def __init__(self, model: RewardModel, store: Store | None = None) -> None:
        """Put `model` behind `store`."""
        self.model, self.name = model, model.name
        self.identity: str | None = getattr(model, "identity", None)
        self.store = store if self.identity is not None else None
        self.progress: Callable[[int, int], None] = lambda done, total: None

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> Floats:  # noqa: D102 - see the protocol
        asked = list(zip(prompts, responses, strict=True))
        known = self._kept(list(dict.fromkeys(asked)))
        missing = list(dict.fromkeys(pair for pair in asked if pair not in known))
        total = len(known) + len(missing)
        self.progress(len(known), total)
        for some, answer in self._answers(missing):
            scores = as_scores(answer, len(some), self.name)
            if self.store is not None:
                self.store.put({self._key(pair): scores[i : i + 1] for i, pair in enumerate(some)})
            known.update(zip(some, scores.tolist(), strict=True))
            self.progress(len(known), total)
        return np.array([known[pair] for pair in asked], dtype=np.float64)

    def _answers(self, pairs: list[Pair]) -> Iterator[tuple[list[Pair], Any]]:
        """Some of the texts and what the model says of them, until it has answered for all."""
        if hasattr(self.model, "in_parts"):
            for rows, answer in self.model.in_parts(*_apart(pairs)):
                yield [pairs[row] for row in rows], answer
            return
        # Longest first: what does not fit into memory fails at once, and the time left is never promised too short.
        ordered = sorted(pairs, key=_length, reverse=True)
        size = getattr(self.model, "texts_a_call", SLICE) or max(len(pairs), 1)
        for start in range(0, len(ordered), size):
            some = ordered[start : start + size]
            yield some, self.model.score(*_apart(some))

    def _kept(self, pairs: list[Pair]) -> dict[Pair, float]:
        if self.store is None:
            return {}
        keys = {self._key(pair): pair for pair in pairs}
        return {keys[name]: float(value[0]) for name, value in self.store.get(list(keys)).items() if len(value) == 1}

    def _key(self, pair: Pair) -> bytes:
        return key(self.identity or "", "score", *pair)


def _apart(pairs: list[Pair]) -> tuple[list[str], list[str]]:
    return [prompt for prompt, _ in pairs], [response for _, response in pairs]


def _length(pair: Pair) -> int:
    return len(pair[0]) + len(pair[1])
