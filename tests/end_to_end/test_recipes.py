"""What the README tells people to type works as it is written there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
RECIPES = [
    (name, command)
    for name in ("README.md", "README.zh-CN.md")
    for block in re.findall(r"```\n(dehusk .*?)```", (ROOT / name).read_text("utf-8"), re.DOTALL)
    for command in block.replace("\\\n", " ").strip().splitlines()
]


@pytest.fixture(scope="module")
def files(demo, tmp_path_factory):
    """The files that the recipes name, each small."""
    folder = tmp_path_factory.mktemp("recipes")
    for name, source, rows in (
        ("prefs", "pairs", 160),
        ("sft", "sft", 700),
        ("samples", "sft", 320),
        ("rl", "rl", 100),
    ):
        lines = demo[source].read_text("utf-8").splitlines()
        (folder / f"{name}.jsonl").write_text("\n".join(lines[:rows]), "utf-8")
    pairs = pl.read_ndjson(folder / "prefs.jsonl").select(question="prompt", win="chosen", lose="rejected", by="source")
    pairs.write_csv(folder / "mine.csv")
    (folder / "output_dir" / "checkpoint-60").mkdir(parents=True)
    history = [
        {"step": step, "epoch": step / 60, "loss": 0.7 - step / 200, "accuracy": 0.5 + step / 300, "margin": step / 90}
        for step in range(1, 61)
    ]
    state = json.dumps({"global_step": 60, "log_history": history})
    (folder / "output_dir" / "checkpoint-60" / "trainer_state.json").write_text(state, "utf-8")
    return folder


def test_there_are_seven_recipes_in_both_languages():
    assert len(RECIPES) == 16


@pytest.mark.parametrize(("name", "command"), RECIPES)
def test_recipe(dehusk, files, monkeypatch, name, command):
    monkeypatch.chdir(files)
    words = shlex.split(command.replace("hf:out/checkpoint-500", "py:dehusk.demo.reward:score --texts 20"))[1:]
    fewer = ["--repeats", "1", "--rates", "0.03"] if words[0] == "validate" else []
    ran = dehusk(*words, *fewer)
    assert ran.code in ((1,) if "--unwanted" in words else (0, 1)), ran.err  # the demo has what the gate forbids
    assert ran.out
    assert "Traceback" not in ran.err
    if "--out" in words:
        assert ran.err.endswith("audit/report.html\n")
        assert json.loads(Path("audit/audit.json").read_bytes())["findings"]


def test_validate_plants_in_stages_too(dehusk, files):
    ran = dehusk(
        "validate", "--responses", f"sft={files / 'sft.jsonl'}", f"rl={files / 'rl.jsonl'}", "--rates", "0.5",
        "--repeats", "2", "--format", "json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    result = json.loads(ran.out)
    assert result["recall"][0]["named"] == 1
    assert result["permutations"] == 2
