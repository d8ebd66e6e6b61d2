"""Which texts go through a network together: texts of like length, and texts that begin alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dehusk.core.tables import Ints

A_CALL = (
    128  # tokens that another forward pass costs on top of its own; 20 to 60 of a 135M model, and small gains are noise
)


class Group(NamedTuple):
    """Texts whose first `shared` tokens are the same and are computed once; 0 shared, nothing is."""

    shared: int
    batches: tuple[Ints, ...]  # rows of each batch; without the shared tokens its rows are of like length


def plan(ids: Sequence[list[int]], starts: Sequence[int], tokens: int, *, share: bool) -> list[Group]:
    """Put n texts into batches, longest first.

    Args:
        ids: Tokens of each text, at least one.
        starts: The first token of each text whose hidden state is wanted: what comes before it may be shared.
        tokens: Most tokens a batch, padding included; a longer text goes alone.
        share: Whether tokens that several texts begin with may be computed once.

    Returns:
        Groups that hold every row once.
    """
    alike = _alike(ids, starts) if share else []
    together = {row for _, rows in alike for row in rows}
    alone = np.array([row for row in range(len(ids)) if row not in together], dtype=np.int64)
    groups = [Group(shared, _of_like_length(ids, np.array(rows), shared, tokens)) for shared, rows in alike]
    groups.append(Group(0, _of_like_length(ids, alone, 0, tokens)))
    return groups


def _of_like_length(ids: Sequence[Sequence[int]], rows: Ints, shared: int, tokens: int) -> tuple[Ints, ...]:
    """Batches of at most `tokens` tokens, each padded to its longest row, which comes first."""
    lengths = np.array([len(ids[row]) - shared for row in rows], dtype=np.int64)
    order = rows[np.argsort(-lengths, kind="stable")]
    batches, start = [], 0
    while start < order.size:
        rows_that_fit = max(tokens // (len(ids[order[start]]) - shared), 1)
        batches.append(order[start : start + rows_that_fit])
        start += rows_that_fit
    return tuple(batches)


def _alike(ids: Sequence[list[int]], starts: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Groups of texts that begin alike, (shared tokens, rows), where computing the beginning once pays.

    In the order of a dictionary a text's nearest relatives stand beside it. A group takes in the next text as long as
    that saves tokens, although what all of them share may become shorter.
    """
    order = sorted(range(len(ids)), key=ids.__getitem__)
    found: list[tuple[int, list[int]]] = []
    members: list[int] = []
    shared = 0
    for row in order:
        common = min(shared, _common(ids[members[-1]], ids[row]), starts[row]) if members else 0
        if members and len(members) * common > (len(members) - 1) * shared:
            members.append(row)
            shared = common
        else:
            _keep(found, members, shared)
            members, shared = [row], starts[row]
    _keep(found, members, shared)
    return found


def _keep(found: list[tuple[int, list[int]]], members: list[int], shared: int) -> None:
    if (len(members) - 1) * shared > 2 * A_CALL:  # a group needs a pass for its beginning, and one of its own
        found.append((shared, members))


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Tokens that two texts begin with."""
    least = min(len(one), len(other))
    differ = np.flatnonzero(np.asarray(one[:least]) != np.asarray(other[:least]))
    return int(differ[0]) if differ.size else least
