"""What people write into a column that says which of two answers won."""

from __future__ import annotations

import polars as pl

from dehusk.core.errors import InputError
from dehusk.core.messages import Text, say

TIES = {"tie", "ties", "tied", "draw", "both", "neither", "none", "equal", "same", "no preference", "both_bad"}
TIES |= {"[[c]]", "bothbad", "both bad", "tie (bothbad)", "tie_bothbad", "", "平局", "一样"}
FIRST = {"a", "first", "left", "model_a", "model_1", "assistant_a", "option_a", "[[a]]", "one"}
SECOND = {"b", "second", "right", "model_b", "model_2", "assistant_b", "option_b", "[[b]]", "two"}
MOST_VALUES = 40  # a label has few distinct values; more of them are something else (or soft labels, which are numbers)


def numbers(column: pl.Series) -> pl.Series | None:
    """The column as Float64, NaN as null, if every value is a number (also one written as text); None otherwise."""
    if column.dtype.is_nested() or column.dtype == pl.Boolean:
        return None
    found = column.cast(pl.Float64, strict=False)
    return found.fill_nan(None) if found.null_count() == column.null_count() < len(column) else None


def looks_like_label(column: pl.Series, names: tuple[str, str]) -> bool:
    """Whether the values of a column can say which of the two named answers won."""
    if column.dtype.is_nested() or column.dtype.is_temporal():
        return False
    if column.dtype == pl.Boolean or numbers(column) is not None:
        return True
    values = column.cast(pl.String).drop_nulls().unique()
    return 0 < len(values) <= MOST_VALUES and all(_word(value, names) is not None for value in values)


def sides(column: pl.Series, names: tuple[str, str]) -> tuple[pl.Series, pl.Series, Text]:
    """Read a label column.

    Args:
        column: The labels, shape (n,).
        names: Names of the first and the second answer.

    Returns:
        Side that won (0 first, 1 second, null for a tie; Int8), margin (Float64, null where labels are plain)
        and a sentence that says how the labels were understood.

    Raises:
        InputError: labels whose meaning cannot be told.
    """
    nothing = pl.Series("margin", [None] * len(column), dtype=pl.Float64)
    values = numbers(column)
    if values is not None:
        return _numeric(values, names)
    if column.dtype == pl.Boolean:
        raise InputError(
            f"label {column.name!r} is true or false, which does not say which answer won",
            expected=f"{names[0]} or {names[1]}, a or b, 1 or 2",
        )
    words = column.cast(pl.String)
    known = {value: _word(value, names) for value in words.drop_nulls().unique().sort()}
    strange = [value for value, side in known.items() if side is None]
    if strange:
        raise InputError(
            f"label {strange[0][:60]!r} in column {column.name!r}", expected=f"{names[0]} or {names[1]}, a or b, tie"
        )
    side = words.replace_strict({value: None if side == 2 else side for value, side in known.items()}, default=None)
    words_of = [next((value for value, side in known.items() if side == place), None) for place in (0, 1)]
    note = _note(column.name, words_of, names)
    return side.cast(pl.Int8).alias("side"), nothing, note


def label_values(column: pl.Series | None, names: tuple[str, str]) -> tuple[str, str]:
    """How an existing column writes "first" and "second"; A and B where there is none."""
    if column is None or not len(column):
        return "A", "B"
    side, _, _ = sides(column, names)
    texts = column.cast(pl.String)
    found = [texts.filter(side == place).drop_nulls().head(1).to_list() for place in (0, 1)]
    return (found[0] or [names[0]])[0], (found[1] or [names[1]])[0]


def _word(value: str, names: tuple[str, str]) -> int | None:
    """0 for the first answer, 1 for the second, 2 for a tie, None for anything else."""
    word = value.strip().lower()
    ends = [name.lower() for name in names]
    first = FIRST | {ends[0], ends[0].rsplit("_", 1)[-1]}
    second = SECOND | {ends[1], ends[1].rsplit("_", 1)[-1]}
    return 0 if word in first else 1 if word in second else 2 if word in TIES else None


def _numeric(values: pl.Series, names: tuple[str, str]) -> tuple[pl.Series, pl.Series, Text]:
    """Labels 1/2 (between them: soft labels; 0: tie), or 0/1 (the first answer is 0, in SHP it is 1)."""
    seen = values.drop_nulls().unique()
    low, high = float(seen.filter(seen != 0).min() or 0), float(seen.max() or 0)  # type: ignore[arg-type]
    whole = bool((seen == seen.round()).all())
    only_ones = seen.to_list() == [1] and names[0].endswith("1")  # response_1 always won: no 0 says otherwise
    if only_ones or (not names[0].endswith("0") and low >= 1 and 1 < high <= 2):
        middle, first, second = 1.5, "1", "2"
        values = pl.select(pl.when(values != 0).then(values)).to_series()
    elif whole and high <= 1 and low >= 0:
        middle, first, second = 0.5, "0", "1"
    else:
        expected = f"1 for {names[0]}, 2 for {names[1]}; or 0 and 1"
        raise InputError(f"labels from {low:g} to {high:g} in column {values.name!r}", expected=expected)
    distance = (values - middle) * (-1 if names[0].startswith("human_ref") else 1)
    if names[0].startswith("human_ref"):
        first, second = second, first
    side = pl.select(pl.when(distance != 0).then(distance > 0)).to_series().cast(pl.Int8).alias("side")
    margin = pl.Series("margin", [None] * len(values), dtype=pl.Float64) if whole else distance.abs() * 2
    won = [word if (side == place).any() else None for place, word in ((0, first), (1, second))]
    return side, margin.alias("margin"), _note(values.name, won, names)


def _note(column: str, words: list[str | None], names: tuple[str, str]) -> Text:
    """How labels were understood; where only one of the answers ever wins, that it is so."""
    first, second = words
    if first is None or second is None:
        place = 0 if second is None else 1
        return say("io.one_label", column=column, label=words[place] or "", answer=names[place], other=names[1 - place])
    return say("io.labels", column=column, first=first, first_answer=names[0], second=second, second_answer=names[1])
