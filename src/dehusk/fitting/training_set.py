"""What a head is fitted on: the points of both answers of every pair, and their features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.tables import Bools, Floats, Ints, Measures, Pairs
from dehusk.text.foreign import foreign_rows

Points = np.ndarray[Any, np.dtype[np.float32]]


class Places(Protocol):
    """What puts an answer, given its prompt, at a point: `rewards.embedding.Embedder`, or a test's own."""

    def embed(self, prompts: Sequence[str], responses: Sequence[str]) -> Points:
        """Points of n answers, shape (n, d)."""
        ...


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """n pairs as points of d dimensions (of one layer, or of several side by side) with k features."""

    chosen: Points  # (n, d)
    rejected: Points  # (n, d)
    names: tuple[str, ...]  # k features
    chosen_features: Floats  # (n, k), in their own units
    rejected_features: Floats  # (n, k)
    weight: Floats  # (n,)
    groups: Ints  # (n,), cluster of the prompt
    foreign_chosen: Points | None = None  # (n, d), the same answers under another prompt
    foreign_rejected: Points | None = None  # (n, d)
    margin: Floats | None = None  # (n,), by how much the chosen answer should win

    def __len__(self) -> int:
        """Count the pairs."""
        return len(self.chosen)

    def rows(self, index: Ints | Bools) -> TrainingSet:
        """Some of the pairs, by number (repeats allowed) or by mask."""
        parts = {
            name: value if name == "names" or value is None else value[index] for name, value in vars(self).items()
        }
        return TrainingSet(**parts)


def training_set(
    pairs: Pairs,
    measures: Measures,
    embedder: Places,
    features: Sequence[str],
    rng: np.random.Generator,
    *,
    foreign: bool = False,
) -> TrainingSet:
    """Embed pairs and lay their features beside them.

    A feature that means nothing in a row's language gets the mean of the rows where it does: no difference within the
    pair, and nothing that stands out between pairs.

    Args:
        pairs: The preference pairs; `margin`, if there is such a column, is the margin to reach (0 where empty).
        measures: Features of both sides.
        embedder: Puts answers at points; what it has in its store is not computed again.
        features: Which features, in this order.
        rng: Draws the foreign prompts.
        foreign: Embed the answers under another prompt of like length and language too.

    Raises:
        NotEnoughData: no pairs; with `foreign`, fewer than two prompts.
    """
    if not len(pairs):
        raise NotEnoughData("at least 1 pair, got 0")
    prompts = pairs.frame["prompt"].to_list()
    answers = [pairs.frame[side].to_list() for side in ("chosen", "rejected")]
    both = prompts * 2
    points = embedder.embed(both, answers[0] + answers[1])
    n, others = len(prompts), None
    if foreign:
        drawn = [prompts[row] for row in foreign_rows(prompts, pairs.groups, rng)]
        others = embedder.embed(drawn * 2, answers[0] + answers[1])
    values = feature_values(measures, features)
    margin = pairs.frame["margin"].fill_null(0).to_numpy() if "margin" in pairs.frame.columns else np.zeros(n)
    return TrainingSet(
        chosen=points[:n],
        rejected=points[n:],
        names=tuple(features),
        chosen_features=values[:n],
        rejected_features=values[n:],
        weight=pairs.frame["weight"].to_numpy(),
        groups=pairs.groups,
        foreign_chosen=None if others is None else others[:n],
        foreign_rejected=None if others is None else others[n:],
        margin=margin if margin.any() else None,
    )


def feature_values(measures: Measures, features: Sequence[str]) -> Floats:
    """Features of the chosen answers above those of the rejected ones, shape (2n, k), without gaps."""
    columns = []
    for name in features:
        column = np.concatenate([measures.all_values(side, name) for side in ("chosen", "rejected")])
        known = np.isfinite(column)
        columns.append(np.where(known, column, column[known].mean() if known.any() else 0.0))
    rows = len(measures.frames["chosen"]) * 2
    return np.stack(columns, axis=1) if columns else np.empty((rows, 0))
