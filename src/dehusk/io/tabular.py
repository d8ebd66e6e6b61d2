"""Formats that polars reads by itself: CSV, Parquet, Arrow, folders saved by `datasets`."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from dehusk.core.errors import InputError
from dehusk.io.atomic import encode, is_table
from dehusk.io.json_rows import MAX_COLUMNS, too_wide
from dehusk.io.layouts.lists import LISTS, RANKS, SCORES

T = TypeVar("T")

FORMATS = "JSON Lines, JSON, CSV, TSV, Parquet or Arrow (text also as .gz or .zst)"


def read_csv(data: bytes, where: str, suffix: str) -> pl.DataFrame:
    """Read CSV or TSV; every value stays text, so that 007 is not written back as 7.

    The separator is the commonest of comma, semicolon, tab and bar in the header (much of Europe's Excel writes
    semicolons).

    Raises:
        InputError: two columns of one name, or naming the first row that has too many fields, an open quote, or is not
            UTF-8.
    """
    header = data[: data.find(b"\n") if b"\n" in data else len(data)].decode(errors="replace")
    separator = "\t" if suffix == ".tsv" else max(",;\t|", key=header.count)
    if header.count(separator) >= MAX_COLUMNS:
        raise too_wide(header.count(separator) + 1, where)
    try:
        frame = pl.read_csv(io.BytesIO(data), separator=separator, infer_schema=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _explained(data, where, separator, error) from None
    twice = [name for name in frame.columns if name and f"{name}_duplicated_0" in frame.columns]
    if twice:
        raise InputError(f"two columns {twice[0]!r}", where=where, row=1, expected="each name once")
    return _with_lists(frame)


def _with_lists(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with lists of answers, scores and earlier turns, which CSV can hold only as JSON text, as lists."""
    for name in {*LISTS, *SCORES, *RANKS, "history"} & {*frame.columns}:
        texts = frame[name].drop_nulls()
        if len(texts) and texts.str.contains(r"(?s)^\s*\[.*\]\s*$").all():
            with suppress(pl.exceptions.PolarsError):
                frame = frame.with_columns(frame[name].str.json_decode(infer_schema_length=None))
    return frame


def is_plain(path: Path) -> bool:
    """Whether polars can open a file by its name: it takes some for patterns, and knows no bytes that are not UTF-8."""
    name = str(path)
    return not set("*?[") & set(name) and name == encode(name).decode()


def read_parquet(path: Path, where: str) -> pl.DataFrame:
    """Read Parquet."""
    return _guarded(lambda: pl.read_parquet(path if is_plain(path) else path.read_bytes()), where)


def read_arrow(path: Path, where: str) -> pl.DataFrame:
    """Read an Arrow file, or the stream that `datasets` writes under the same suffix."""
    with path.open("rb") as file:
        whole = file.read(6) == b"ARROW1"
    reader = pl.read_ipc if whole else pl.read_ipc_stream
    return _guarded(lambda: reader(path.read_bytes()), where)


def read_saved(folder: Path) -> tuple[pl.DataFrame, str]:
    """Read what `save_to_disk` wrote, of several splits the only one: the rows, and one hash over the data files.

    Raises:
        InputError: a folder of several splits, or one that `datasets` did not write.
    """
    if (folder / "dataset_dict.json").exists():
        splits = _in_json(folder / "dataset_dict.json", lambda tree: [str(name) for name in tree["splits"]])
        if len(splits) == 1:
            return read_saved(folder / splits[0])
        fix = str(folder / splits[0]) if splits else None
        raise InputError(f"several splits: {', '.join(splits)}", where=str(folder), expected="one of them", fix=fix)
    if not (folder / "state.json").exists():
        inside = sorted(item for depth in ("*", "*/*") for item in folder.glob(depth) if is_table(item.name))
        fix = str(inside[0]) if inside else None
        raise InputError("a folder", where=str(folder), expected="a file, or a folder saved by datasets", fix=fix)
    if _in_json(folder / "state.json", lambda state: state.get("_indices_files")):
        raise InputError("a shuffled view", where=str(folder), fix="dataset.flatten_indices() before save_to_disk")
    names = _in_json(folder / "state.json", lambda state: [str(item["filename"]) for item in state["_data_files"]])
    files = [folder / Path(name).name for name in names]
    frame = _guarded(lambda: pl.concat([read_arrow(file, str(file)) for file in files]), str(folder))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return frame, digest.hexdigest()


def _in_json(file: Path, find: Callable[[Any], T]) -> T:
    """Something in a JSON file that `datasets` wrote."""
    try:
        return find(json.loads(file.read_text("utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(f"broken {file.name}", where=str(file.parent), expected="a folder saved by datasets") from None


def _guarded(read: Callable[[], T], where: str) -> T:
    """Run a polars reader; whatever it says about a damaged file becomes one line."""
    try:
        return read()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, MemoryError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise InputError(
            f"damaged or not what it seems: {reason}", where=where, fix="copy or download it again"
        ) from None


def _explained(data: bytes, where: str, separator: str, error: BaseException) -> InputError:
    """Find the row of a CSV file that polars refused."""
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return InputError("bytes that are not UTF-8", where=where, row=number, fix="save the file as UTF-8")
    reason, row, start = (str(error) or type(error).__name__).splitlines()[0][:160], None, 1
    records = csv.reader(io.StringIO(data.decode(), newline=""), delimiter=separator, strict=True)
    with suppress(StopIteration):
        try:
            width = len(next(records))
            while True:
                start = records.line_num + 1
                if (found := len(next(records))) > width:
                    row = records.line_num
                    return InputError(f"{found} fields", where=where, row=row, expected=f"{width} fields")
        except csv.Error as broken:
            if "limit" not in str(broken):  # the csv module's own, not the file's fault
                reason, row = str(broken), start
    return InputError(f"broken CSV: {reason}", where=where, row=row, expected="quotes that are closed")
