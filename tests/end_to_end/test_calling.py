"""The verbs as functions of Python: what they take, what they return, what they refuse, and that nothing is printed."""

from __future__ import annotations

import json
import random

import polars as pl
import pytest

import dehusk

REWARD = "py:dehusk.demo.reward:score"


@pytest.fixture(autouse=True)
def silent(capsys):
    """No function prints."""
    yield
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")


@pytest.fixture
def prefs(tmp_path):
    """Longer answers win more often than not."""
    draw = random.Random(0)
    rows = []
    for i in range(300):
        sides = [" ".join(draw.choices(("rain", "road", "house", "river"), k=draw.randint(4, 40))) for _ in range(2)]
        sides.sort(key=len, reverse=draw.random() < 0.7)
        rows.append({"prompt": f"question {i}", "chosen": sides[0], "rejected": sides[1]})
    path = tmp_path / "prefs.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_repair_without_a_file_to_write_returns_plan_and_pairs(prefs, tmp_path):
    found = dehusk.repair(prefs, "match", "characters", option={"caliper": 0.2})
    assert found.pairs == 300 and len(found.repaired) == int(found.plan.kept.sum()) < 300
    assert abs(found.targets[0].after.value) < abs(found.targets[0].before.value)
    assert [path.name for path in tmp_path.iterdir()] == ["prefs.jsonl"]


def test_repair_writes_where_it_is_told(prefs, tmp_path):
    found = dehusk.repair(prefs, "match", ["characters"], out=tmp_path / "out.jsonl")
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == len(found.repaired)


def test_stages_are_a_mapping_and_paths_are_paths(prefs, tmp_path):
    for stage, end in (("sft", ""), ("rl", " in a word")):
        rows = [{"prompt": f"p{i}", "response": f"rain {i}{end}"} for i in range(40)]
        (tmp_path / f"{stage}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    stages = {stage: tmp_path / f"{stage}.jsonl" for stage in ("sft", "rl")}
    audit = dehusk.audit(prefs, stages, unwanted="characters")
    assert {row.name.rpartition("/")[2] for row in audit.inputs} == {"prefs.jsonl", "sft.jsonl", "rl.jsonl"}
    assert (
        audit.to_json()
        == dehusk.audit(
            str(prefs), [f"{stage}={path}" for stage, path in stages.items()], unwanted=("characters",)
        ).to_json()
    )
    assert "<html" in dehusk.to_html(audit) and dehusk.to_markdown(audit, "zh").startswith("##")


def test_scores_and_certificate(prefs):
    table, _ = dehusk.score(REWARD, prefs)
    assert isinstance(table, pl.DataFrame) and len(table) == 600
    verdict = dehusk.certify(REWARD, REWARD, "characters", pairs=prefs)
    assert verdict.verdict in {"contamination", "not_enough_data"}  # nothing was repaired
    assert "<html" in dehusk.to_html(verdict)


def test_conversion_and_validation(prefs, tmp_path):
    assert dehusk.convert(prefs, tmp_path / "prefs.csv").rows == 300
    found = dehusk.validate(prefs, rates=[0.5], repeats=1)
    assert len(found.recall) == 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda path: dehusk.audit(path, unwantd="characters"), "dehusk.audit(): unknown option 'unwantd'"),
        (lambda path: dehusk.repair(path, "match", 3), "dehusk.repair(): target = (3,); expected a list"),
        (lambda path: dehusk.repair(path, "macth", "characters"), "unknown repair 'macth'; did you mean match"),
        (lambda path: dehusk.certify(None, REWARD, "characters", pairs=path), "no reward model before the repair"),
        (lambda path: dehusk.audit(path, seed="one"), "dehusk.audit(): seed = 'one'; expected int"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(prefs, call, said):
    with pytest.raises(dehusk.InputError) as refusal:
        call(prefs)
    assert said in str(refusal.value) and "\n" not in str(refusal.value)
