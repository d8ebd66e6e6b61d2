"""What the README tells people to type works as it is written there."""

from __future__ import annotations

import json
import re
import shlex
import sys
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
def embedder(tmp_path_factory):
    """A language model of two small layers, in the place of the packaged ones."""
    sys.path.insert(0, str(ROOT / "tests" / "rewards" / "models"))
    from tiny_models import write_language_model  # noqa: PLC0415

    return str(write_language_model(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def files(demo, tmp_path_factory):
    """The files that the recipes name, each small."""
    folder = tmp_path_factory.mktemp("recipes")
    for name, source, rows in (
        ("prefs", "pairs", 160),
        ("sft", "sft", 700),
        ("samples", "sft", 760),
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


def test_there_are_eleven_recipes_in_both_languages():
    assert len(RECIPES) == 26


FASTER = {  # what a recipe leaves to its defaults, so that the test is quick
    "validate": ["--repeats", "1", "--rates", "0.03"],
    "compare": ["--splits", "2", "--methods", "reweight", "correlation", "residualise"],
    "fit": ["--steps", "20"],
}
WRITTEN = {  # what the folder that is asked for holds afterwards
    "audit": "audit.json",
    "repair": "plan.parquet",
    "fit": "monitor.jsonl",
    "adjust": "residual.json",
    "compare": "comparison.json",
    "certify": "certificate.json",
}


@pytest.mark.parametrize(("name", "command"), RECIPES)
def test_recipe(dehusk, files, embedder, monkeypatch, name, command):
    monkeypatch.chdir(files)
    for written, ours in (
        ("residual:flat", "py:dehusk.demo.reward:score"),
        ("--layers 15", "--layers 1"),
        ("smollm2", embedder),
        ("minilm", embedder),
        ("hf:out/checkpoint-500", "py:dehusk.demo.reward:score"),
    ):
        command = command.replace(written, ours)
    words = shlex.split(command)[1:]
    verb = words[0]
    fewer = FASTER.get(verb, []) + (["--texts", "20"] if verb == "audit" and "--reward-model" in words else [])
    ran = dehusk(*words, *fewer)
    assert ran.code in ((1,) if "--unwanted" in words or verb == "certify" else (0, 1)), ran.err
    assert ran.out
    assert "Traceback" not in ran.err
    if "--out" in words:
        out = Path(words[words.index("--out") + 1])
        folder = out.with_name(f"{out.name}.plan.parquet") if verb == "repair" else out / WRITTEN[verb]
        assert folder.exists(), sorted(out.parent.iterdir())


def test_validate_plants_in_stages_too(dehusk, files):
    ran = dehusk(
        "validate", "--responses", f"sft={files / 'sft.jsonl'}", f"rl={files / 'rl.jsonl'}", "--rates", "0.5",
        "--repeats", "2", "--format", "json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    result = json.loads(ran.out)
    assert result["recall"][0]["named"] == 1
    assert result["permutations"] == 2
