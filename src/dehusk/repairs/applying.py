"""A plan carried out: pairs left out, weighted, turned around and added, in the order they were in."""

from __future__ import annotations

import polars as pl

from dehusk.core.plans import Plan
from dehusk.core.tables import Pairs


def apply(plan: Plan, pairs: Pairs) -> Pairs:
    """The repaired pairs: kept ones in their order with the plan's weights and columns, then the added ones.

    Where a pair is turned around, everything known of its two answers (texts, models, scores and any other columns
    named alike after `chosen_` and `rejected_`) changes places; its margin, how strongly the label speaks, stays. Added
    pairs have nulls where the plan's columns, or those of the file, say nothing of them.
    """
    beside = [pl.Series(name, values, dtype=pl.Float64) for name, values in plan.columns.items()]
    frame = pairs.frame.with_columns(pl.Series("weight", plan.weight), *beside)
    if plan.flipped is not None:
        frame = _turned(frame, pl.Series("turned", plan.flipped))
    frame = frame.filter(pl.Series(plan.kept))
    if plan.added is not None:
        frame = pl.concat([frame, plan.added.frame], how="diagonal_relaxed")
    return Pairs(frame)


def _turned(frame: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    there = pl.lit(rows)
    sides = [("chosen", "rejected")]
    names = [name.removeprefix("chosen_") for name in frame.columns if name.startswith("chosen_")]
    sides += [(f"chosen_{name}", f"rejected_{name}") for name in names if f"rejected_{name}" in frame.columns]
    changes = [pl.when(there).then(pl.col(b)).otherwise(pl.col(a)).alias(a) for x in sides for a, b in (x, x[::-1])]
    return frame.with_columns(changes)
