"""`dehusk list`, `convert` and `validate`."""

import json

import polars as pl
import pytest


@pytest.mark.parametrize(
    ("what", "lang", "expected"),
    [
        ("features", "en", "bullets"),
        ("features", "zh", "列表"),
        ("probes", "en", "policy.amplification"),
        ("layouts", "en", "trl-explicit"),
    ],
)
def test_list(dehusk, what, lang, expected):
    ran = dehusk("list", what, "--lang", lang)
    assert ran.code == 0
    assert expected in ran.out


def test_convert_there_and_back(dehusk, data, tmp_path):
    there, back = tmp_path / "there.parquet", tmp_path / "back.jsonl"
    ran = dehusk("convert", data / "pairs.jsonl", there, "--to", "openrlhf")
    assert ran.code == 0, ran.err
    assert "openrlhf" in ran.out
    assert dehusk("convert", there, back, "--to", "trl-explicit").code == 0
    before, after = pl.read_ndjson(data / "pairs.jsonl"), pl.read_ndjson(back)
    assert after.select("prompt", "chosen", "rejected").rows() == [
        row
        for row in before.select("prompt", "chosen", "rejected").iter_rows()
        if row[1].strip() and row[2].strip() and row[1] != row[2]
    ]


def test_validate_says_what_could_be_seen(dehusk, data):
    ran = dehusk(
        "validate",
        "--pairs",
        data / "pairs.jsonl",
        "--rates",
        "0.3",
        "--rates",
        "0.01",
        "--repeats",
        3,
        "--format",
        "json",
    )
    assert ran.code == 0, ran.err
    result = json.loads(ran.out)
    strong, weak = result["recall"]
    assert strong["found"] == 1
    assert weak["found"] < 1
    assert 0.01 < result["smallest"]["rate"] <= 0.3
    assert result["smallest"]["runs"] == 3
    assert result["permutations"] == 3


def test_validate_refuses_a_phrase_that_is_there(dehusk, data):
    ran = dehusk("validate", "--pairs", data / "pairs.jsonl", "--phrase", "the")
    assert ran.code == 2
    assert "already occurs" in ran.err
