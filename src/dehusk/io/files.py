"""Files as raw tables: JSON Lines, JSON, CSV, Parquet, Arrow, folders saved by `datasets`, hub addresses.

The content decides how a file is read, the suffix only breaks ties: people rename files.
"""

from __future__ import annotations

import difflib
import gzip
import hashlib
import io
import json
import mmap
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
import polars as pl

from dehusk.core.errors import InputError
from dehusk.core.tables import Ints
from dehusk.io.atomic import is_table
from dehusk.io.hub import fetch, refuse_address
from dehusk.io.json_rows import MAX_COLUMNS, Buffer, dump_row, read_json_lines, rows_of_document, too_wide
from dehusk.io.tabular import FORMATS, is_plain, read_arrow, read_csv, read_parquet, read_saved

T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_FOREIGN = {  # what people hand in by mistake, by the first bytes
    b"PK\x03\x04": ("a zip or Excel file", "save it as CSV or JSON Lines"),
    b"\xff\xfe": ("UTF-16 text", "save the file as UTF-8"),
    b"\xfe\xff": ("UTF-16 text", "save the file as UTF-8"),
    b"version https://git-lfs": ("a Git LFS pointer, not the file it points to", "git lfs pull"),
    b"<!doctype html": ("a web page", "download the file itself: on the hub its address has /resolve/, not /blob/"),
    b"<html": ("a web page", "download the file itself: on the hub its address has /resolve/, not /blob/"),
    b"\x80\x04": ("a pickle, which dehusk never loads", "save it as Parquet or JSON Lines"),
    b"\x80\x05": ("a pickle, which dehusk never loads", "save it as Parquet or JSON Lines"),
}


@dataclass(frozen=True)
class RawTable:
    """A file as it stands: every column, untouched, one line a row.

    For JSON, `lines` keeps the bytes of the rows, because a table cannot tell an absent key from a null one or
    1 from 1.0; writing the rows back goes through them. `damaged` are rows with a lone surrogate, 0-based.
    """

    name: str
    kind: str
    frame: pl.DataFrame
    sha256: str  # of the bytes on disk
    lines: Buffer | None = None
    envelope: dict[str, Any] | None = None
    opaque: tuple[str, ...] = ()  # columns kept as JSON text for want of a common type
    damaged: Ints = field(default_factory=lambda: np.empty(0, np.int64))


def read_raw(path: str) -> RawTable:
    """Read a file, a folder saved by `datasets`, or an `hf://` address.

    Args:
        path: What the user named.

    Raises:
        InputError: for anything that is not a readable table with at least one row.
    """
    if path.startswith("hf://"):
        raw = _read_hub(path)
    else:
        refuse_address(path)
        place = Path(path)
        raw = guard_os(
            lambda: RawTable(path, "datasets", *read_saved(place)) if place.is_dir() else _read_file(place, path), place
        )
    if not raw.frame.height or not raw.frame.width:
        raise InputError("no rows", where=path, expected="at least one row")
    if raw.frame.width > MAX_COLUMNS:
        raise too_wide(raw.frame.width, path)
    return raw


def _read_hub(address: str) -> RawTable:
    with TemporaryDirectory(prefix="dehusk-", ignore_cleanup_errors=True) as folder:
        parts = [_read_file(file, address) for file in fetch(address, Path(folder))]
    return stacked(parts, address) if len(parts) > 1 else parts[0]


def stacked(parts: Sequence[RawTable], name: str, kind: str = "hub") -> RawTable:
    """Files of one table below each other, one hash over theirs.

    Raises:
        InputError: columns of the same name with types that cannot be reconciled.
    """
    heights = np.cumsum([0, *(part.frame.height for part in parts)])
    damaged = np.concatenate([part.damaged + start for part, start in zip(parts, heights, strict=False)])
    sha256 = hashlib.sha256("".join(part.sha256 for part in parts).encode()).hexdigest()
    try:
        frame = pl.concat([part.frame for part in parts], how="diagonal_relaxed")
    except pl.exceptions.PolarsError:
        raise InputError("files with different types of columns", where=name, expected="parts of one table") from None
    return RawTable(name, kind, frame, sha256, damaged=damaged)


