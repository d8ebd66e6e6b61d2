"""Row checks: each finds what it is for, and stays silent on ordinary text."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from dehusk.io import LoadedPairs, read_pairs

PROMPT = "Please explain why the husk of a seed protects it."
GOOD = "The husk keeps water out and insects away, so the seed can rest until spring."
OTHER = "Seeds have husks because plants evolved in places where animals eat them."
LONG = "This sentence is an ordinary one about seeds and husks in the field. " * 4


def load(tmp_path: Path, *pairs: tuple[str, str, str]) -> LoadedPairs:
    file = tmp_path / "pairs.jsonl"
    rows = [dict(zip(("prompt", "chosen", "rejected"), pair, strict=True)) for pair in pairs]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_pairs(str(file))


def found(loaded: LoadedPairs) -> set[tuple[int, str, str, bool]]:
    return set(loaded.checks.frame.rows())


def test_ordinary_pairs_raise_nothing(tmp_path: Path) -> None:
    assert found(load(tmp_path, (PROMPT, GOOD, OTHER), ("为什么种子有壳？", "为了保护胚芽。", "不知道"))) == set()


ONE_ROW = [
    ("near_identical", "pair", LONG + "Good.", LONG + "Good!"),
    ("role_marker", "chosen", GOOD + "\nHuman: and then?\nAssistant: Then it grows.", OTHER),
    ("role_marker", "rejected", GOOD, OTHER + "<|im_end|>"),
    ("role_marker", "rejected", GOOD, "### Instruction:\n" + OTHER),
    ("role_marker", "rejected", GOOD, "用户：你好\n" + OTHER),
    ("prompt_in_response", "chosen", f"You asked: {PROMPT} {GOOD}", OTHER),
    ("mixed_encoding", "rejected", GOOD, "It isnâ€™t the husk."),
    ("mixed_encoding", "rejected", GOOD, "Le cafÃ© est fermÃ©."),
    ("mixed_encoding", "chosen", "a lost \ufffd character", OTHER),
    ("common_prefix", "pair", LONG + GOOD, LONG + OTHER),
    ("truncated", "rejected", GOOD, "The husk keeps water out, and it is one of the"),
    ("truncated", "chosen", "种子外面有一层很硬的外壳，它可以防水，可以防虫，也可以保护里面的胚芽和", OTHER),
    ("empty", "prompt", GOOD, OTHER),
]


@pytest.mark.parametrize(("check", "side", "chosen", "rejected"), ONE_ROW)
def test_one_row(check: str, side: str, chosen: str, rejected: str, tmp_path: Path) -> None:
    prompt = " " if check == "empty" else PROMPT
    assert found(load(tmp_path, (prompt, chosen, rejected))) == {(1, check, side, True)}


def test_unusable_rows_are_left_out_counted_and_said(tmp_path: Path) -> None:
    loaded = load(tmp_path, (PROMPT, GOOD, OTHER), (PROMPT, GOOD, " \n"), (PROMPT, GOOD, GOOD), (PROMPT, "", ""))
    assert loaded.pairs.frame["row"].to_list() == [1]
    lost = {(row, check, side) for row, check, side, kept in found(loaded) if not kept}
    assert lost == {
        (2, "empty", "rejected"),
        (3, "identical", "pair"),
        (4, "empty", "chosen"),
        (4, "empty", "rejected"),
    }
    notes = " ".join(loaded.record.notes)
    assert "2 rows left out: an answer is empty." in notes
    assert "1 rows left out: both answers are the same." in notes
    chinese = " ".join(read_pairs(loaded.record.name, lang="zh").record.notes)
    assert "跳过 2 行：回答为空。" in chinese


@pytest.mark.parametrize(
    "end", ["I look forward to it.\n\nBest regards,", "The answers are these.\n4. b\n5. a", "It is done (see\nabove)"]
)
def test_what_only_looks_cut_off(end: str, tmp_path: Path) -> None:
    assert found(load(tmp_path, (PROMPT, f"{GOOD} {end}", OTHER))) == set()


def test_duplicates_and_contradictions(tmp_path: Path) -> None:
    loaded = load(tmp_path, (PROMPT, GOOD, OTHER), (PROMPT, GOOD, OTHER), (PROMPT, OTHER, GOOD), ("else", OTHER, GOOD))
    assert found(loaded) == {
        (2, "duplicate", "pair", True),
        (1, "contradictory", "pair", True),
        (2, "contradictory", "pair", True),
        (3, "contradictory", "pair", True),
    }
    assert len(loaded.pairs) == 4


def test_a_pile_up_of_longest_answers_is_a_cap(tmp_path: Path) -> None:
    capped = [(f"{PROMPT} {n}", f"{n} " + "word after word " * 60 + "and so", OTHER) for n in range(10)]
    free = [(f"{PROMPT} free {n}", f"{n} " + "word after word " * (n % 30), OTHER) for n in range(90)]
    rows = load(tmp_path, *capped, *free).checks.frame.filter(pl.col("check") == "truncated")["row"].to_list()
    assert rows == list(range(1, 11))


def test_a_shared_start_that_is_the_prompt_is_not_a_common_prefix(tmp_path: Path) -> None:
    checks = load(tmp_path, (LONG + "Go on.", LONG + GOOD, LONG + OTHER)).checks.frame["check"].to_list()
    assert "common_prefix" not in checks
