"""TensorBoard's event files, without TensorBoard: records with checksums, and the few fields a scalar needs.

A record is its length (8 bytes), a checksum of that, the data, and a checksum of the data; the data is an `Event` in
protocol buffers' wire format (tensorflow/core/lib/io/record_writer.h, core/util/event.proto, framework/summary.proto).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from dehusk.core.errors import InputError

_POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), bits reversed
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DT_FLOAT, _DT_DOUBLE = 1, 2


class Scalar(NamedTuple):
    """One number of an event file."""

    step: int
    tag: str
    value: float


def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        rows.append(value)
    return tuple(rows)


_CRC = _table()


def masked_crc(data: bytes) -> int:
    """Masked CRC-32C, as event files store it.

    >>> hex(masked_crc(b"123456789"))  # the CRC itself is 0xe3069283
    '0xc78ab0e5'
    """
    value = 0xFFFFFFFF
    for byte in data:
        value = _CRC[(value ^ byte) & 0xFF] ^ value >> 8
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def is_event_file(head: bytes) -> bool:
    """Whether the first bytes of a file are the length of a record and its checksum."""
    return len(head) >= 12 and struct.unpack_from("<I", head, 8)[0] == masked_crc(head[:8])


def scalars(data: bytes, where: str) -> tuple[list[Scalar], bool]:
    """Every scalar of an event file, and whether the file stops in the middle of a record (a run that was killed).

    Raises:
        InputError: a record whose checksum is wrong, with its number.
    """
    found: list[Scalar] = []
    at, record = 0, 0
    while at < len(data):
        record += 1
        if at + 12 > len(data):
            return found, True
        (length,) = struct.unpack_from("<Q", data, at)
        if struct.unpack_from("<I", data, at + 8)[0] != masked_crc(data[at : at + 8]):
            raise _damaged(where, record)
        end = at + 12 + length
        if end + 4 > len(data):
            return found, True
        event = data[at + 12 : end]
        if struct.unpack_from("<I", data, end)[0] != masked_crc(event):
            raise _damaged(where, record)
        try:
            found += _scalars_of(event)
        except (IndexError, struct.error, ValueError):
            raise _damaged(where, record) from None
        at = end + 4
    return found, False


def _damaged(where: str, record: int) -> InputError:
    fix = "copy the file again"
    return InputError("a damaged record", where=where, row=record, expected="a TensorBoard event file", fix=fix)


def _scalars_of(event: bytes) -> Iterator[Scalar]:
    """Scalars of an `Event`: step = 2, summary = 5; texts, images and histograms are passed over."""
    step, summaries = 0, []
    for number, value in _fields(event):
        if number == 2 and isinstance(value, int):
            step = value - (1 << 64) if value >> 63 else value
        elif number == 5 and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for number, value in _fields(summary):
            if number == 1 and isinstance(value, bytes):
                tag, number_of = _value(value)
                if number_of is not None:
                    yield Scalar(step, tag, number_of)


def _value(data: bytes) -> tuple[str, float | None]:
    """Tag = 1 of a `Summary.Value`, and its simple_value = 2 or the scalar in its tensor = 8."""
    tag, found = "", None
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            tag = value.decode("utf-8", "replace")
        elif number == 2 and isinstance(value, bytes):
            found = float(struct.unpack("<f", value)[0])
        elif number == 8 and isinstance(value, bytes):
            found = _tensor(value)
    return tag, found


def _tensor(data: bytes) -> float | None:
    """The one number of a `TensorProto`: dtype = 1, tensor_content = 4, float_val = 5, double_val = 6."""
    dtype, content = 0, b""
    for number, value in _fields(data):
        if number == 1 and isinstance(value, int):
            dtype = value
        elif number in (4, 5, 6) and isinstance(value, bytes):
            content = value
    form = {_DT_FLOAT: "<f", _DT_DOUBLE: "<d"}.get(dtype)
    return float(struct.unpack(form, content)[0]) if form and len(content) == struct.calcsize(form) else None


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a message: integers for varints, bytes for all else."""
    at = 0
    while at < len(data):
        head, at = _varint(data, at)
        number, wire = head >> 3, head & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        else:
            size = {_FIXED64: 8, _FIXED32: 4}[wire] if wire in (_FIXED64, _FIXED32) else -1
        if size < 0 or at + size > len(data):
            raise ValueError("a field past the end")
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
