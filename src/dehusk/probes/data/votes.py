"""Repeated judgements of one comparison: votes in a column, and pairs that stand in the file more than once."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np
import polars as pl

from dehusk.core.tables import Floats, Ints, Pairs

COLUMNS = ("votes", "extra")  # a list, JSON text of one, or a JSON object that holds "votes" and "chosen_position"


class Repeats(NamedTuple):
    """Comparisons judged at least twice: votes for the first answer, votes in all, cluster of each, shape (m,)."""

    first: Floats
    total: Floats
    clusters: Ints

    def disagreement(self) -> Floats:
        """Chance that two of the judgements of a comparison differ, shape (m,); unbiased for any number of them."""
        return 2 * self.first * (self.total - self.first) / (self.total * (self.total - 1))


def from_votes(pairs: Pairs) -> Repeats | None:
    """Votes for the chosen answer from the `votes` or `extra` column; None where no comparison has two."""
    for column in COLUMNS:
        if column not in pairs.frame.columns:
            continue
        counted = [_counted(value) for value in _plain(pairs.frame[column])]
        rows = np.array(
            [row for row, votes in enumerate(counted) if votes is not None and votes[1] > 1], dtype=np.int64
        )
        if rows.size:
            for_chosen, total = np.array([counted[row] for row in rows], dtype=np.float64).T
            return Repeats(for_chosen, total, pairs.groups[rows])
    return None


def from_repeats(pairs: Pairs) -> Repeats | None:
    """Votes from pairs of the same prompt and the same two answers; None where none stands twice."""
    first = pl.min_horizontal("chosen", "rejected")
    second = pl.max_horizontal("chosen", "rejected")
    repeated = (
        pairs.frame.select("prompt", first=first, second=second, won=pl.col("chosen") == first)
        .with_columns(cluster=pl.Series(pairs.groups))
        .filter(pl.col("first") != pl.col("second"))
        .group_by("prompt", "first", "second", maintain_order=True)
        .agg(pl.col("won").sum().cast(pl.Float64), total=pl.len().cast(pl.Float64), cluster=pl.col("cluster").first())
        .filter(pl.col("total") > 1)
    )
    if not repeated.height:
        return None
    return Repeats(repeated["won"].to_numpy(), repeated["total"].to_numpy(), repeated["cluster"].to_numpy())


def _plain(column: pl.Series) -> list[object]:
    if column.dtype != pl.String:
        return column.to_list()
    return [_parsed(text) for text in column]


def _parsed(text: str | None) -> object:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None


def _counted(value: object) -> tuple[int, int] | None:
    """Votes for chosen and in all; a vote is a position, or ends in one; ties and anything else do not count."""
    position: object = 1
    if isinstance(value, dict):
        position, value = value.get("chosen_position", 1), value.get("votes")
    if not isinstance(value, list):
        return None
    votes = [vote[-1] if isinstance(vote, list) and vote else vote for vote in value]
    valid = [vote for vote in votes if vote in (1, 2) and not isinstance(vote, bool)]
    return sum(vote == position for vote in valid), len(valid)
