"""Which layout a table has; and when it has none, what is nearest."""

from __future__ import annotations

import difflib

import polars as pl

import dehusk.io.layouts  # noqa: F401  (fills the table of layouts)
from dehusk.core.errors import InputError
from dehusk.core.kinds import Entry, layouts
from dehusk.io.columns import mapping
from dehusk.io.layouts.messages import is_conversation
from dehusk.io.layouts.reading import PROMPT_KEYS, Layout

_OTHER_NAMES = {
    "chosen": ("win", "winner", "preferred", "better", "positive", "pos", "accepted", "good", "y_w", "chosen_response"),
    "rejected": ("lose", "loser", "dispreferred", "worse", "negative", "neg", "bad", "y_l", "rejected_response"),
}
_OTHER_NAMES["rejected"] += ("reject", "rejection", "losing")
_OTHER_NAMES["chosen"] += ("response_chosen", "winning", "choosen", "accept")


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
            return InputError(f"column {name!r} is {dtype}", where=where, expected="text or a list of messages")
    missing = [name for name in ("chosen", "rejected") if name not in frame.columns]
    pairs = {name: near for name in missing if (near := _near(frame, name))}
    if "chosen" not in frame.columns and first_prompt(frame) is None and (near := _near(frame, "prompt")):
        pairs = {"prompt": near, **pairs}
    fix = mapping(pairs) if pairs else "dehusk list layouts"
    if not pairs and {"response", "completion", "output"} & {*frame.columns}:
        fix = f"--responses NAME={where}, if these are answers of one stage"
    lacking = f"no column {missing[0]!r}" if len(missing) == 1 else "no known layout"
    expected = "chosen and rejected, or any layout of `dehusk list layouts`"
    return InputError(f"{lacking} in columns {_shown(frame)}", where=where, expected=expected, fix=fix)


def first_prompt(frame: pl.DataFrame) -> str | None:
    """The column that a prompt could be in, whatever its type."""
    return next((name for name in PROMPT_KEYS if name in frame.columns), None)


def _near(frame: pl.DataFrame, name: str) -> str | None:
    """The column that was probably meant: a known other name, else a similar spelling."""
    lower = {column.lower(): column for column in frame.columns}
    for other in _OTHER_NAMES.get(name, ()):
        if other in lower:
            return lower[other]
    close = difflib.get_close_matches(name, lower, n=1, cutoff=0.7)
    return lower[close[0]] if close else None
