"""The tables that cross layers: thin frozen wrappers, checked once when they are made.

`group` is the cluster of a prompt: every bootstrap, fold and split goes by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.kinds import Feature

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Column:
    """One column a table must, or may, have."""

    name: str
    dtype: type[pl.DataType]
    required: bool = True


@dataclass(frozen=True, eq=False)
class Table:
    """A frame with the columns its class declares; other columns are kept untouched.

    Two tables are equal only if they are one and the same, so what was computed from a table can be kept beside it.
    """

    frame: pl.DataFrame
    columns: ClassVar[tuple[Column, ...]] = ()

    def __post_init__(self) -> None:
        """Check names, types and missing values.

        Raises:
            InputError: naming the column and what was expected of it.
        """
        name = type(self).__name__
        for column in self.columns:
            if column.name not in self.frame.columns:
                if column.required:
                    raise InputError(f"no column {column.name!r}", where=name, expected=str(column.dtype()))
                continue
            found = self.frame.schema[column.name]
            if found != column.dtype:
                raise InputError(f"column {column.name!r} is {found}", where=name, expected=str(column.dtype()))
            if column.required and self.frame[column.name].null_count():
                row = int(self.frame[column.name].is_null().arg_max() or 0) + 1
                raise InputError(f"column {column.name!r} is empty", where=name, row=row)

    def __len__(self) -> int:
        """Count the rows."""
        return self.frame.height

    @cached_property
    def groups(self) -> Ints:
        """Prompt clusters as integers 0 … g−1, shape (n,)."""
        clusters: Ints = self.frame["group"].rank("dense").to_numpy().astype(np.int64) - 1
        return clusters


@dataclass(frozen=True, eq=False)
class Pairs(Table):
    """Preference pairs: n rows, the first answer preferred to the second."""

    columns: ClassVar[tuple[Column, ...]] = (
        Column("pair_id", pl.String),
        Column("row", pl.Int64),  # 1-based row of the file the pair came from
        Column("prompt", pl.String),
        Column("chosen", pl.String),
        Column("rejected", pl.String),
        Column("weight", pl.Float64),
        Column("group", pl.String),
        Column("source", pl.String, required=False),
        Column("margin", pl.Float64, required=False),
        Column("lang", pl.String, required=False),
        Column("chosen_model", pl.String, required=False),
        Column("rejected_model", pl.String, required=False),
        Column("chosen_score", pl.Float64, required=False),
        Column("rejected_score", pl.Float64, required=False),
    )


@dataclass(frozen=True, eq=False)
class Responses(Table):
    """Model answers: n rows, one or more stages of a pipeline on the same prompts."""

    stages: tuple[str, ...] = ()  # the order of the pipeline, earliest first
    columns: ClassVar[tuple[Column, ...]] = (
        Column("response_id", pl.String),
        Column("row", pl.Int64),
        Column("prompt", pl.String),
        Column("response", pl.String),
        Column("stage", pl.String),
        Column("group", pl.String),
        Column("step", pl.Int64, required=False),
        Column("score", pl.Float64, required=False),
        Column("gold", pl.Float64, required=False),  # a score that the reward model was not made from
    )

    def __post_init__(self) -> None:
        """Check the columns, and that the stages named are the stages present."""
        super().__post_init__()
        present = self.frame["stage"].unique(maintain_order=True).to_list()
        if not self.stages:
            object.__setattr__(self, "stages", tuple(present))
        elif set(self.stages) != set(present):
            raise InputError(f"stages {sorted(present)} in the data", where="Responses", expected=str(self.stages))

    def at(self, stage: str) -> Ints:
        """Row numbers of one stage, shape (m,)."""
        return np.flatnonzero((self.frame["stage"] == stage).to_numpy())


@dataclass(frozen=True, eq=False)
class Checks(Table):
    """What was noticed row by row while reading: one line a row and check, whether or not the row was kept."""

    columns: ClassVar[tuple[Column, ...]] = (
        Column("row", pl.Int64),  # 1-based row of the file
        Column("check", pl.String),  # "empty", "identical", "near_identical", "duplicate", …
        Column("side", pl.String),  # "chosen", "rejected", "response", "prompt" or "pair"
        Column("kept", pl.Boolean),  # False where the row could not be used
    )


@dataclass(frozen=True, eq=False)
class ResponseChecks(Checks):
    """What was noticed on responses: rows are counted within a file, so each line names its response too."""

    columns: ClassVar[tuple[Column, ...]] = (
        *Checks.columns,
        Column("response_id", pl.String),
        Column("stage", pl.String),
        Column("group", pl.String),
    )


@dataclass(frozen=True, eq=False)
class Counterfactuals(Table):
    """Answers beside a rewrite that adds one feature: what a person made to test a reward model with."""

    columns: ClassVar[tuple[Column, ...]] = (
        Column("row", pl.Int64),
        Column("prompt", pl.String),
        Column("original", pl.String),
        Column("edited", pl.String),
        Column("feature", pl.String),  # what was added: "length", "structure", …
        Column("group", pl.String),
        Column("human", pl.Float64, required=False),  # share of people who prefer the edited answer
    )


@dataclass(frozen=True, eq=False)
class TrainLog(Table):
    """What a trainer wrote: one number a step and metric, long form, metrics under one vocabulary."""

    framework: str = "unknown"  # "trl", "verl", "openrlhf", "llama-factory", "ms-swift", "unknown"
    task: str = "unknown"  # "reward_model", "dpo", "kto", "ppo", "grpo", "sft", "unknown"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("step", pl.Int64),
        Column("metric", pl.String),  # our name where the key is known, else the key itself
        Column("value", pl.Float64),
        Column("key", pl.String),  # as the trainer wrote it
        Column("epoch", pl.Float64, required=False),
    )


@dataclass(frozen=True, eq=False)
class Scores:
    """What reward models said of every text: one frame a side, one column a model, rows aligned with the table scored.

    Sides are "chosen" and "rejected" (rows of `Pairs`), "response" (rows of `Responses`), "original" and "edited" (rows
    of `Counterfactuals`). A text without a score is null.
    """

    models: tuple[str, ...]  # earliest checkpoint first; the last is the one audited
    frames: Mapping[str, pl.DataFrame]

    @property
    def main(self) -> str:
        """The model that is audited; the others are compared with it."""
        return self.models[-1]

    def of(self, side: str, model: str | None = None) -> Floats:
        """Scores of one side by one model (the main one when absent), shape (n,), NaN without a score.

        Raises:
            NotEnoughData: nothing on that side was scored.
        """
        name = self.main if model is None else model
        if side not in self.frames or name not in self.frames[side].columns:
            raise NotEnoughData("scores")
        return self.frames[side][name].cast(pl.Float64).fill_null(float("nan")).to_numpy()


TABLE_OF = MappingProxyType({"chosen": "pairs", "rejected": "pairs", "response": "responses"})


@dataclass(frozen=True, eq=False)
class Measures:
    """Every feature of every text: one frame a side, rows aligned with the table measured.

    Sides are "chosen" and "rejected" (rows of `Pairs`) and "response" (rows of `Responses`).
    A mined feature may be tested only on groups that were not used to find it: `values` gives NaN
    on the others, `all_values` gives everything (for describing, not for testing). A feature mined from
    pairs is free of that limit on responses, and the other way round.
    """

    features: tuple[Feature, ...]
    frames: Mapping[str, pl.DataFrame]
    held_out: Mapping[str, Bools]  # side -> (n,) True where mined features may be tested

    def __getitem__(self, name: str) -> Feature:
        """Return the feature called `name`."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Feature]:
        return {feature.name: feature for feature in self.features}

    def on(self, side: str) -> tuple[Feature, ...]:
        """Features measured on a side, in order."""
        present = set(self.frames[side].columns) if side in self.frames else set()
        return tuple(feature for feature in self.features if feature.name in present)

    def rows(self, index: Ints) -> Measures:
        """Of some pairs only: the sides "chosen" and "rejected"."""
        sides = [side for side in ("chosen", "rejected") if side in self.frames]
        frames = {side: self.frames[side][index] for side in sides}
        return Measures(self.features, frames, {side: self.held_out[side][index] for side in sides})

    def all_values(self, side: str, name: str) -> Floats:
        """Values of one feature on one side, shape (n,), for descriptions."""
        return self.frames[side][name].cast(pl.Float64).to_numpy()

    def values(self, side: str, name: str) -> Floats:
        """Values of one feature, shape (n,), NaN where the feature must not be tested."""
        values = self.all_values(side, name)
        if self._by_name[name].discovered == TABLE_OF[side]:
            values = np.where(self.held_out[side], values, np.nan)
        return values
