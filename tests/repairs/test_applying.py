"""Plans carried out and written back: every layout keeps its rows, their order and everything it does not know."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from dehusk.core.kinds import layouts
from dehusk.core.messages import say
from dehusk.core.plans import Plan
from dehusk.core.tables import Pairs
from dehusk.io import read_pairs, write_pairs
from dehusk.repairs import apply
from dehusk.workflow import convert

TEXTS = [(f"question {i}?", f"the good answer {i}.", f"a poor reply {i}!") for i in range(6)]
TRIPLE = ("prompt", "chosen", "rejected")


def plan_of(pairs, *, drop=(), flip=(), weight=1.0, **more):
    weights = np.full(len(pairs), weight)
    weights[list(drop)] = 0
    reasons = tuple(say("repair.match.no_partner") if i in drop else None for i in range(len(pairs)))
    flipped = np.isin(np.arange(len(pairs)), flip)
    return Plan("match", weights, reasons, flipped=flipped if len(flip) else None, **more)


def source(tmp_path, rows):
    path = tmp_path / "source.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n", "utf-8")
    return path


@pytest.mark.parametrize("layout", [entry.name for entry in layouts])
def test_every_layout_comes_back_without_the_dropped_and_with_the_turned(tmp_path, layout):
    path = source(tmp_path, [dict(zip(TRIPLE, row, strict=True)) for row in TEXTS])
    there = tmp_path / "there.jsonl"
    convert(path, there, to=layout)
    loaded = read_pairs(str(there))
    plan = plan_of(loaded.pairs, drop=[1, 4], flip=[2], columns={"rank": np.arange(6.0)})
    repaired = apply(plan, loaded.pairs)
    out = tmp_path / "out.jsonl"
    write_pairs(out, repaired, loaded.origin, beside=("rank",))
    back = read_pairs(str(out))
    expected = [row if i != 2 else (row[0], row[2], row[1]) for i, row in enumerate(TEXTS) if i not in (1, 4)]
    assert back.record.layout == loaded.record.layout
    assert back.pairs.frame.select(TRIPLE).rows() == expected
    if "rank" in back.pairs.frame.columns:  # two rows a pair have it twice
        assert set(back.pairs.frame["rank"]) == {0, 2, 3, 5}
    assert '"rank"' in out.read_text("utf-8")


def test_rows_without_a_change_stay_to_the_byte(tmp_path):
    rows = [{"id": i, "prompt": p, "chosen": c, "rejected": r, "tags": ["x", {"深": i}], "n": 1.0}
            for i, (p, c, r) in enumerate(TEXTS)]  # fmt: skip
    path = source(tmp_path, rows)
    loaded = read_pairs(str(path))
    out = tmp_path / "out.jsonl"
    write_pairs(out, apply(plan_of(loaded.pairs, drop=[0], flip=[3]), loaded.pairs), loaded.origin)
    lines, old = out.read_text("utf-8").splitlines(), path.read_text("utf-8").splitlines()
    assert [lines[0], lines[1], lines[3], lines[4]] == [old[1], old[2], old[4], old[5]]
    assert json.loads(lines[2]) == {**rows[3], "chosen": TEXTS[3][2], "rejected": TEXTS[3][1]}


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_what_is_known_of_an_answer_goes_with_it(tmp_path, suffix):
    frame = pl.DataFrame(
        {
            **{name: [row[i] for row in TEXTS] for i, name in enumerate(TRIPLE)},
            "score_chosen": [9.0] * 6,
            "score_rejected": [2.0] * 6,
            "chosen-model": ["strong"] * 6,
            "rejected-model": ["weak"] * 6,
            "chosen_words": [30] * 6,
            "rejected_words": [10] * 6,
            "margin": [7.0] * 6,
            "note": ["as it was"] * 6,
        }
    )
    path, out = tmp_path / f"pairs.{suffix}", tmp_path / f"out.{suffix}"
    {"jsonl": frame.write_ndjson, "csv": frame.write_csv, "parquet": frame.write_parquet}[suffix](path)
    loaded = read_pairs(str(path))
    write_pairs(out, apply(plan_of(loaded.pairs, flip=[1], drop=[0]), loaded.pairs), loaded.origin)
    read = {"jsonl": pl.read_ndjson, "csv": pl.read_csv, "parquet": pl.read_parquet}[suffix](out)
    assert read.columns == frame.columns
    turned, stayed = read.row(0, named=True), read.row(1, named=True)
    assert (turned["score_chosen"], turned["score_rejected"], turned["margin"]) == (2, 9, 7)
    assert (turned["chosen-model"], turned["rejected-model"]) == ("weak", "strong")
    assert (turned["chosen_words"], turned["rejected_words"]) == (10, 30)
    assert stayed == frame.row(2, named=True) and turned["note"] == "as it was"


def test_weights_and_columns_stand_beside_every_row(tmp_path):
    loaded = read_pairs(str(source(tmp_path, [dict(zip(TRIPLE, row, strict=True)) for row in TEXTS])))
    added = Pairs(loaded.pairs.frame.head(1).with_columns(pair_id=pl.lit("new"), chosen=pl.lit("an added answer")))
    plan = plan_of(loaded.pairs, weight=0.5, added=added, columns={"confidence": np.arange(6.0)})
    out = tmp_path / "out.jsonl"
    write_pairs(out, apply(plan, loaded.pairs), loaded.origin, beside=("confidence",))
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [row["weight"] for row in rows] == [0.5] * 6 + [1.0]
    assert [row.get("confidence") for row in rows] == [0, 1, 2, 3, 4, 5, None]
    assert rows[-1]["chosen"] == "an added answer"


def test_a_plan_leaves_its_pairs_as_they_were(tmp_path):
    pairs = read_pairs(str(source(tmp_path, [dict(zip(TRIPLE, row, strict=True)) for row in TEXTS]))).pairs
    before = pairs.frame.clone()
    apply(plan_of(pairs, drop=[0], flip=[1], weight=3.0), pairs)
    assert pairs.frame.equals(before)
