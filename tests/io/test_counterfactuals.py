"""Counterfactual pairs: any table with an original, an edited answer and what was added."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dehusk.core.errors import InputError
from dehusk.io import read_counterfactuals

REAL = Path(__file__).parents[3] / "shared" / "data" / "benchmark" / "bias_counterfactual_rm_scores.parquet"
ROW = {"prompt": "p", "original": "a", "edited": "b", "feature": "length"}


def write(file: Path, rows: list[dict[str, Any]]) -> str:
    if file.suffix == ".csv":
        pl.DataFrame(rows).write_csv(file)
    elif file.suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(file)
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_any_format(tmp_path: Path, suffix: str) -> None:
    rows = [ROW | {"human": 0.25, "id": "x"}, ROW | {"prompt": "P ", "edited": "c", "human": None, "id": "y"}]
    table, record = read_counterfactuals(write(tmp_path / f"x{suffix}", rows), columns={})
    assert table.frame.select("row", "prompt", "original", "edited", "feature", "human", "id").rows() == [
        (1, "p", "a", "b", "length", 0.25, "x"),
        (2, "P ", "a", "c", "length", None, "y"),
    ]
    assert table.groups.tolist() == [0, 0]  # case and white space do not make another prompt
    assert (record.role, record.rows, len(record.sha256), record.notes) == ("counterfactuals", 2, 64, ())


def test_other_names_and_the_better_of_two(tmp_path: Path) -> None:
    row = {
        "query": "q",
        "original_response": "old",
        "base_response": "base",
        "perturbed_response": "new",
        "bias": "tone",
    }
    table, _ = read_counterfactuals(write(tmp_path / "x.jsonl", [row]), columns={})
    assert table.frame.select("prompt", "original", "edited", "feature").row(0) == ("q", "base", "new", "tone")
    assert "human" not in table.frame.columns


def test_a_mapping_is_followed_noted_and_not_confused_with_that_of_pairs(tmp_path: Path) -> None:
    row = {"q": "q", "old": "o", "new": "n", "what": "bold", "votes": 1}
    columns = {"prompt": "q", "original": "old", "edited": "new", "feature": "what", "human": "votes", "chosen": "win"}
    table, record = read_counterfactuals(write(tmp_path / "x.jsonl", [row]), columns=columns, lang="zh")
    assert table.frame.select("prompt", "original", "edited", "feature", "human").row(0) == ("q", "o", "n", "bold", 1.0)
    assert len(record.notes) == 5
    assert "old" in record.notes[1]


def test_messages(tmp_path: Path) -> None:
    user, said = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
    row = ROW | {"prompt": [user], "original": [said], "edited": [user, said | {"content": "b"}]}
    table, _ = read_counterfactuals(write(tmp_path / "x.jsonl", [row]), columns={})
    assert table.frame.select("prompt", "original", "edited").row(0) == ("q", "a", "b")


def test_rows_without_an_answer_are_left_out_with_a_note(tmp_path: Path) -> None:
    rows = [ROW, ROW | {"original": None}, ROW | {"edited": "  "}, ROW | {"prompt": None}]
    table, record = read_counterfactuals(write(tmp_path / "x.jsonl", rows), columns={})
    assert table.frame["row"].to_list() == [1, 4]
    assert table.frame["prompt"].to_list() == ["p", ""]
    assert record.notes == ("2 rows left out: an answer is empty.",)
    with pytest.raises(InputError, match="no row with both answers"):
        read_counterfactuals(write(tmp_path / "y.jsonl", rows[1:3]), columns={})


@pytest.mark.parametrize("given", [0, 1, 0.5, True, "0.5", " 1 "])
def test_shares_of_people(tmp_path: Path, given: object) -> None:
    table, _ = read_counterfactuals(write(tmp_path / "x.jsonl", [ROW | {"human": given}]), columns={})
    assert table.frame["human"][0] == float(given)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [66, -0.1, "edited"])
def test_what_is_no_share_is_refused_with_its_row(tmp_path: Path, given: object) -> None:
    rows = [ROW | {"human": None}, ROW | {"human": given}]
    with pytest.raises(InputError, match=r"x.jsonl, row 2: .* in column 'human'; expected the share of people"):
        read_counterfactuals(write(tmp_path / "x.jsonl", rows), columns={})


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    file = write(tmp_path / "x.jsonl", [{"prompt": "p", "original": "a", "edited": "b"}])
    with pytest.raises(InputError, match=r"no feature in columns prompt, original, edited.*--map feature=COLUMN"):
        read_counterfactuals(file, columns={})
    with pytest.raises(InputError, match="no column 'bais'"):
        read_counterfactuals(file, columns={"feature": "bais"})
    with pytest.raises(InputError, match="column 'edited' is"):
        read_counterfactuals(write(tmp_path / "y.jsonl", [ROW | {"edited": 3}]), columns={})
    with pytest.raises(InputError, match="no such file"):
        read_counterfactuals(str(tmp_path / "z.jsonl"), columns={})


@pytest.mark.skipif(not REAL.exists(), reason="the published counterfactuals are not on this machine")
def test_published_counterfactuals() -> None:
    table, _ = read_counterfactuals(str(REAL), columns={})
    counts = dict(table.frame["feature"].value_counts().rows())
    assert counts == {"jargon": 328, "length": 329, "structure": 329, "sycophancy": 64}
    assert table.frame["rm2B_base_score_base"].dtype == pl.Float64