def guard_os(read: Callable[[], T], path: Path) -> T:
    """Run `read`, turning what the operating system says about `path` into one line.

    Raises:
        InputError: no such file (with the nearest name), no permission, or any other refusal.
    """
    try:
        return read()
    except FileNotFoundError:
        raise InputError("no such file", where=str(path), fix=_meant(path)) from None
    except PermissionError:
        raise InputError("no permission to read it", where=str(path), fix=f"chmod u+r {path}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise InputError(f"cannot be read: {reason.lower()}", where=str(path)) from None


def _meant(path: Path) -> str | None:
    """What was probably meant by a path that is not there: a similar name beside it, or a data set on the hub."""
    try:
        neighbours = [item.name for item in path.parent.iterdir()]
    except OSError:
        neighbours = []
    near = difflib.get_close_matches(path.name, neighbours, n=1, cutoff=0.6)
    if near:
        return str(path.with_name(near[0]))
    if "=" in str(path):
        return "NAME=FILE with no slash in NAME"
    like_repository = re.fullmatch(r"[\w.-]+/[\w.-]+", str(path)) and not path.parent.exists()
    return f"hf://datasets/{path}, if it is on the hub" if like_repository and not is_table(path.name) else None


def _read_file(path: Path, name: str) -> RawTable:
    with path.open("rb") as file:
        if not file.seekable():
            raise InputError("a pipe", where=name, expected="a file", fix="write it to a file first")
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if file.tell() == 0:
            raise InputError("the file is empty", where=name, expected=FORMATS)
        data: Buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    head = data[:8]
    if head.startswith(b"PAR1"):
        return RawTable(name, "parquet", read_parquet(path, name), sha256)
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return RawTable(name, "arrow", read_arrow(path, name), sha256)
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in (".gz", ".zst", ".zstd")]
    suffix = suffixes[-1] if suffixes else ""
    on_disk = path if is_plain(path) else None
    if head.startswith((_GZIP, _ZSTD)):
        data, on_disk = _inflated(data, name), None
    if data[:3] == _BOM:
        data, on_disk = data[3:], None
    _refuse_foreign(data[:4096], name)
    if not data[:4096].strip() and not data[:].strip():
        raise InputError("the file is empty", where=name, expected=FORMATS)
    if suffix in (".csv", ".tsv"):
        return RawTable(name, suffix[1:], read_csv(data[:], name, suffix), sha256)
    return _read_json(data, name, sha256, on_disk, suffix)


def _read_json(data: Buffer, name: str, sha256: str, on_disk: Path | None, suffix: str) -> RawTable:
    """Tell JSON Lines from a JSON document, and read it."""
    head = data[:65536]
    start = len(head) - len(head.lstrip())
    if head[start : start + 1] not in (b"{", b"["):
        raise InputError("a format that was not recognised", where=name, expected=FORMATS)
    end = data.find(b"\n", start)
    first, rest = (data[start:end], data[end : end + 65536].strip()) if end >= 0 else (data[start:], b"")
    kind, envelope = "jsonl", None
    if first[:1] == b"[" or not rest or (suffix == ".json" and not _complete(first)):
        rows, envelope = rows_of_document(data, name)
        if not rows:
            raise InputError("no rows", where=name, expected="at least one row")
        kind, on_disk, data = "json", None, b"\n".join(dump_row(row) for row in rows)
    found = read_json_lines(data, name, path=on_disk)
    return RawTable(name, kind, found.frame, sha256, data, envelope, found.opaque, found.damaged)


def _complete(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _inflated(data: Buffer, name: str) -> bytes:
    """Decompress gzip (Python) or zstd (polars: Python has none before 3.14)."""
    try:
        if data[:2] == _GZIP:
            return gzip.decompress(data[:])
        return "\n".join(pl.read_lines(io.BytesIO(data[:])).to_series().to_list()).encode()
    except (EOFError, OSError, zlib.error, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"damaged archive: {reason}", where=name, fix="copy or download the file again") from None


def _refuse_foreign(head: bytes, name: str) -> None:
    """Refuse what is not text, by its first bytes or its share of control characters."""
    for magic, (what, fix) in _FOREIGN.items():
        if head.startswith(magic) or head[:40].lstrip().lower().startswith(magic):
            raise InputError(what, where=name, expected=FORMATS, fix=fix)
    control = sum(byte < 9 or 13 < byte < 32 for byte in head)
    if control > 0.1 * len(head):
        raise InputError("a binary file", where=name, expected=FORMATS)
