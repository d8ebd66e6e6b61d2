"""Prompts that may stand in for each other: of another pair, alike in language and length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from dehusk.core.errors import NotEnoughData
from dehusk.text.language import mainly_chinese

Ints = np.ndarray[Any, np.dtype[np.int64]]
NEAR = 12  # prompts nearest in length, one of which is drawn


def foreign_rows(prompts: Sequence[str], groups: Ints, rng: np.random.Generator) -> Ints:
    """For each of n rows another row whose prompt can take the place of its own, shape (n,).

    Of every group one prompt is up for choice. They are sorted by length within their language, and one of the `NEAR`
    neighbours is drawn, all alike likely; where a language has only one prompt, it takes one of the other language.

    Args:
        prompts: Prompt of each row.
        groups: Cluster of each prompt, shape (n,): none of its own cluster is drawn.
        rng: Which neighbour.

    Raises:
        NotEnoughData: fewer than two groups with a prompt that is not empty.

    >>> foreign_rows(["why", "why", "who"], np.array([0, 0, 1]), np.random.default_rng(0)).tolist()
    [2, 2, 0]
    """
    texts = pl.DataFrame({"prompt": pl.Series(prompts, dtype=pl.String)}).select(
        length=pl.col("prompt").str.len_chars(),
        chinese=mainly_chinese(pl.col("prompt")),
        spoken=pl.col("prompt").str.strip_chars() != "",
    )
    length, chinese, spoken = (texts[name].to_numpy() for name in ("length", "chinese", "spoken"))
    rows = np.flatnonzero(spoken)
    ready = rows[np.unique(groups[rows], return_index=True)[1]]  # the first of each group
    if ready.size < 2:
        raise NotEnoughData(f"at least 2 prompts, got {ready.size}")
    found = np.empty(len(groups), dtype=np.int64)
    for language in (False, True):
        asking = np.flatnonzero(chinese == language)
        offered = ready[chinese[ready] == language]
        offered = offered if offered.size > 1 else ready
        offered = offered[np.argsort(length[offered], kind="stable")]
        found[asking] = _near(asking, offered, length, groups, rng)
    return found


def _near(asking: Ints, offered: Ints, length: Any, groups: Ints, rng: np.random.Generator) -> Ints:
    """One of the rows on offer, sorted by length, for each row that asks: near it, and of another group."""
    place = {int(groups[row]): at for at, row in enumerate(offered)}
    own = np.array([place.get(int(groups[row]), -1) for row in asking], dtype=np.int64)
    at = np.where(own >= 0, own, np.searchsorted(length[offered], length[asking]))
    near = min(NEAR, offered.size - 1)
    low = np.clip(at - near // 2, 0, offered.size - 1 - near)
    drawn = low + rng.integers(near, size=asking.size)
    drawn += (own >= 0) & (drawn >= own)  # one further, so that its own is never drawn
    found: Ints = offered[np.minimum(drawn, offered.size - 1)]
    return found
