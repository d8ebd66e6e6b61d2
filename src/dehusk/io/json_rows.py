"""JSON and JSON Lines to a table: polars does the work, Python explains what polars could not read.

polars infers a schema from every row in time that grows with the square of the number of distinct keys, and
reads a lone surrogate as NUL. So the schema comes from a spread of rows, and escapes are checked beforehand.
"""

from __future__ import annotations

import io
import json
import math
import mmap
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dehusk.core.errors import InputError
from dehusk.core.tables import Ints
from dehusk.io.atomic import encode

Buffer = bytes | mmap.mmap

SAMPLED_LINES = 2_000
MAX_COLUMNS = 1_000
MAX_FIELDS = 200  # an object with more keys than this holds data in its keys: kept as JSON text
MAX_DEPTH = 12

# An escaped surrogate that has no partner (or looks like it: an escaped backslash may stand before it).
_LONE = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F])"
)

# Forty levels of nesting in a row: inferring their type takes polars seconds a line.
_DEEP = re.compile(rb'(?:\[|\{\s*"[^"\\]{0,80}"\s*:\s*){40}')


ROWS_HERE = object()  # stands in an envelope where the rows were
_ROW_KEYS = ("data", "rows", "examples", "instances", "records", "train", "validation", "test")


@dataclass(frozen=True)
class JsonRows:
    """A table read from JSON Lines.

    `damaged` are the 0-based rows in which a lone surrogate became U+FFFD; `opaque` are columns kept as JSON text
    because their values are lists or objects of no common type.
    """

    frame: pl.DataFrame
    damaged: Ints
    opaque: tuple[str, ...] = ()


