"""Answers to other prompts, and the frame in which added pairs are handed over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from dehusk.core.tables import Bools, Ints, Pairs
from dehusk.text.foreign import foreign_rows

TRIES = 20  # draws for a second prompt that is not the first
SCHEMA = {"of": pl.Int64, "chosen": pl.String, "rejected": pl.String, "tie": pl.Boolean, "times": pl.Float64}


def others(pairs: Pairs, count: int, rng: np.random.Generator) -> Ints:
    """For each pair `count` pairs of different other prompts, alike in language and length, shape (n, count).

    −1 where there are not so many. The prompt is drawn first (see `text.foreign`), then one of its pairs.

    Args:
        pairs: The preference pairs.
        count: Other prompts wanted.
        rng: Which ones.

    Raises:
        NotEnoughData: fewer than two prompts.
    """
    prompts, groups = pairs.frame["prompt"].to_list(), pairs.groups
    order = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups)
    first = np.cumsum(sizes) - sizes
    found = np.full((len(pairs), count), -1)
    for column in range(count):
        for _ in range(TRIES):
            again = np.flatnonzero(found[:, column] < 0)
            if not again.size:
                break
            drawn = groups[foreign_rows(prompts, groups, rng)[again]]
            known = np.where(found[again, :column] >= 0, groups[found[again, :column]], -1)
            new: Bools = (known != drawn[:, None]).all(axis=1)
            row = order[first[drawn] + rng.integers(sizes[drawn])]
            found[again[new], column] = row[new]
    return found


def gathered(
    pairs: Pairs, of: Ints, chosen: tuple[str, Ints], rejected: tuple[str, Ints], *, tie: bool
) -> pl.DataFrame:
    """Added pairs made of answers that stand in the data.

    Args:
        pairs: The preference pairs.
        of: Rows of the pairs whose prompts they have, shape (m,).
        chosen: Side ("chosen" or "rejected") and rows, shape (m,), of their better answers.
        rejected: The same of their worse ones.
        tie: Whether neither is better.
    """
    sides = {
        name: pairs.frame[side].gather(rows) for name, (side, rows) in (("chosen", chosen), ("rejected", rejected))
    }
    return pl.DataFrame({"of": of, **sides}).with_columns(tie=pl.lit(tie), times=pl.lit(1.0)).cast(SCHEMA)  # type: ignore[arg-type]


def made(lines: Sequence[tuple[int, str, str, bool, float]]) -> pl.DataFrame:
    """Added pairs made of new texts, from (of, chosen, rejected, tie, times)."""
    return pl.DataFrame(lines, schema=SCHEMA, orient="row")
