"""Files as people have them, and one clear line for those that cannot be read."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard

from dehusk.core.errors import InputError
from dehusk.io import read_pairs, write_pairs

ROWS = [
    {"prompt": "a", "chosen": "yes", "rejected": "no", "meta": {"k": 1}},
    {"prompt": "你好", "chosen": 'line\nbreak, "quote"', "rejected": "tab\there", "meta": None},
]
JSONL = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()


def flat_csv(separator: str = ",") -> bytes:
    text = io.StringIO()
    table = csv.DictWriter(text, ["prompt", "chosen", "rejected", "id"], delimiter=separator, lineterminator="\r\n")
    table.writeheader()
    for row in ROWS:
        table.writerow({name: row[name] for name in ("prompt", "chosen", "rejected")} | {"id": "007"})
    return text.getvalue().encode()


def arrow(stream: bool) -> bytes:
    buffer = io.BytesIO()
    frame = pl.DataFrame(ROWS)
    (frame.write_ipc_stream if stream else frame.write_ipc)(buffer)
    return buffer.getvalue()


def parquet() -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame(ROWS).write_parquet(buffer)
    return buffer.getvalue()


READABLE = {
    "a.jsonl": JSONL,
    "a.ndjson": JSONL,
    "no_suffix": JSONL,
    "blank_lines.jsonl": b"\n\n" + JSONL.replace(b"\n", b"\n\n"),
    "no_last_newline.jsonl": JSONL.rstrip(b"\n"),
    "bom.jsonl": b"\xef\xbb\xbf" + JSONL,
    "crlf.jsonl": JSONL.replace(b"\n", b"\r\n"),
    "a.jsonl.gz": gzip.compress(JSONL),
    "a.jsonl.zst": zstandard.compress(JSONL),
    "gzipped_without_saying.jsonl": gzip.compress(JSONL),
    "array.json": json.dumps(ROWS, indent=2).encode(),
    "array.json.gz": gzip.compress(json.dumps(ROWS).encode()),
    "array_called.jsonl": json.dumps(ROWS).encode(),
    "lines_called.json": JSONL,
    "wrapped.json": json.dumps({"version": 2, "data": ROWS}).encode(),
    "wrapped_indented.json": json.dumps({"version": 2, "data": ROWS}, indent=1).encode(),
    "a.csv": flat_csv(),
    "bom.csv": b"\xef\xbb\xbf" + flat_csv(),
    "semicolons.csv": flat_csv(";"),
    "bars.csv": flat_csv("|"),
    "a.tsv": flat_csv("\t"),
    "a.csv.gz": gzip.compress(flat_csv()),
    "a.parquet": parquet(),
    "misnamed.jsonl": parquet(),
    "a.arrow": arrow(stream=False),
    "stream.arrow": arrow(stream=True),
}


@pytest.mark.parametrize("name", READABLE)
def test_reads(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(READABLE[name])
    loaded = read_pairs(str(file))
    wanted = [tuple(row[name] for name in ("prompt", "chosen", "rejected")) for row in ROWS]
    assert loaded.pairs.frame.select("prompt", "chosen", "rejected").rows() == wanted
    assert loaded.record.sha256 == hashlib.sha256(READABLE[name]).hexdigest()
    assert loaded.record.rows == 2


def test_a_single_row_is_enough(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_text(json.dumps({"prompt": "p", "chosen": "a", "rejected": "b", "data": 3}))
    assert len(read_pairs(str(file)).pairs) == 1


def test_json_keeps_what_surrounds_the_rows(tmp_path: Path) -> None:
    file, out = tmp_path / "a.json", tmp_path / "b.json"
    tree = {"version": None, "data": ROWS, "licence": {"name": "CC"}}
    file.write_text(json.dumps(tree))
    loaded = read_pairs(str(file))
    write_pairs(out, loaded.pairs, loaded.origin)
    assert json.loads(out.read_text()) == tree


def test_csv_keeps_leading_zeros_and_line_breaks(tmp_path: Path) -> None:
    file, out = tmp_path / "a.csv", tmp_path / "b.csv"
    file.write_bytes(flat_csv())
    loaded = read_pairs(str(file))
    write_pairs(out, loaded.pairs, loaded.origin)
    assert list(csv.reader(io.StringIO(out.read_text(), newline=""))) == list(
        csv.reader(io.StringIO(flat_csv().decode(), newline=""))
    )


def test_messages_stored_as_json_text_are_messages_and_stay_text(tmp_path: Path) -> None:
    file, out = tmp_path / "a.csv", tmp_path / "b.csv"
    chats = {
        side: json.dumps([{"role": "user", "content": 'Q, "x"'}, {"role": "assistant", "content": side}])
        for side in ("chosen", "rejected")
    }
    pl.DataFrame([{**chats, "n": "1"}]).write_csv(file)
    loaded = read_pairs(str(file))
    assert loaded.record.layout == "trl-implicit-messages"
    assert loaded.pairs.frame.select("prompt", "chosen", "rejected").rows() == [('Q, "x"', "chosen", "rejected")]
    write_pairs(out, loaded.pairs, loaded.origin)
    assert out.read_bytes() == file.read_bytes()


def save_dataset(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number, row in enumerate(ROWS):
        pl.DataFrame([{name: row[name] for name in ("prompt", "chosen", "rejected")}]).write_ipc_stream(
            folder / f"data-{number:05d}-of-00002.arrow"
        )
    names = [{"filename": f"data-{number:05d}-of-00002.arrow"} for number in range(2)]
    (folder / "state.json").write_text(json.dumps({"_data_files": names, "_split": "train"}))
    (folder / "dataset_info.json").write_text("{}")


def test_folder_saved_by_datasets(tmp_path: Path) -> None:
    save_dataset(tmp_path / "all" / "train")
    loaded = read_pairs(str(tmp_path / "all" / "train"))
    assert loaded.pairs.frame["prompt"].to_list() == ["a", "你好"]
    index = tmp_path / "all" / "dataset_dict.json"
    index.write_text('{"splits": ["train"]}')
    whole = read_pairs(str(tmp_path / "all"))
    assert whole.pairs.frame.equals(loaded.pairs.frame)
    index.write_text('{"splits": ["train", "alpha"]}')
    with pytest.raises(InputError, match=r"several splits: train, alpha; expected one of them\. Try: .*all/train"):
        read_pairs(str(tmp_path / "all"))
    index.write_text('["train"]')
    with pytest.raises(InputError, match=r"broken dataset_dict\.json; expected a folder saved by datasets"):
        read_pairs(str(tmp_path / "all"))
    with pytest.raises(
        InputError, match=r"a folder or a file without a suffix; .* Try: .*/out\.parquet, which `datasets`"
    ):
        write_pairs(tmp_path / "out", loaded.pairs, loaded.origin)


def test_a_folder_with_tables_in_it_names_one(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train-00000-of-00001.parquet").write_bytes(parquet())
    with pytest.raises(InputError, match=r"a folder; .* Try: .*/data/train-00000-of-00001\.parquet"):
        read_pairs(str(tmp_path))


def test_half_surrogates_become_replacement_characters_and_are_counted(tmp_path: Path) -> None:
    file, out = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    rows = [
        '{"prompt": "p", "chosen": "broken \\ud83d end", "rejected": "fine \\ud83d\\ude00"}',
        '{"prompt": "p", "chosen": "a literal \\\\ud83d", "rejected": "nul \\u0000 byte"}',
        '{"prompt": "q", "chosen": "x", "rejected": "\\udc00"}',
    ]
    file.write_text("\n\n".join(rows) + "\n")
    loaded = read_pairs(str(file))
    assert loaded.pairs.frame["chosen"].to_list() == ["broken � end", "a literal \\ud83d", "x"]
    assert loaded.pairs.frame["rejected"].to_list() == ["fine 😀", "nul \x00 byte", "�"]
    found = loaded.checks.frame.filter(pl.col("check") == "lone_surrogate")
    assert found.select("row", "side").rows() == [(1, "chosen"), (3, "rejected")]
    write_pairs(out, loaded.pairs, loaded.origin)
    assert out.read_text().splitlines() == rows  # the file's own bytes are not ours to mend


def test_very_long_lines_and_keys_that_come_late(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    rows: list[dict[str, Any]] = [{"prompt": f"p{n}", "chosen": "x" * 1_000_000, "rejected": "y"} for n in range(3)]
    rows += [{"prompt": f"q{n}", "chosen": "a", "rejected": "b", "n": n} for n in range(3_000)]
    rows.append({"prompt": "last", "chosen": "a", "rejected": "b", "n": 0.5})
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    frame = read_pairs(str(file)).pairs.frame
    assert frame["chosen"].str.len_chars().head(4).to_list() == [1_000_000] * 3 + [1]
    assert frame["n"].to_list()[-1] == 0.5


def test_python_s_nan_is_read_as_missing(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"prompt": "p", "chosen": "a", "rejected": "b", "margin": NaN}\n' * 2 + JSONL.decode())
    assert read_pairs(str(file)).pairs.frame["prompt"].to_list() == ["p", "p", "a", "你好"]


def broken_at(line: int) -> bytes:
    rows = [json.dumps({"prompt": f"p{n}", "chosen": "a" * 50, "rejected": "b"}) for n in range(6_000)]
    rows[line - 1] = rows[line - 1][:-3]
    return "\n".join(rows).encode()


PAIR = '{"prompt": "p", "chosen": "a", "rejected": "b"}\n'
WRONG: dict[str, tuple[bytes, str]] = {
    "broken.jsonl": (broken_at(4217), r"broken\.jsonl, row 4,217: broken JSON: .*; expected one JSON object a line"),
    "broken.json": (b'[\n{"prompt": "p",\n"chosen": }\n]', r"broken\.json, row 3: broken JSON"),
    "open.json": (b'{"data": [{"prompt": "p"', r"broken JSON"),
    "numbers.jsonl": (b"1\n2\n", r"a format that was not recognised; expected JSON Lines"),
    "scalars.json": (b"[1, 2]", r"row 1: a number instead of an object"),
    "odd_row.jsonl": (PAIR.encode() * 2 + b"[1]\n", r"row 3: a list instead of an object"),
    "two_lists.json": (b'{"train": [{"a": 1}], "test": [{"a": 1}]}', r"rows under train and test"),
    "no_rows.json": (b"[]", r"no rows"),
    "empty.jsonl": (b"", r"the file is empty"),
    "blank.jsonl": (b" \n\n \n", r"the file is empty"),
    "header_only.csv": (b"prompt,chosen,rejected\n", r"no rows"),
    "model.bin": (bytes(range(256)) * 20, r"a binary file; expected JSON Lines, JSON, CSV"),
    "table.xlsx": (b"PK\x03\x04" + bytes(100), r"a zip or Excel file; .* Try: save it as CSV"),
    "a.pkl": (b"\x80\x04\x95" + bytes(100), r"a pickle, which dehusk never loads"),
    "utf16.jsonl": (PAIR.encode("utf-16"), r"UTF-16 text; .*Try: save the file as UTF-8"),
    "gbk.jsonl": (PAIR.encode() + '{"prompt": "你好"}'.encode("gbk"), r"row 2: bytes that are not UTF-8"),
    "gbk.csv": ("prompt,chosen,rejected\na,b,c\n你好,b,c\n".encode("gbk"), r"row 3: bytes that are not UTF-8"),
    "pandas.csv": (
        b"chosen,rejected\n\"[{'role': 'user', 'content': 'x'}]\",\"[{'role': 'user', 'content': 'y'}]\"\n",
        r"column 'chosen' holds Python lists as text; .* Try: save the table as JSON Lines or Parquet",
    ),
    "turns.csv": (
        b'prompt,response_a\n"[""one"",""two""]","[""x""]"\n',
        r"column 'prompt' holds lists of turns as JSON text",
    ),
    "twice.csv": (b"prompt,chosen,chosen,rejected\n1,2,3,4\n", r"row 1: two columns 'chosen'; expected each name once"),
    "open_quote.csv": (
        b'prompt,chosen,rejected\na,b,c\nd,"e,f\ng,h,i\n',
        r"row 3: broken CSV: .*; expected quotes that",
    ),
    "lfs.parquet": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n",
        r"a Git LFS pointer.* Try: git lfs pull",
    ),
    "page.jsonl": (b"\n<!DOCTYPE html><html>", r"a web page; .* Try: download the file itself"),
    "columns.json": (
        b'{"prompt": ["p", "q"], "chosen": ["a", "b"]}',
        r"columns instead of rows; .* Try: df\.to_json\(",
    ),
    "pandas.json": (b'{"prompt": {"0": "p"}, "chosen": {"0": "a"}}', r"columns instead of rows; .* Try: df\.to_json\("),
    "bare_lists.jsonl": (
        b'{"prompt": "p", "chosen": ["a"], "rejected": []}\n' * 2,
        r"'chosen' is a list of text; expected text",
    ),
    "undecided.jsonl": (
        b'{"prompt": "p", "response_a": "x", "response_b": "y"}',
        r"two answers \(response_a, response_b\) and no column that says which one won; .* Try: --map label=COLUMN",
    ),
    "odd_label.jsonl": (
        b'{"prompt": "p", "response_a": "x", "response_b": "y", "winner": "Q"}',
        r"label 'Q' in column 'winner'; expected response_a or response_b",
    ),
    "swift_typo.jsonl": (
        b'{"text": "q", "response": "x", "rejected_response": "y"}',
        r"chosen=response,rejected=rejected_resp",
    ),
    "other_names.jsonl": (
        b'{"winning_response": "x", "response_k": "y"}',
        r"--map chosen=winning_response,rejected=response_k",
    ),
    "ragged.csv": (b"prompt,chosen,rejected\n1,2,3\n1,2,3,4\n", r"row 3: 4 fields; expected 3 fields"),
    "cut.jsonl.gz": (gzip.compress(JSONL * 50)[:-12], r"damaged archive"),
    "cut.jsonl.zst": (zstandard.compress(JSONL * 5_000)[:-12], r"damaged archive"),
    "cut.parquet": (parquet()[:-40], r"damaged or not what it seems"),
    "cut.arrow": (arrow(stream=False)[:200], r"damaged|cannot be read"),
    "typo.jsonl": (PAIR.replace("chosen", "chossen").encode(), r"no column 'chosen' in .* Try: --map chosen=chossen"),
    "renamed.jsonl": (b'{"question": "q", "win": "a", "lose": "b"}', r"Try: --map chosen=win,rejected=lose"),
    "unrelated.jsonl": (b'{"x": 1, "y": 2}', r"no known layout in columns x, y; .* Try: dehusk list layouts"),
    "typed.jsonl": (b'{"prompt": "p", "chosen": 3, "rejected": 4}', r"column 'chosen' is a number; expected text or"),
    "mixed.jsonl": (
        PAIR.encode() * 3 + b'{"prompt": "p", "chosen": [{"role": "user", "content": "x"}], "rejected": "b"}\n',
        r"row 4: column 'chosen' holds messages in some rows and text in others",
    ),
    "lists.jsonl": (
        PAIR.encode() + b'{"prompt": "p", "chosen": [1, {"a": 2}], "rejected": "b"}',
        r"row 2: column 'chosen' is a list or an object; expected text or messages",
    ),
    "all_same.jsonl": (PAIR.replace('"b"', '"a"').encode() * 7, r"no usable pair \(both answers are the same in 7\)"),
    "wide.jsonl": (json.dumps({f"c{n}": n for n in range(100_000)}).encode(), r"100,000 columns; expected at most"),
    "wide.csv": (",".join(f"c{n}" for n in range(100_000)).encode() + b"\n", r"100,000 columns; expected at most"),
    "keyed.jsonl": ("\n".join(json.dumps({f"c{n}": n}) for n in range(5_000)).encode(), r"columns; expected at most"),
    "deep.jsonl": (b'{"prompt": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", r"JSON nested too deeply"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_get_one_line(name: str, tmp_path: Path) -> None:
    data, message = WRONG[name]
    file = tmp_path / name
    file.write_bytes(data)
    started = time.monotonic()
    with pytest.raises(InputError, match=message) as caught:
        read_pairs(str(file))
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)
    assert time.monotonic() - started < 10


def test_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "prefs.jsonl").write_bytes(JSONL)
    with pytest.raises(InputError, match=r"pref\.jsonl: no such file\. Try: .*prefs\.jsonl"):
        read_pairs(str(tmp_path / "pref.jsonl"))


@pytest.mark.parametrize("path", ["", "no/such/folder/x.jsonl", "nul\0byte.jsonl", "x" * 5_000])
def test_impossible_paths(path: str) -> None:
    with pytest.raises(InputError):
        read_pairs(path)


def test_a_folder_is_not_a_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a folder; expected"):
        read_pairs(str(tmp_path))


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret.jsonl"
    file.write_bytes(JSONL)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything: chmod proves nothing in a container
    with pytest.raises(InputError, match=r"no permission to read it\. Try: chmod u\+r"):
        read_pairs(str(file))


def test_unknown_mapped_column_names_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(PAIR.replace("chosen", "winner_text").encode())
    with pytest.raises(InputError, match=r"no column 'winer_text'.* Try: --map chosen=winner_text"):
        read_pairs(str(file), columns={"chosen": "winer_text"})


def test_overgrown_objects_stay_json_text(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    rows = [{"prompt": "p", "chosen": "a", "rejected": "b", "by_id": {f"k{n}": n}} for n in range(2_500)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    loaded = read_pairs(str(file))
    assert loaded.origin.raw.frame.schema["by_id"] == pl.String
    write_pairs(tmp_path / "b.jsonl", loaded.pairs, loaded.origin)
    assert (tmp_path / "b.jsonl").read_bytes() == file.read_bytes()
