"""Rows of a file written again: untouched ones as they were, touched ones with some columns replaced.

JSON goes back as the very text of each untouched row, because a table cannot tell an absent key from a null one,
or 1 from 1.0. Other formats go back as the rows of the raw table.
"""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from dehusk.io.atomic import json_text, table_kind, write_atomic, write_table
from dehusk.io.files import RawTable
from dehusk.io.json_rows import ROWS_HERE, dump_row, read_json_lines


@dataclass(frozen=True)
class Rows:
    """What to write: n rows, by the names of the file.

    `row` is the 0-based raw row that each starts from, null for one that is new. Where `touched` holds, the columns
    of `new` replace those of the raw row; the columns of `always` do so everywhere; `dropped` ones go.
    """

    row: pl.Series
    touched: pl.Series
    new: pl.DataFrame
    dropped: tuple[str, ...] = ()
    always: pl.DataFrame = field(default_factory=pl.DataFrame)


def write_rows(path: str | Path, rows: Rows, raw: RawTable) -> None:
    """Write rows in the format that the suffix names; see the head of this module."""
    if raw.lines is None:
        write_table(path, _as_table(rows, raw.frame))
        return
    lines = _as_lines(rows, [line for line in raw.lines[:].split(b"\n") if line.strip()])
    kind, squeezed = table_kind(path)
    if kind == "jsonl":
        data = b"\n".join(lines) + b"\n"
    elif kind == "json":
        data = _document(lines, raw.envelope)
    else:
        write_table(path, _table_of(b"\n".join(lines), raw.name))
        return
    write_atomic(path, gzip.compress(data, 6, mtime=0) if squeezed else data)


def _table_of(lines: bytes, where: str) -> pl.DataFrame:
    """The rows as a table, with every key of every row; types that no table can hold become JSON text."""
    try:
        return pl.read_ndjson(io.BytesIO(lines), infer_schema_length=None)
    except pl.exceptions.PolarsError:
        return read_json_lines(lines, where).frame


def _as_lines(rows: Rows, texts: list[bytes]) -> list[bytes]:
    out = []
    for place, (row, touched) in enumerate(zip(rows.row, rows.touched, strict=True)):
        if row is not None and not touched and not rows.always.width:
            out.append(texts[row].strip())
            continue
        old: dict[str, Any] = json.loads(texts[row].decode()) if row is not None else {}
        new = rows.new.row(place, named=True) if touched else {}
        new |= rows.always.row(place, named=True) if rows.always.width else {}
        if rows.dropped:  # another layout: its own columns come first
            old = {name: value for name, value in old.items() if name not in rows.dropped}
            out.append(dump_row({**{name: value for name, value in new.items() if value is not None}, **old}))
        else:
            changes = {name: value for name, value in new.items() if value is not None or name in old}
            out.append(dump_row(old | changes))
    return out


def _document(lines: list[bytes], envelope: dict[str, Any] | None) -> bytes:
    """A JSON array of the rows, inside what surrounded them in the file."""
    array = b"[\n" + b",\n".join(lines) + b"\n]"
    if envelope is None:
        return array + b"\n"
    key = next(name for name, value in envelope.items() if value is ROWS_HERE)
    parts = [
        json.dumps(name, ensure_ascii=False).encode() + b": " + (array if name == key else dump_row({"v": value})[6:-1])
        for name, value in envelope.items()
    ]
    return b"{" + b", ".join(parts) + b"}\n"


def _as_table(rows: Rows, raw: pl.DataFrame) -> pl.DataFrame:
    old = raw.drop(rows.dropped)[rows.row]
    new = pl.DataFrame([_fitted(column, old.schema.get(column.name)) for column in rows.new])
    mask = pl.lit(rows.touched)
    replaced = [pl.when(mask).then(pl.lit(column)).otherwise(pl.col(column.name)).alias(column.name)
                for column in new if column.name in old.columns]  # fmt: skip
    fresh = new.select(name for name in new.columns if name not in old.columns)
    out = old.with_columns(replaced)
    out = pl.concat([fresh, out] if rows.dropped else [out, fresh], how="horizontal")
    return out.with_columns(_fitted(column, old.schema.get(column.name)) for column in rows.always)


def _fitted(column: pl.Series, dtype: pl.DataType | None) -> pl.Series:
    """A column in the type that the file has for it; messages as JSON text where the file has text."""
    if dtype is None or column.dtype == dtype:
        return column
    if column.dtype.is_nested() and not dtype.is_nested():
        return column.to_frame().select(json_text(column.name)).to_series()
    return column.cast(dtype, strict=False)