def read_json_lines(data: Buffer, where: str, *, path: Path | None = None) -> JsonRows:
    """Read one JSON object a line.

    Args:
        data: The decompressed bytes, without a byte order mark.
        where: Name of the file for errors.
        path: The same bytes on disk, if they are: polars reads them without a copy.

    Raises:
        InputError: naming the first line that cannot be read.
    """
    mended, damaged = _mended(data)
    if isinstance(data, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        data.madvise(mmap.MADV_DONTNEED)  # polars maps the file again: do not hold its pages twice
    source: Path | io.BytesIO = path if path is not None and mended is data else io.BytesIO(mended)
    sample = _sample(mended)
    try:
        if _DEEP.search(sample):
            return _explained(mended, damaged, where)
        schema = _limited(pl.read_ndjson(io.BytesIO(sample), infer_schema_length=None).schema, where)
        frame = pl.read_ndjson(source, schema=schema)
        return JsonRows(frame, damaged, _opaque(frame, mended))
    except pl.exceptions.PolarsError:
        return _explained(mended, damaged, where)


def rows_of_document(data: Buffer, where: str) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Rows of a JSON document, and what surrounds them: `{"data": ROWS_HERE, …}`, or None for a bare array.

    Raises:
        InputError: broken JSON with its line, or JSON that is not a list of objects.
    """
    try:
        tree = json.loads(bytes(data).decode())
    except json.JSONDecodeError as error:
        expected = "one list of objects, or one object a line"
        raise InputError(f"broken JSON: {error.msg}", where=where, row=error.lineno, expected=expected) from None
    except RecursionError:
        raise InputError("JSON nested too deeply", where=where, expected="a list of objects") from None
    envelope = None
    if isinstance(tree, dict):
        lists = [name for name in _ROW_KEYS if isinstance(tree.get(name), list)]
        if len(lists) > 1:
            raise InputError(f"rows under {' and '.join(lists)}", where=where, expected="one list of rows")
        envelope = {name: ROWS_HERE if name in lists else value for name, value in tree.items()} if lists else None
        tree = tree[lists[0]] if lists else [tree]
    if not isinstance(tree, list):
        raise InputError("JSON without rows", where=where, expected='a list of objects, or {"data": [...]}')
    for number, row in enumerate(tree, 1):
        if not _is_row(row):
            raise InputError(f"{_kind(row)} instead of an object", where=where, row=number, expected='{"prompt": …}')
    return tree, envelope


def dump_row(row: dict[str, Any]) -> bytes:
    """One row as a line of JSON, readable (not escaped) and without NaN."""
    try:
        return encode(json.dumps(row, ensure_ascii=False, allow_nan=False))
    except ValueError:
        return encode(json.dumps(_finite(row), ensure_ascii=False))


def _is_row(value: object) -> bool:
    return isinstance(value, dict)


def _sample(data: Buffer) -> bytes:
    """Up to `SAMPLED_LINES` lines: the first ones and a spread over the rest."""
    starts = {0}
    for share in range(SAMPLED_LINES):
        end = data.find(b"\n", share * len(data) // SAMPLED_LINES)
        if end < 0:
            break
        starts.add(end + 1)
    lines = []
    for start in sorted(starts):
        end = data.find(b"\n", start)
        lines.append(data[start : end if end >= 0 else len(data)])
    return b"\n".join(line for line in lines if line.strip())


def _limited(schema: Iterable[tuple[str, pl.DataType]] | pl.Schema, where: str) -> dict[str, Any]:
    """The schema with overgrown nested columns as JSON text; refuses tables that are too wide."""
    columns = dict(schema)
    if len(columns) > MAX_COLUMNS:
        raise too_wide(len(columns), where)
    return {name: pl.String if _overgrown(dtype) else dtype for name, dtype in columns.items()}


def too_wide(columns: int, where: str) -> InputError:
    """The one line for a table with more columns than any preference file has."""
    return InputError(f"{columns:,} columns", where=where, expected=f"at most {MAX_COLUMNS:,}, one object a row")


def _overgrown(dtype: Any, depth: int = 0) -> bool:
    if depth > MAX_DEPTH:
        return True
    if isinstance(dtype, pl.List):
        return _overgrown(dtype.inner, depth + 1)
    if isinstance(dtype, pl.Struct):
        return len(dtype.fields) > MAX_FIELDS or any(_overgrown(item.dtype, depth + 1) for item in dtype.fields)
    return False


def _mended(data: Buffer) -> tuple[Buffer, Ints]:
    """Replace lone surrogates by U+FFFD, line by line, and say in which rows."""
    hits = [match.start() for match in _LONE.finditer(data)]
    if not hits:
        return data, np.empty(0, np.int64)
    starts = sorted({data.rfind(b"\n", 0, hit) + 1 for hit in hits})
    pieces, rows, done, row = [], [], 0, 0
    for start in starts:
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        before = data[done:start]
        row += sum(1 for line in before.split(b"\n") if line.strip())
        fixed = _without_surrogates(data[start:end])
        if fixed is not None:
            rows.append(row)
        pieces += [before, data[start:end] if fixed is None else fixed]
        row, done = row + 1, end
    return b"".join([*pieces, data[done:]]), np.array(rows, np.int64)


def _without_surrogates(line: bytes) -> bytes | None:
    """The line with U+FFFD for lone surrogates; None if there is none after all, or the line is broken anyway."""
    try:
        text = json.dumps(json.loads(line.decode()), ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:
        return encode(text)
    except (ValueError, RecursionError):
        return None
    return None


def _opaque(frame: pl.DataFrame, data: Buffer) -> tuple[str, ...]:
    """Text columns in which some value that looks like a list or an object is one, and became text beside others."""
    texts = frame.select(pl.col(pl.String).str.contains(r"^[\[{]").fill_null(value=False))
    looks = {name: texts[name].arg_true().head(SAMPLED_LINES).to_list() for name in texts.columns if texts[name].any()}
    if not looks:
        return ()
    lines = [line for line in data[:].split(b"\n") if line.strip()]
    return tuple(
        name for name, rows in looks.items() if any(not isinstance(json.loads(lines[row])[name], str) for row in rows)
    )


def _explained(data: Buffer, damaged: Ints, where: str) -> JsonRows:
    """Read line by line: find the broken line, or the columns whose type changes from row to row."""
    rows: list[dict[str, Any]] = []
    kinds: dict[str, set[str]] = {}
    for number, line in enumerate(bytes(data).split(b"\n"), 1):
        if not line.strip():
            continue
        row = _parsed(line, where, number)
        for name, value in row.items():
            kinds.setdefault(name, set()).add(_kind(value))
        if len(kinds) > MAX_COLUMNS:
            raise too_wide(len(kinds), where)
        rows.append(row)
    names = list(kinds)
    mixed = {name for name in names if len(kinds[name] - {"null"}) > 1}
    nested = {name for name in names if kinds[name] & {"a list", "an object"}}
    lines = b"\n".join(dump_row({name: row.get(name) for name in names}) for row in rows)
    for texts in (mixed | nested,) if _DEEP.search(lines) else (mixed, mixed | nested):
        plain = b"\n".join(dump_row({name: row.get(name) for name in names if name not in texts}) for row in rows)
        try:
            found = pl.read_ndjson(io.BytesIO(plain), infer_schema_length=None).schema
            frame = pl.read_ndjson(io.BytesIO(lines), schema={name: found.get(name, pl.String()) for name in names})
            return JsonRows(frame, damaged, tuple(name for name in names if name in texts & nested))
        except pl.exceptions.PolarsError:
            continue
    raise InputError("values that no table can hold", where=where, expected="one type of value a column")


def _parsed(line: bytes, where: str, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line.decode())
    except UnicodeDecodeError:
        raise InputError("bytes that are not UTF-8", where=where, row=number, fix="save the file as UTF-8") from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"broken JSON: {error.msg} (character {error.pos + 1})",
            where=where,
            row=number,
            expected="one JSON object a line",
        ) from None
    except RecursionError:
        raise InputError("JSON nested too deeply", where=where, row=number) from None
    if not isinstance(row, dict):
        raise InputError(f"{_kind(row)} instead of an object", where=where, row=number, expected='{"prompt": …}')
    return row


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "a Boolean", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return names[type(value)]


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value
