"""Formats that polars reads by itself: CSV, Parquet, Arrow, folders saved by `datasets`, hub addresses."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import polars as pl

from dehusk.core.errors import InputError
from dehusk.io.atomic import encode
from dehusk.io.json_rows import MAX_COLUMNS, too_wide
from dehusk.io.layouts.lists import LISTS, RANKS, SCORES

T = TypeVar("T")

_TABLES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".gz", ".zst")
FORMATS = "JSON Lines, JSON, CSV, TSV, Parquet or Arrow (text also as .gz or .zst)"


def read_csv(data: bytes, where: str, suffix: str) -> pl.DataFrame:
    """Read CSV or TSV; every value stays text, so that 007 is not written back as 7.

    The separator is the commonest of comma, semicolon and tab in the header (much of Europe's Excel writes semicolons).

    Raises:
        InputError: naming the first row that has too many fields, or is not UTF-8.
    """
    header = data[: data.find(b"\n") if b"\n" in data else len(data)].decode(errors="replace")
    separator = "\t" if suffix == ".tsv" else max(",;\t", key=header.count)
    if header.count(separator) >= MAX_COLUMNS:
        raise too_wide(header.count(separator) + 1, where)
    try:
        return _with_lists(pl.read_csv(io.BytesIO(data), separator=separator, infer_schema=False))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _explained(data, where, separator, error) from None


def _with_lists(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with the lists of list-wise layouts, which CSV can hold only as JSON text, as lists."""
    for name in {*LISTS, *SCORES, *RANKS} & {*frame.columns}:
        texts = frame[name].drop_nulls()
        if len(texts) and texts.str.contains(r"(?s)^\s*\[.*\]\s*$").all():
            with suppress(pl.exceptions.PolarsError):
                frame = frame.with_columns(frame[name].str.json_decode(infer_schema_length=None))
    return frame


def is_plain(path: Path) -> bool:
    """Whether polars can open a file by its name: it takes some for patterns, and knows no bytes that are not UTF-8."""
    name = str(path)
    return not set("*?[") & set(name) and name == encode(name).decode()


def read_parquet(path: Path) -> pl.DataFrame:
    """Read Parquet."""
    return _guarded(lambda: pl.read_parquet(path if is_plain(path) else path.read_bytes()), str(path))


def read_arrow(path: Path) -> pl.DataFrame:
    """Read an Arrow file, or the stream that `datasets` writes under the same suffix."""
    with path.open("rb") as file:
        whole = file.read(6) == b"ARROW1"
    reader = pl.read_ipc if whole else pl.read_ipc_stream
    return _guarded(lambda: reader(path.read_bytes()), str(path))


def read_saved(folder: Path) -> tuple[pl.DataFrame, str]:
    """Read what `Dataset.save_to_disk` wrote: the rows, and one hash over its data files.

    Raises:
        InputError: a folder of several splits, or one that `datasets` did not write.
    """
    if (folder / "dataset_dict.json").exists():
        splits = sorted(item.name for item in folder.iterdir() if item.is_dir())
        first = splits[0] if splits else "train"
        raise InputError(f"several splits: {', '.join(splits)}", where=str(folder), fix=str(folder / first))
    if not (folder / "state.json").exists():
        inside = sorted(item for item in folder.iterdir() if item.suffix in _TABLES)
        fix = str(inside[0]) if inside else None
        raise InputError("a folder", where=str(folder), expected="a file, or a folder saved by datasets", fix=fix)
    try:
        state = json.loads((folder / "state.json").read_text("utf-8"))
        names = [item["filename"] for item in state["_data_files"]]
    except (ValueError, KeyError, TypeError):
        raise InputError("broken state.json", where=str(folder), expected="a folder saved by datasets") from None
    if state.get("_indices_files"):
        raise InputError("a shuffled view", where=str(folder), fix="dataset.flatten_indices() before save_to_disk")
    files = [folder / Path(name).name for name in names]
    frame = _guarded(lambda: pl.concat([read_arrow(file) for file in files]), str(folder))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return frame, digest.hexdigest()


def read_hub(address: str) -> pl.DataFrame:
    """Read an `hf://` address through polars: the only reader that uses the network, because the user named one."""
    readers: dict[str, Callable[[str], pl.DataFrame]] = {".jsonl": pl.read_ndjson, ".csv": pl.read_csv}
    reader = readers.get(Path(address).suffix, pl.read_parquet)
    try:
        return _guarded(lambda: reader(address), address)
    except OSError as error:
        raise InputError(f"cannot be reached: {str(error).splitlines()[0]}", where=address) from None


def _guarded(read: Callable[[], T], where: str) -> T:
    """Run a polars reader; whatever it says about a damaged file becomes one line."""
    try:
        return read()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, MemoryError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise InputError(f"damaged or not what it seems: {reason}", where=where, expected=FORMATS) from None


def _explained(data: bytes, where: str, separator: str, error: BaseException) -> InputError:
    """Find the row of a CSV file that polars refused."""
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return InputError("bytes that are not UTF-8", where=where, row=number, fix="save the file as UTF-8")
    try:
        records = csv.reader(io.StringIO(data.decode(), newline=""), delimiter=separator)
        width = len(next(records))
        for row in records:
            if len(row) > width:
                return InputError(f"{len(row)} fields", where=where, row=records.line_num, expected=f"{width} fields")
    except (csv.Error, StopIteration):
        pass
    reason = str(error).splitlines()[0][:160]
    return InputError(f"broken CSV: {reason}", where=where, expected="quotes that are closed, one record a row")
