"""The tables in the terminal: whole numbers at every width, the same rows in each, words that do not break."""

import io
import re

import pytest
from made_up import KINDS, made_up
from rich.cells import cell_len
from rich.console import Console

from dehusk.report import comparison_to_text
from dehusk.report.comparison import cell, columns

ONE, THREE = ("characters",), ("characters", "bullets", "exclamations")


def printed(comparison, lang="en", width=80):
    file = io.StringIO()
    Console(file=file, width=width).print(comparison_to_text(comparison, lang))
    return file.getvalue()


def lines_of(text, method):
    return [line for line in text.splitlines() if re.match(rf"[◆ ] {method}( |$)", line)]


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    ("targets", "elsewhere", "gold"), [(ONE, (), False), (ONE, ("rm_bench",), True), (THREE, ("a", "b"), True)]
)
def test_every_number_is_whole_and_fits(width, lang, targets, elsewhere, gold):
    found = made_up(targets, elsewhere, gold=gold)
    text = printed(found, lang, width)
    assert all(cell_len(line) <= width for line in text.splitlines())
    assert "…" not in text
    row = next(row for row in found.rows if row.method == "interpolated_prompts")
    told = " ".join(lines_of(text, row.method)).replace(row.method, "").split()
    shown = [column.key for column in columns(found) if column.key not in ("moved", "grown", "seconds")]
    wanted = [word for key in shown for word in cell(row, key, lang).value.split()]
    assert sorted(word for word in told if word in wanted) == sorted(wanted)


def test_every_table_has_every_row():
    text = printed(made_up(THREE, ("a", "b"), gold=True))
    tables = text.count("\nmethod ")
    assert tables == 4
    for method in ("plain", *(name for names in KINDS.values() for name in names)):
        assert len(lines_of(text, method)) == tables


def test_where_there_is_room_there_is_one_table():
    assert printed(made_up(ONE), width=100).count("\nmethod ") == 1
    assert printed(made_up(THREE, ("a", "b"), gold=True), width=220).count("\nmethod ") == 1


def test_only_gold_of_the_best_of_16_is_told():
    text = printed(made_up(ONE, gold=True), width=140)
    assert "best of 16" in text
    assert not re.search(r"best of (?!16)", text)


def test_what_grew_is_told_only_if_it_did():
    grown = made_up(ONE)
    assert any(row.grown_sure for row in grown.rows)
    [line] = lines_of(printed(grown, width=140), "odin")
    assert "bold spans +0.1" in line
    assert "elsewhere" in printed(grown, width=140)


def test_a_long_phrase_does_not_push_numbers_out():
    found = made_up(("it is difficult to say definitively, and there is no single answer",), gold=True)
    text = printed(found)
    assert all(cell_len(line) <= 80 for line in text.splitlines())
    assert "62" in " ".join(lines_of(text, "odin"))
