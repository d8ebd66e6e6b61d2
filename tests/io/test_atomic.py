"""Writing: all or nothing."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from dehusk.core.errors import InputError
from dehusk.io import write_atomic, write_table


def test_replaces_and_keeps_permissions(tmp_path: Path) -> None:
    file = tmp_path / "out.txt"
    write_atomic(file, "one")
    file.chmod(0o640)
    write_atomic(file, b"two\r\n")
    assert file.read_bytes() == b"two\r\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("blow", [KeyboardInterrupt, OSError(28, "No space left on device"), MemoryError])
def test_leaves_the_old_file_and_no_half_one(
    blow: type[BaseException] | BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "out.txt"
    write_atomic(file, "old")

    def interrupted(_: int) -> None:
        raise blow

    monkeypatch.setattr(os, "fsync", interrupted)
    expected = InputError if isinstance(blow, OSError) else blow
    with pytest.raises(expected):  # type: ignore[arg-type]
        write_atomic(file, "new" * 1000)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_one_line_for_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write: no such folder\. Try: mkdir -p"):
        write_atomic(tmp_path / "no" / "out.txt", "x")
    with pytest.raises(InputError, match="cannot write"):
        write_atomic("nul\0byte", "x")


def test_lone_surrogates_become_replacement_characters(tmp_path: Path) -> None:
    write_atomic(tmp_path / "x", "a\ud800b\U0001f600")
    assert (tmp_path / "x").read_text("utf-8") == "a\ufffdb\U0001f600"


NESTED = pl.DataFrame({"a": [1, 2], "b": [{"k": ['x"y', None]}, None], "c": [[1, 2], []], "d": ["你", None]})


@pytest.mark.parametrize(
    ("name", "reader"),
    [("t.parquet", pl.read_parquet), ("t.jsonl", pl.read_ndjson), ("t.json", pl.read_json), ("t.arrow", pl.read_ipc)],
)
def test_tables_come_back(name: str, reader: object, tmp_path: Path) -> None:
    write_table(tmp_path / name, NESTED)
    assert reader((tmp_path / name).read_bytes()).equals(NESTED)  # type: ignore[operator]


def test_csv_has_nested_values_as_json_text(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv.gz", NESTED)
    table = pl.read_csv(tmp_path / "t.csv.gz", infer_schema=False)
    assert table["b"].to_list() == ['{"k":["x\\"y",null]}', None]
    assert table["c"].to_list() == ["[1,2]", "[]"]


@pytest.mark.parametrize("name", ["t.xlsx", "t", "t.parquet.gz"])
def test_unknown_suffix(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected \.parquet, \.jsonl") as caught:
        write_table(tmp_path / name, NESTED)
    assert ("Dataset.from_parquet" in str(caught.value)) == (name == "t")  # what `save_to_disk` would have been for
