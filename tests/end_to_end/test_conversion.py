"""`dehusk convert`: every layout into every other, and every layout in every format."""

from __future__ import annotations

import json

import pytest

from dehusk.core.kinds import layouts
from dehusk.io import read_pairs
from dehusk.workflow import convert

NAMES = [entry.name for entry in layouts]
TEXTS = [(f"question {i}?", f"the good answer {i}.", f"a poor reply {i}!") for i in range(4)]
TEXTS.append(("多行\n问题", '好的\n\n回答，"引号"', "不好, 的回答 <b>"))
TRIPLE = ("prompt", "chosen", "rejected")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.jsonl"
    path.write_text("\n".join(json.dumps(dict(zip(TRIPLE, row, strict=True))) for row in TEXTS), "utf-8")
    return path


def texts(path):
    return read_pairs(str(path)).pairs.frame.select(TRIPLE).rows()


@pytest.mark.parametrize("layout", NAMES)
def test_from_a_layout_to_every_other(dehusk, source, tmp_path, layout):
    there, back = tmp_path / "there.jsonl", tmp_path / "back.jsonl"
    ran = dehusk("convert", source, there, "--to", layout)
    assert ran.code == 0, ran.err
    assert texts(there) == TEXTS
    for other in NAMES:
        convert(there, back, to=other)
        assert texts(back) == TEXTS, other


@pytest.mark.parametrize("suffix", ["json", "csv", "tsv", "parquet", "arrow", "jsonl.gz"])
def test_every_layout_in_every_format(source, tmp_path, suffix):
    """CSV holds lists and objects as JSON text, and true and false as words."""
    for layout in NAMES:
        path = tmp_path / f"{layout}.{suffix}"
        convert(source, path, to=layout)
        assert texts(path) == TEXTS, layout
