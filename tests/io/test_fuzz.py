"""Whatever the bytes, the only thing that comes out of a reader is `InputError`."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dehusk.core.errors import InputError
from dehusk.core.kinds import layouts
from dehusk.io import read_pairs, read_responses, write_pairs
from dehusk.io.layouts.choice import ANSWERS

FUZZ = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
NAMES = st.sampled_from(
    sorted(
        {name for names in ANSWERS[:12] for name in names}
        | {"prompt", "chosen", "rejected", "messages", "rejected_response", "conversations", "responses", "scores"}
        | {"label", "winner", "completion", "score_chosen", "score_rejected", "instruction", "input", "history"}
        | {"system", "preference_strength", "output", "step", "advantage", "weight", "margin", "lang", "source", "id"}
        | {"response", "helpfulness", "score", "query", "conversation_a", "conversation_b"}
    )
)
TEXT = st.text(max_size=30) | st.sampled_from(
    ["", "\x00", "\ud800", "\n\nHuman: a\n\nAssistant: b", "tie", "A", "1", "\u202eשלום", "😀"]
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "gpt", "?"]), "content": TEXT | st.none()}
)
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
VALUE = st.recursive(
    SCALAR | st.lists(MESSAGE, max_size=3) | MESSAGE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(st.dictionaries(NAMES, VALUE, max_size=7), min_size=1, max_size=5)


def survives(data: bytes, suffix: str) -> None:
    """Read the bytes as pairs and as responses; write back whatever was read."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"fuzz{suffix}"
        file.write_bytes(data)
        try:
            loaded = read_pairs(str(file))
        except InputError as error:
            assert "\n" not in str(error)
        else:
            write_pairs(Path(folder) / "same.jsonl", loaded.pairs, loaded.origin)
            write_pairs(Path(folder) / "same.csv", loaded.pairs, loaded.origin)
            other = sorted(entry.name for entry in layouts)[len(data) % len(layouts)]
            write_pairs(Path(folder) / "other.jsonl", loaded.pairs, loaded.origin, layout=other)
        try:
            read_responses([(None, str(file))])
        except InputError as error:
            assert "\n" not in str(error)


@FUZZ
@given(ROWS)
def test_any_json_rows(rows: list[dict[str, Any]]) -> None:
    survives("\n".join(json.dumps(row) for row in rows).encode(), ".jsonl")


@FUZZ
@given(VALUE)
def test_any_json_document(tree: Any) -> None:
    survives(json.dumps(tree).encode(), ".json")


@FUZZ
@given(st.lists(st.fixed_dictionaries({"prompt": VALUE, "chosen": VALUE, "rejected": VALUE}), min_size=1, max_size=4))
def test_right_names_with_any_values(rows: list[dict[str, Any]]) -> None:
    survives("\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode("utf-8", "replace"), ".jsonl")


@FUZZ
@given(st.lists(st.fixed_dictionaries({"prompt": TEXT, "chosen": TEXT, "rejected": TEXT}), min_size=1, max_size=4))
def test_nasty_texts_come_through(rows: list[dict[str, Any]]) -> None:
    survives("\n".join(json.dumps(row) for row in rows).encode(), ".jsonl")


@FUZZ
@given(
    st.binary(max_size=300),
    st.sampled_from([".jsonl", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".gz", ".zst", ""]),
)
def test_any_bytes(data: bytes, suffix: str) -> None:
    survives(data, suffix)


@FUZZ
@given(st.text(alphabet='ab,;\t"\n\r\x00é', max_size=80))
def test_any_csv(text: str) -> None:
    survives(("prompt,chosen,rejected\n" + text).encode(), ".csv")


def seeds() -> dict[str, bytes]:
    rows = [{"prompt": f"p{n}", "chosen": "yes " * 9, "rejected": "no", "meta": {"k": [n]}} for n in range(6)]
    plain = "\n".join(json.dumps(row) for row in rows).encode()
    parquet, arrow, stream = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pl.DataFrame(rows).write_parquet(parquet)
    pl.DataFrame(rows).write_ipc(arrow)
    pl.DataFrame(rows).write_ipc_stream(stream)
    return {
        ".jsonl": plain,
        ".json": json.dumps({"data": rows}).encode(),
        ".jsonl.gz": gzip.compress(plain),
        ".jsonl.zst": zstandard.compress(plain),
        ".csv": pl.DataFrame(rows).drop("meta").write_csv().encode(),
        ".parquet": parquet.getvalue(),
        ".arrow": arrow.getvalue(),
        ".stream.arrow": stream.getvalue(),
    }


SEEDS = seeds()


BINARY = (".parquet", ".arrow", ".stream.arrow")


@settings(FUZZ, max_examples=200)
@given(st.sampled_from(sorted(set(SEEDS) - set(BINARY))), st.data())
def test_damaged_text(suffix: str, data: st.DataObject) -> None:
    body = bytearray(SEEDS[suffix])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(body) - 1))
        how = data.draw(st.sampled_from(["flip", "cut", "insert", "double"]))
        if how == "flip":
            body[place] ^= data.draw(st.integers(1, 255))
        elif how == "cut":
            del body[place : place + data.draw(st.integers(1, 20))]
            body = body or bytearray(b"x")
        elif how == "insert":
            body[place:place] = data.draw(st.binary(min_size=1, max_size=8))
        else:
            body += body[place:]
    survives(bytes(body), suffix)


@FUZZ
@given(st.sampled_from(BINARY), st.data())
def test_broken_off_tables(suffix: str, data: st.DataObject) -> None:
    """What becomes of downloads and full disks: the end is missing or zero, or a block in the middle is.

    Single flipped bits are left out: one in some thousands makes polars ask for petabytes, and the process ends.
    """
    body = SEEDS[suffix]
    start = data.draw(st.integers(1, len(body) - 1))
    if data.draw(st.booleans()):
        return survives(body[:start], suffix)
    end = data.draw(st.sampled_from([start + 64, start + 512, len(body)]))
    return survives(body[:start] + bytes(len(body[start:end])) + body[end:], suffix)
