"""Which layout a table has; and when it has none, what is nearest."""

from __future__ import annotations

import difflib
import re
from typing import Any

import polars as pl

import dehusk.io.layouts  # noqa: F401  (fills the table of layouts)
from dehusk.core.errors import InputError
from dehusk.core.kinds import Entry, layouts
from dehusk.io.columns import mapping
from dehusk.io.layouts.choice import LABELS, answers_of
from dehusk.io.layouts.labels import sides
from dehusk.io.layouts.messages import is_conversation
from dehusk.io.layouts.reading import PROMPT_KEYS, Layout

_OTHER_NAMES = {
    "chosen": "win winner winning preferred better best positive pos accepted accept good y_w response_j choosen",
    "rejected": "lose loser losing dispreferred worse worst negative neg declined bad y_l response_k reject rejection",
}
_AROUND = r"^(?:response|answer|output|text|completion)_|_(?:response|answer|output|text|completion)$"


def find_layout(frame: pl.DataFrame, wanted: str | None, where: str) -> tuple[str, Layout, str]:
    """Name, reader and description of the layout of a table.

    Args:
        frame: The raw table under mapped names.
        wanted: The layout that the user named, if any.
        where: Name of the file for errors.

    Raises:
        InputError: when no layout fits, with the column to map or the type that is wrong.
        UnknownName: when no layout is called `wanted`.
    """
    if wanted is not None:
        entry = layouts[wanted]
        layout: Layout = entry.thing()
        if not layout.recognises(frame):
            shown = _shown(frame)
            raise InputError(f"columns {shown} are not laid out as {wanted}", where=where, expected=layout.needs)
        return entry.name, layout, _about(entry)
    for entry in layouts:
        layout = entry.thing()
        if layout.recognises(frame):
            return entry.name, layout, _about(entry)
    raise _unrecognised(frame, where)


def _about(entry: Entry[Layout]) -> str:
    return entry.about.rstrip(".")


def _shown(frame: pl.DataFrame) -> str:
    names = ", ".join(name[:40] for name in frame.columns[:12])
    return names + (f", … ({frame.width} in all)" if frame.width > 12 else "")


def _unrecognised(frame: pl.DataFrame, where: str) -> InputError:
    for name in ("prompt", "chosen", "rejected"):
        dtype = frame.schema.get(name)
        if dtype is not None and not is_conversation(dtype):
            if frame.height == 1 and dtype.is_nested():  # what pandas writes by default
                fix = "df.to_json(FILE, orient='records', lines=True)"
                return InputError("columns instead of rows", where=where, expected="one object a row", fix=fix)
            return InputError(f"column {name!r} is {in_words(dtype)}", where=where, expected="text or messages")
    missing = [name for name in ("chosen", "rejected") if name not in frame.columns]
    if len(missing) == 2 and (two := answers_of(frame)) is not None:
        return _undecided(frame, two, where)
    pairs = {name: near for name in missing if (near := _near(frame, name))}
    if "rejected" in pairs and "chosen" in missing and "chosen" not in pairs and "response" in frame.columns:
        pairs = {"chosen": "response", **pairs}
    if "chosen" not in frame.columns and first_prompt(frame) is None and (near := _near(frame, "prompt")):
        pairs = {"prompt": near, **pairs}
    fix = mapping(pairs) if pairs else "dehusk list layouts"
    if not pairs and {"response", "completion", "output"} & {*frame.columns}:
        fix = f"--responses NAME={where}, if these are answers of one stage"
    lacking = f"no column {missing[0]!r}" if len(missing) == 1 else "no known layout"
    expected = "chosen and rejected, or any layout of `dehusk list layouts`"
    return InputError(f"{lacking} in columns {_shown(frame)}", where=where, expected=expected, fix=fix)


def _undecided(frame: pl.DataFrame, two: tuple[str, str], where: str) -> InputError:
    """Two answers, and nothing that can be read as the one that won: the label that cannot, or none at all."""
    label = next((name for name in LABELS if name in frame.columns and not frame.schema[name].is_nested()), None)
    if label is not None:
        try:
            sides(frame[label], two)
        except InputError as error:
            return InputError(error.what, where=where, expected=error.expected)
    what = f"two answers ({two[0]}, {two[1]}) and no column that says which one won"
    return InputError(what, where=where, expected="label: a, b or tie", fix="--map label=COLUMN")


def in_words(dtype: Any) -> str:
    """A type the way a user would call it.

    >>> in_words(pl.List(pl.String())), in_words(pl.Int64())
    ('a list of text', 'a number')
    """
    if isinstance(dtype, pl.List | pl.Array):
        return "lists with nothing in them" if dtype.inner == pl.Null else f"a list of {in_words(dtype.inner)}"
    if isinstance(dtype, pl.Struct):
        return f"an object with {', '.join(item.name for item in dtype.fields[:4])}"
    if dtype == pl.Boolean:
        return "true or false"
    return "a number" if dtype.is_numeric() else "text" if dtype == pl.String else str(dtype).lower()


def first_prompt(frame: pl.DataFrame) -> str | None:
    """The column that a prompt could be in, whatever its type."""
    return next((name for name in PROMPT_KEYS if name in frame.columns), None)


def _near(frame: pl.DataFrame, name: str) -> str | None:
    """The column that was probably meant: a known other name, else a similar spelling."""
    lower = {column.lower(): column for column in frame.columns}
    bare = {re.sub(_AROUND, "", column): column for column in lower} | {column: column for column in lower}
    for other in (name, *_OTHER_NAMES.get(name, "").split()):
        if other in bare:
            return lower[bare[other]]
    close = difflib.get_close_matches(name, lower, n=1, cutoff=0.7)
    return lower[close[0]] if close else None
