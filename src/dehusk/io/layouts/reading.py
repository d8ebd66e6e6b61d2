"""What a layout is, and what reading one gives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import polars as pl

from dehusk.core.errors import InputError
from dehusk.core.messages import Text
from dehusk.io.layouts.messages import is_conversation

SIDES = ("chosen_score", "rejected_score")
PROMPT_KEYS = (
    *("prompt", "instruction", "question", "query", "input", "context", "context_messages", "user_input"),
    "history",  # SHP's; LLaMA-Factory's, a list of turns, is not read as text
)


@dataclass(frozen=True)
class Reading:
    """Pairs found in a raw table.

    `frame` has a line a pair: `chosen_row` and `rejected_row` (0-based raw rows, Int64; the same one in most
    layouts), `prompt`, `chosen`, `rejected` (text, possibly null), and where the layout knows them `chosen_at`
    and `rejected_at` (positions among the answers of one row), `margin`, `chosen_score`, `rejected_score`,
    `chosen_model`, `rejected_model`, and any other `chosen_x` and `rejected_x` that is known of both. `used` are
    the raw columns those came from. `unusable` has a line (`row`, `check`) for each raw row that holds no preference.
    """

    frame: pl.DataFrame
    used: tuple[str, ...]
    unusable: pl.DataFrame = field(default_factory=lambda: no_preference([], ""))
    notes: tuple[Text, ...] = ()


class Layout(Protocol):
    """A way to lay out pairs in a table; the docstring is shown by `dehusk list layouts`."""

    needs: str  # the columns it cannot do without, in words
    rows_per_pair: int

    def recognises(self, raw: pl.DataFrame) -> bool:
        """Whether the columns (and the first values) are those of this layout."""
        ...

    def read(self, raw: pl.DataFrame) -> Reading:
        """The pairs in a raw table that `recognises` accepted."""
        ...

    def write(self, pairs: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
        """The layout's own columns for `pairs`, `rows_per_pair` rows each.

        Column names and types follow `like` where it has them: the raw table being repaired, or an empty one.
        """
        ...


@runtime_checkable
class Prunes(Protocol):
    """A layout whose rows hold several pairs, and that can take single answers out of a row."""

    def prune(self, raw: pl.DataFrame, rows: pl.Series, gone: pl.Series) -> pl.DataFrame:
        """The answer columns of these 0-based `rows` without the answers at the positions in `gone`; shapes (n,)."""
        ...


class OneRow:
    """Base of the layouts that put a pair in one row."""

    rows_per_pair = 1


def no_preference(rows: Iterable[int] | pl.Series, check: str) -> pl.DataFrame:
    """Lines for `Reading.unusable`: the same check for each of these 0-based rows."""
    return pl.DataFrame({"row": pl.Series("row", rows, dtype=pl.Int64)}).with_columns(check=pl.lit(check, pl.String))


def one_row_each(raw: pl.DataFrame, **columns: pl.Expr) -> pl.DataFrame:
    """A frame of pairs with one pair a raw row."""
    return raw.select(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("chosen_row"),
        pl.int_range(pl.len(), dtype=pl.Int64).alias("rejected_row"),
        **columns,
    )


def are_conversations(raw: pl.DataFrame, *names: str) -> bool:
    """Whether all these columns are there and hold text or messages."""
    return all(name in raw.columns and is_conversation(raw.schema[name]) for name in names)


def first_of(raw: pl.DataFrame, names: Iterable[str]) -> str | None:
    """The first of these columns that the table has."""
    return next((name for name in names if name in raw.columns), None)


def scores_of(pairs: pl.DataFrame) -> pl.DataFrame:
    """Scores of the two sides (the columns `SIDES`), 1 and 0 where they are not known: only their order counts."""
    if not set(SIDES) <= set(pairs.columns):
        pairs = pairs.with_columns(pl.lit(None, pl.Float64).alias(side) for side in SIDES)
    known = pl.all_horizontal(pl.col(SIDES).is_not_null())
    return pairs.select(
        pl.when(known).then(pl.col(side)).otherwise(pl.lit(value)).alias(side)
        for side, value in zip(SIDES, (1.0, 0.0), strict=True)
    )


def scores_as_labels(pairs: pl.DataFrame) -> pl.DataFrame:
    """`scores_of` for layouts that have no other label: the chosen answer gets the higher one, 1 and 0 if none is."""
    first, second = (pl.col(side) for side in SIDES)
    equal = first == second
    return scores_of(pairs).select(
        pl.when(equal).then(1.0).otherwise(pl.max_horizontal(first, second)).alias(SIDES[0]),
        pl.when(equal).then(0.0).otherwise(pl.min_horizontal(first, second)).alias(SIDES[1]),
    )


def prompt_of(raw: pl.DataFrame) -> str | None:
    """The column that holds the prompt."""
    return next((name for name in PROMPT_KEYS if are_conversations(raw, name)), None)


def required(name: str | None, what: str) -> str:
    """The column name, when `recognises` has been skipped by the user's own choice of layout.

    Raises:
        InputError: when it is not there.
    """
    if name is None:
        raise InputError(f"no column holds the {what}")
    return name
