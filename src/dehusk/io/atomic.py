"""Writing that never leaves half a file: a temporary file beside the target, flushed to disk, then renamed."""

from __future__ import annotations

import gzip
import io
import os
import secrets
from contextlib import suppress
from pathlib import Path

import polars as pl

from dehusk.core.errors import InputError

TABLE_SUFFIXES = (".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".arrow")


def write_atomic(path: str | Path, content: bytes | str) -> None:
    """Write `content` to `path`, all of it or nothing, also under ctrl-C or a full disk.

    Text is written as UTF-8 with its line ends untouched; a lone surrogate becomes U+FFFD.

    Raises:
        InputError: when the folder does not exist or may not be written to.
    """
    target = Path(path)
    data = content if isinstance(content, bytes) else encode(content)
    temporary = target.with_name(f".{target.name[:80]}.{secrets.token_hex(6)}.part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with suppress(OSError):  # keep the permissions of the file being replaced
            temporary.chmod(target.stat().st_mode & 0o777)
        temporary.replace(target)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        _remove(temporary)
        raise _cannot_write(target, error) from None
    except BaseException:  # ctrl-C included: the half file goes before anything else happens
        _remove(temporary)
        raise


def write_table(path: str | Path, frame: pl.DataFrame) -> None:
    """Write a table in the format that the suffix names (`TABLE_SUFFIXES`, text ones also with `.gz`).

    CSV has no nested values: they are written as JSON text.

    Raises:
        InputError: an unknown suffix, or a folder that cannot be written to.
    """
    kind, squeezed = table_kind(path)
    data = _encoded(frame, kind)
    write_atomic(path, gzip.compress(data, 6, mtime=0) if squeezed else data)


def table_kind(path: str | Path) -> tuple[str, bool]:
    """Format that a file name asks for, without its dot, and whether it is to be gzipped.

    >>> table_kind("pairs.jsonl.gz")
    ('jsonl', True)

    Raises:
        InputError: when the suffix names no table format.
    """
    name = Path(path).name.lower()
    squeezed = name.endswith(".gz")
    suffix = Path(name.removesuffix(".gz")).suffix
    packed = squeezed and suffix in (".parquet", ".arrow")
    if suffix not in TABLE_SUFFIXES or packed:
        what = f"cannot write a table as {suffix or 'a folder or a file without a suffix'}{'.gz' * packed}"
        fix = None if suffix else f"{str(path).rstrip('/')}.parquet, which `datasets` reads with Dataset.from_parquet"
        expected = f"{', '.join(TABLE_SUFFIXES)}, or .gz after those that are text"
        raise InputError(what, where=str(path), expected=expected, fix=fix)
    return {".ndjson": "jsonl"}.get(suffix, suffix[1:]), squeezed


def is_table(name: str) -> bool:
    """Whether a file name ends like a table that can be read (also compressed).

    >>> is_table("train.jsonl.gz"), is_table("README.md")
    (True, False)
    """
    path = Path(name.lower())
    return (path.with_suffix("") if path.suffix in (".gz", ".zst", ".zstd") else path).suffix in TABLE_SUFFIXES


def encode(text: str) -> bytes:
    r"""UTF-8 bytes of any Python string; lone surrogates, which UTF-8 cannot hold, become U+FFFD.

    >>> encode("a\ud800").decode()
    'a�'
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _encoded(frame: pl.DataFrame, kind: str) -> bytes:
    buffer = io.BytesIO()
    if kind == "parquet":
        frame.write_parquet(buffer)
    elif kind == "arrow":
        frame.write_ipc(buffer)
    elif kind == "jsonl":
        frame.write_ndjson(buffer)
    elif kind == "json":
        frame.write_json(buffer)
    else:
        _flat(frame).write_csv(buffer, separator="\t" if kind == "tsv" else ",")
    return buffer.getvalue()


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """The same table with every nested column as JSON text."""
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    return frame.with_columns(json_text(name) for name in nested)


def json_text(name: str) -> pl.Expr:
    """JSON text of a nested column; polars encodes structs only, so the value is wrapped in one and unwrapped."""
    wrapped = pl.struct(pl.col(name).alias("v")).struct.json_encode()
    bare = wrapped.str.strip_prefix('{"v":').str.head(-1)
    return pl.when(pl.col(name).is_not_null()).then(bare).alias(name)


def _remove(path: Path) -> None:
    with suppress(OSError, ValueError):
        path.unlink()


def _cannot_write(path: Path, error: Exception) -> InputError:
    missing = "\0" not in str(path) and not path.parent.exists()
    reason = "no such folder" if missing else (getattr(error, "strerror", None) or str(error)).lower()
    return InputError(f"cannot write: {reason}", where=str(path), fix=f"mkdir -p {path.parent}" if missing else None)
