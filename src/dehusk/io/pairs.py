"""Reading preference pairs: any file in any layout to `Pairs`, with what was noticed and where each pair came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

import polars as pl

from dehusk.core.errors import InputError
from dehusk.core.messages import Text, meaning, say
from dehusk.core.run import InputRecord
from dehusk.core.tables import Checks, Pairs
from dehusk.io.checks import UNUSABLE, check_pairs
from dehusk.io.columns import OPTIONAL, optional_columns, prepared, renamed, untouched
from dehusk.io.files import RawTable, read_raw
from dehusk.io.layouts.reading import Reading
from dehusk.io.prompts import clusters, language
from dehusk.io.recognise import find_layout

T = TypeVar("T")
LINKS = ("chosen_row", "rejected_row", "chosen_at", "rejected_at")
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
    frame = prepared(renamed(raw.frame, columns, path), path, raw.opaque)
    name, reader, about = find_layout(frame, layout, path)
    reading = placed(lambda: reader.read(frame), path)
    table = placed(lambda: _canonical(reading, frame), path)
    found = check_pairs(table, damaged_rows(raw, table["row"]))
    unusable = pl.col("check").is_in(UNUSABLE) & (pl.col("side") != "prompt")
    lost = found.filter(unusable)["at"].unique()
    checks = _checks(found, lost, reading.unusable)
    usable = table.with_row_index("at").filter(~pl.col("at").is_in(lost.implode())).drop("at")
    if not usable.height:
        why = ", ".join(
            f"{say(f'io.check.{check}').render()} in {count}" for check, count in _lost_counts(checks).items()
        )
        raise InputError(f"no usable pair ({why})", where=path, expected="rows with two different answers")
    links = usable.select("pair_id", *LINKS, "prompt", "chosen", "rejected", "weight")
    about = meaning("layouts", name, about, lang)
    notes = [say("io.layout", layout=name, about=about), *reading.notes, *_notes(raw, usable, checks, columns)]
    record = InputRecord("pairs", path, name, raw.frame.height, raw.sha256, tuple(note.render(lang) for note in notes))
    origin = Origin(raw, name, dict(columns), reading.used, links)
    return LoadedPairs(Pairs(usable.drop(LINKS)), checks, origin, record)


def damaged_rows(raw: RawTable, rows: pl.Series) -> pl.Series:
    """Whether each of these 1-based rows had a lone surrogate, shape (n,)."""
    return (rows - 1).is_in(pl.Series(raw.damaged, dtype=pl.Int64).implode()).alias("damaged")


def placed(read: Callable[[], T], where: str) -> T:
    """Run a layout's reader; its errors get the name of the file, and polars' become one of ours."""
    try:
        return read()
    except InputError as error:
        raise InputError(error.what, where=where, row=error.row, expected=error.expected, fix=error.fix) from None
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0][:160]
        raise InputError(f"values of an unexpected type: {reason}", where=where) from None


def _canonical(reading: Reading, raw: pl.DataFrame) -> pl.DataFrame:
    """All columns of `Pairs` for every pair read, usable or not, with the links to the raw rows."""
    frame = reading.frame
    links = frame.select("chosen_row", "rejected_row", *(_or_null(frame, name, pl.Int64) for name in LINKS[2:]))
    texts = frame.select(pl.col("prompt", "chosen", "rejected").cast(pl.String).fill_null(""))
    rows = raw[frame["chosen_row"]]
    given = optional_columns(rows)
    given |= {name: frame[name] for name in OPTIONAL if name in frame.columns}
    weight = _weights(given.pop("weight", pl.Series("weight", [1.0] * frame.height)), frame["chosen_row"])
    spoken = given.pop("lang", pl.Series("lang", [None] * frame.height, dtype=pl.String))
    lang = texts.select(pl.coalesce(pl.lit(spoken), language("prompt", "chosen")).alias("lang"))
    ids = links.select(_pair_id(), (pl.col("chosen_row") + 1).alias("row"))
    known = {*(column.name for column in Pairs.columns), *LINKS, "at"}
    aspects = frame.select(name for name in frame.columns if name not in known)
    extras = untouched(rows, {*known, *aspects.columns, *reading.used})
    group = clusters(texts["prompt"])
    return pl.concat(
        [ids, texts, pl.DataFrame([weight, group, *given.values()]), lang, links, aspects, extras], how="horizontal"
    )


def _weights(given: pl.Series, rows: pl.Series) -> pl.Series:
    """Weights of the pairs, 1 where none is given.

    Raises:
        InputError: a weight below zero, or nothing but zeros.
    """
    weight = given.fill_null(1.0)
    worst = weight.arg_min()
    if worst is not None and (weight[worst] < 0 or not (weight > 0).any()):
        expected = "numbers that are not negative and not all zero"
        raise InputError(f"weight {weight[worst]:g}", row=int(rows[worst]) + 1, expected=expected)
    return weight


def _or_null(frame: pl.DataFrame, name: str, dtype: type[pl.DataType]) -> pl.Expr:
    return pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype).alias(name)


def _pair_id() -> pl.Expr:
    """The 1-based row; with the positions of the two answers, or the second row, where the row does not tell."""
    first, second = pl.col("chosen_row") + 1, pl.col("rejected_row") + 1
    listed = pl.format("p{}.{}-{}", first, pl.col("chosen_at").fill_null(-1) + 1, pl.col("rejected_at") + 1)
    return (
        pl.when(pl.col("rejected_at").is_not_null())
        .then(listed)
        .when(first == second)
        .then(pl.format("p{}", first))
        .otherwise(pl.format("p{}-{}", first, second))
        .alias("pair_id")
    )


def _checks(found: pl.DataFrame, lost: pl.Series, unusable: pl.DataFrame) -> Checks:
    """What was noticed on pairs, and the rows without a preference, in the order of the file."""
    noticed = found.select("row", "check", "side", kept=~pl.col("at").is_in(lost.implode()))
    without = unusable.select(
        pl.col("row") + 1, "check", pl.lit("pair").alias("side"), pl.lit(value=False).alias("kept")
    )
    return Checks(pl.concat([noticed, without]).sort("row", maintain_order=True))


def _notes(raw: RawTable, frame: pl.DataFrame, checks: Checks, columns: Mapping[str, str]) -> list[Text]:
    """What else was mapped, found, mended or left out."""
    notes = [say("io.mapped", column=column, name=name) for name, column in columns.items()]
    known = [name for name in OPTIONAL if name in frame.columns and name not in ("lang", "weight")]
    if known:
        notes.append(say("io.optional", columns=", ".join(known)))
    if len(raw.damaged):
        notes.append(say("io.surrogates", count=len(raw.damaged)))
    without = int((frame["prompt"] == "").sum())
    if without:
        notes.append(say("io.no_prompt", count=without))
    for check, count in _lost_counts(checks).items():
        notes.append(say("io.left_out", count=count, reason=say(f"io.check.{check}")))
    return notes


def _lost_counts(checks: Checks) -> dict[str, int]:
    """Number of rows left out for each reason (rows of a list-wise file count once)."""
    lost = checks.frame.filter(~pl.col("kept"), pl.col("check").is_in((*UNUSABLE, "tie", "unpaired")))
    counts = lost.group_by("check", maintain_order=True).agg(pl.col("row").n_unique())
    return dict(counts.iter_rows())
