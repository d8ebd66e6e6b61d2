"""Reading counterfactual pairs: answers beside a rewrite that adds one feature."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from dehusk.core.errors import InputError
from dehusk.core.messages import say
from dehusk.core.run import InputRecord
from dehusk.core.tables import Counterfactuals
from dehusk.io.columns import mapping, prepared, renamed, untouched
from dehusk.io.files import read_raw
from dehusk.io.layouts.messages import plain, reply
from dehusk.io.layouts.reading import PROMPT_KEYS, are_conversations, first_of
from dehusk.io.prompts import clusters

ALIASES: Mapping[str, tuple[str, ...]] = {  # the first that a file has counts
    "prompt": PROMPT_KEYS,
    "original": ("original", "base_response", "base", "original_response", "before", "unedited"),
    "edited": ("edited", "perturbed_response", "perturbed", "edited_response", "rewritten", "rewrite", "after"),
    "feature": ("feature", "bias", "attribute", "perturbation", "edit"),
    "human": ("human", "human_rate", "human_share", "prefer_edited"),
}
_TEXTS = ("prompt", "original", "edited")
_OWN = {column.name for column in Counterfactuals.columns}


def read_counterfactuals(
    path: str, *, columns: Mapping[str, str], lang: str = "en"
) -> tuple[Counterfactuals, InputRecord]:
    """Read a table with prompt, original, edited and feature, and perhaps the share of people who prefer the edited.

    Args:
        path: A file of any format that pairs may have.
        columns: Canonical name -> column of the file; names that belong to other tables are passed over.
        lang: Language of the notes in the record.

    Raises:
        InputError: a column that is missing or of a wrong type, or not one row with both answers.
    """
    raw = read_raw(path)
    mapped = {name: column for name, column in columns.items() if name in ALIASES}
    frame = prepared(renamed(raw.frame, mapped, path), path, raw.opaque)
    found = {name: _column(frame, name, path) for name in ("prompt", "original", "edited", "feature")}
    share = first_of(frame, ALIASES["human"])
    texts = frame.select(
        plain(found["prompt"], frame.schema[found["prompt"]]).fill_null("").alias("prompt"),
        *(reply(found[name], frame.schema[found[name]]).alias(name) for name in ("original", "edited")),
        pl.col(found["feature"]).cast(pl.String).alias("feature"),
    )
    table = pl.concat(
        [
            texts.select(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("row"), pl.all()),
            pl.DataFrame([clusters(texts["prompt"]), *([] if share is None else [_shares(frame[share], path)])]),
            untouched(frame, {*_OWN, *found.values()} | ({share} if share else set())),
        ],
        how="horizontal",
    )
    whole = table.filter(pl.all_horizontal(pl.col("original", "edited").str.strip_chars().str.len_chars() > 0))
    if not len(whole):
        raise InputError("no row with both answers", where=path, expected="an original and an edited answer a row")
    notes = [say("io.mapped", column=column, name=name) for name, column in mapped.items()]
    if lost := len(table) - len(whole):
        notes.append(say("io.left_out", count=lost, reason=say("io.check.empty")))
    said = tuple(note.render(lang) for note in notes)
    return Counterfactuals(whole), InputRecord("counterfactuals", path, raw.kind, len(table), raw.sha256, said)


def _column(frame: pl.DataFrame, name: str, path: str) -> str:
    """The column that holds a part of the table.

    Raises:
        InputError: when there is none, or it is neither text nor messages.
    """
    found = first_of(frame, ALIASES[name])
    if found is None:
        shown = ", ".join(frame.columns[:12])
        fix = mapping({name: "COLUMN"})
        raise InputError(f"no {name} in columns {shown}", where=path, expected=" or ".join(ALIASES[name][:3]), fix=fix)
    if name in _TEXTS and not are_conversations(frame, found):
        raise InputError(f"column {found!r} is {frame.schema[found]}", where=path, expected="text or messages")
    return found


def _shares(column: pl.Series, path: str) -> pl.Series:
    """Shares of people, shape (n,), null where nobody was asked.

    Raises:
        InputError: with the row of the first value that is no share.
    """
    given = column.cast(pl.String).str.strip_chars()
    values = (
        column.cast(pl.Float64, strict=False) if column.dtype != pl.String else given.cast(pl.Float64, strict=False)
    )
    values = values.fill_nan(None)
    asked = given.is_not_null() & ~given.str.to_lowercase().is_in(["", "nan", "null"])
    wrong = asked & ~values.is_between(0, 1).fill_null(value=False)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        what = f"{given[row]!r} in column {column.name!r}"
        raise InputError(what, where=path, row=row + 1, expected="the share of people who prefer the edited, 0 to 1")
    return values.alias("human")
