"""`dehusk convert`: every layout into every other, and every layout in every format that can hold it."""

from __future__ import annotations

import json

import pytest

import dehusk.io
from dehusk.core.kinds import layouts

assert dehusk.io  # fills the table of layouts
NAMES = [entry.name for entry in layouts]
TEXTS = [(f"question {i}?", f"the good answer {i}.", f"a poor reply {i}!") for i in range(4)]
TEXTS.append(("多行\n问题", '好的\n\n回答，"引号"', "不好, 的回答 <b>"))
TRIPLE = ("prompt", "chosen", "rejected")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.jsonl"
    path.write_text("\n".join(json.dumps(dict(zip(TRIPLE, row, strict=True))) for row in TEXTS), "utf-8")
    return path


@pytest.fixture
def converted(dehusk):
    """Convert a file to a layout; returns the new file, checked to hold the same pairs."""

    def run(source, target, layout):
        ran = dehusk("convert", source, target, "--to", layout)
        assert ran.code == 0, ran.err
        frame = pairs_in(target)
        assert frame.select(TRIPLE).rows() == TEXTS, (source.name, target.name)
        return target

    return run


def pairs_in(path):
    return dehusk.io.read_pairs(str(path)).pairs.frame


@pytest.mark.parametrize("layout", NAMES)
def test_from_a_layout_to_every_other(converted, source, tmp_path, layout):
    there = converted(source, tmp_path / "there.jsonl", layout)
    for other in NAMES:
        converted(there, tmp_path / "back.jsonl", other)


@pytest.mark.parametrize("suffix", ["json", "csv", "tsv", "parquet", "arrow", "jsonl.gz"])
def test_every_layout_in_every_format(converted, source, tmp_path, suffix):
    """CSV holds lists and objects as JSON text, and true and false as words."""
    for layout in NAMES:
        converted(source, tmp_path / f"{layout}.{suffix}", layout)
