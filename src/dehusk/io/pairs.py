"""Reading preference pairs: any file in any layout to `Pairs`, with what was noticed and where each pair came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

import polars as pl

from dehusk.core.errors import InputError
from dehusk.core.messages import Text, say
from dehusk.core.run import InputRecord
from dehusk.core.tables import Checks, Ints, Pairs
from dehusk.io.checks import UNUSABLE, check_pairs
from dehusk.io.columns import OPTIONAL, optional_columns, prepared, renamed, untouched
from dehusk.io.files import RawTable, read_raw
from dehusk.io.layouts.reading import Reading
from dehusk.io.prompts import clusters, language
from dehusk.io.recognise import find_layout

T = TypeVar("T")
NO_COLUMNS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Origin:
    """Where pairs came from: what writing them back in the same layout needs.

    `links` has a line a usable pair: pair_id, chosen_row, rejected_row (0-based raw rows), chosen_at, rejected_at
    (positions in a list-wise row, null elsewhere), and the prompt, chosen, rejected and weight as read.
    """

    raw: RawTable
    layout: str
    columns: Mapping[str, str]  # the user's map: canonical name -> column of the file
    used: tuple[str, ...]  # columns, under mapped names, that became prompt, answers or label
    links: pl.DataFrame


@dataclass(frozen=True)
class LoadedPairs:
    """Pairs as read, what was noticed row by row, where they came from, and the record for the run."""

    pairs: Pairs
    checks: Checks
    origin: Origin
    record: InputRecord


def read_pairs(
    path: str, *, columns: Mapping[str, str] = NO_COLUMNS, layout: str | None = None, lang: str = "en"
) -> LoadedPairs:
    """Read preference pairs.

    Args:
        path: A file, a folder saved by `datasets`, or an `hf://` address.
        columns: Canonical name -> column of the file, where the file's names are not known ones.
        layout: Name of the layout; detected when None.
        lang: Language of the notes in the record.

    Raises:
        InputError: in one line, for anything that is not a table of pairs with at least one usable pair.
    """
    raw = read_raw(path)
    frame = prepared(renamed(raw.frame, columns, path), path)
    name, reader, about = find_layout(frame, layout, path)
    reading = _placed(lambda: reader.read(frame), path)
    table = _canonical(reading, frame)
    found = check_pairs(table, _damaged(raw.damaged, table["row"]))
    lost = found.filter(pl.col("check").is_in(UNUSABLE), pl.col("side") != "prompt")["at"].unique()
    usable = table.with_row_index("at").filter(~pl.col("at").is_in(lost.implode())).drop("at")
    checks = _checks(found, lost, reading.unusable)
    if not usable.height:
        why = ", ".join(f"{count} {check}" for check, count in _lost_counts(checks).items())
        raise InputError("no usable pair", where=path, expected="two different answers a prompt", fix=why and f"look at: {why}")
    links = ("pair_id", "chosen_row", "rejected_row", "chosen_at", "rejected_at", "prompt", "chosen", "rejected", "weight")
    origin = Origin(raw, name, dict(columns), reading.used, usable.select(links))
    pairs = Pairs(usable.drop("chosen_row", "rejected_row", "chosen_at", "rejected_at"))
    notes = [say("io.layout", layout=name, about=about), *_mapped(columns), *reading.notes, *_notes(raw, pairs, checks)]
    record = InputRecord("pairs", path, name, raw.frame.height, raw.sha256, tuple(note.render(lang) for note in notes))
    return LoadedPairs(pairs, checks, origin, record)


def _placed(read: Callable[[], T], where: str) -> T:
    """Run a layout's reader; its errors get the name of the file, and polars' become one of ours."""
    try:
        return read()
    except InputError as error:
        raise InputError(
            error.what, where=where, row=error.row, expected=error.expected, fix=error.fix
        ) from None
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0][:160]
        raise InputError(f"values of an unexpected type: {reason}", where=where) from None


def _canonical(reading: Reading, raw: pl.DataFrame) -> pl.DataFrame:
    """All columns of `Pairs` for every pair read, usable or not, with the links to the raw rows."""
    frame = reading.frame
    links = [
        frame[name] if name in frame.columns else pl.Series(name, [None] * frame.height, dtype=pl.Int64)
        for name in ("chosen_row", "rejected_row", "chosen_at", "rejected_at")
    ]
    texts = frame.select(pl.col("prompt", "chosen", "rejected").cast(pl.String).fill_null(""))
    rows = raw[frame["chosen_row"].to_list()] if frame.height != raw.height else raw
    given = optional_columns(rows)
    given |= {name: frame[name].cast(_dtype(name), strict=False) for name in OPTIONAL if name in frame.columns}
    extras = untouched(rows, {*Pairs_names(), *reading.used, "at", "chosen_row", "rejected_row", "chosen_at", "rejected_at"})
    numbered = pl.DataFrame([(links[0] + 1).alias("row"), texts["prompt"]]).with_columns(*links)
    weight = given.pop("weight", pl.Series("weight", [None] * frame.height, dtype=pl.Float64))
    spoken = given.pop("lang", pl.Series("lang", [None] * frame.height, dtype=pl.String))
    return pl.DataFrame(
        [
            _ids(numbered),
            numbered["row"],
            *texts,
            weight.fill_null(1.0).alias("weight"),
            clusters(texts["prompt"]),
            *given.values(),
            texts.select(pl.coalesce(pl.lit(spoken), language("prompt", "chosen")).alias("lang")).to_series(),
            *links,
            *extras,
        ]
    )
