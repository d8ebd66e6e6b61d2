"""Scores and embeddings on disk, found again by a hash of what they were made from."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import struct
import time
import weakref
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from dehusk.core.errors import InputError
from dehusk.core.options import at_home
from dehusk.io.atomic import encode

Values = np.ndarray[Any, np.dtype[Any]]

PATIENCE = 60.0  # seconds that one process waits for another to finish writing
_AT_ONCE = 500  # keys a query: below the least limit that SQLite is built with
_HEAD = struct.Struct("<IB")  # checksum of key and bytes, then bytes a number
_MAKE = "CREATE TABLE IF NOT EXISTS dehusk_values (key BLOB PRIMARY KEY, value BLOB)"
_PUT = "INSERT OR REPLACE INTO dehusk_values VALUES (?, ?)"
_GET = "SELECT key, value FROM dehusk_values WHERE key IN "


def key(identity: str, kind: str, *texts: str) -> bytes:
    """What a value is found by: a hash of the model's identity, the kind of value and the texts it was made from.

    Args:
        identity: Names everything about the model that a value depends on: weights, template, length, precision.
        kind: "score", "embedding", …
        texts: The text, or prompt and answer; where one ends and the next begins counts.
    """
    digest = hashlib.blake2b(digest_size=20)
    for part in (identity, kind, *texts):
        data = encode(part)
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.digest()


def default_path() -> Path:
    """Where values are kept unless the user names a file: in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dehusk" / "store.sqlite"


class Store:
    """Numbers by key in one SQLite file, which many processes may read and write at the same time.

    What was put is there after `kill -9`, and a `put` that was cut short leaves nothing. A value that was damaged on
    disk counts as missing, so that it is computed again.
    """

    def __init__(self, path: str | Path | None = None, *, patience: float = PATIENCE) -> None:
        """Open the file, or make it.

        Args:
            path: The file, `default_path` when None; ":memory:" keeps nothing.
            patience: Seconds to wait for another process.

        Raises:
            InputError: it cannot be opened, is locked, or is some other file.
        """
        self.path = str(default_path() if path is None else at_home(str(path)))
        with self._one_line():
            self._connection = _opened(self.path, patience)
        weakref.finalize(self, self._connection.close)

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Values]:
        """The values that are known: key -> shape (d,), float32 or float64 as it was put.

        Raises:
            InputError: the file cannot be read.
        """
        rows: list[tuple[bytes, Any]] = []
        with self._one_line():
            for start in range(0, len(keys), _AT_ONCE):
                some = keys[start : start + _AT_ONCE]
                rows += self._connection.execute(f"{_GET} ({','.join('?' * len(some))})", some)
        values = ((name, _unpacked(name, packed)) for name, packed in rows)
        return {name: value for name, value in values if value is not None}

    def put(self, values: Mapping[bytes, Values]) -> None:
        """Keep values, each of shape (d,) in float32 or float64: all of them or none.

        Raises:
            InputError: the file cannot be written.
        """
        rows = [(name, _packed(name, value)) for name, value in values.items()]
        with self._one_line():
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:  # commits, or rolls back when anything fails
                self._connection.executemany(_PUT, rows)

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:  # ValueError: a NUL in the name
            said = (getattr(error, "strerror", None) or str(error)).lower()
            said = {"database is locked": "another process does not let go of it"}.get(said, said)
            raise InputError(f"cannot be used as a store: {said}", where=self.path, fix="--store FILE") from None


def _opened(path: str, patience: float) -> sqlite3.Connection:
    """Open or make the file; SQLite itself does not wait when two processes make the same file at once."""
    if path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    while True:
        connection = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection)
            return connection
        except sqlite3.OperationalError as error:
            connection.close()
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        except BaseException:
            connection.close()
            raise


def _prepare(connection: sqlite3.Connection) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and "dehusk_values" not in tables:
        raise sqlite3.DatabaseError("a database of another program")
    connection.execute("PRAGMA journal_mode = WAL")  # readers need not wait for a writer
    connection.execute("PRAGMA synchronous = NORMAL")  # what was put survives the process, if not always a power cut
    connection.execute(_MAKE)


def _packed(name: bytes, value: Values) -> bytes:
    width = 4 if value.dtype == np.float32 else 8
    data = np.asarray(value, dtype=f"<f{width}").tobytes()
    return _HEAD.pack(zlib.crc32(data, zlib.crc32(name)), width) + data


def _unpacked(name: bytes, packed: Any) -> Values | None:
    """The value, or None if it is not what was put there."""
    if not isinstance(packed, bytes) or len(packed) < _HEAD.size:
        return None
    check, width = _HEAD.unpack_from(packed)
    data = packed[_HEAD.size :]
    intact = zlib.crc32(data, zlib.crc32(name)) == check and width in (4, 8) and len(data) % width == 0
    return np.frombuffer(data, dtype=f"<f{width}") if intact else None
