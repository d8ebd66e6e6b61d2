"""Inputs with next to nothing in them: no traceback, no number that is none, no sentence in the wrong language."""

from __future__ import annotations

import ast
import json
import math
import os
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from shown import Page
from tables import Speaker, answers, pairs, write

from dehusk.core.findings import Audit
from dehusk.core.messages import catalogue

SPEAKER = Speaker()
EN, ZH = SPEAKER.english, SPEAKER.chinese
PLAIN = pairs(60, EN)
PAIRS = {
    "1 pair": pairs(1, EN),
    "2 pairs": pairs(2, EN),
    "19 pairs": pairs(19, EN),
    "20 pairs": pairs(20, EN),
    "one prompt": pairs(60, EN, lambda _: "the same"),
    "chosen identical": [{**row, "chosen": "I am sure it is fine."} for row in PLAIN],
    "rejected identical": [{**row, "rejected": "I am sure it is fine."} for row in PLAIN],
    "both constant": [{**row, "chosen": "Yes it is.", "rejected": "No."} for row in PLAIN],
    "one pair sixty times": pairs(1, EN) * 60,
    "every pair both ways": [
        {"prompt": "p", "chosen": a, "rejected": b} for a, b in [("one a", "two b"), ("two b", "one a")] * 30
    ],
    "all empty but one": [{**row, "chosen": "a" * (i == 7), "rejected": "b" * (i == 7)} for i, row in enumerate(PLAIN)],
    "chosen empty but one": [{**row, "chosen": "a" * (i == 7)} for i, row in enumerate(PLAIN)],
    "features constant": [{"prompt": f"q {i}", "chosen": "ab"[i % 2], "rejected": "ba"[i % 2]} for i in range(60)],
    "no prompt": [{"chosen": row["chosen"], "rejected": row["rejected"]} for row in PLAIN],
    "10,000 letters": [row for row in pairs(12_000, SPEAKER.letter) if row["chosen"] != row["rejected"]][:10_000],
    "chinese": pairs(60, ZH, "第{}个问题".format),
    "emoji": pairs(60, SPEAKER.emoji, lambda i: "😀" * (i + 1)),
    "punctuation": pairs(60, lambda: "".join(SPEAKER.draw.choices("!?.,-", k=4))),
    "weights mostly zero": [{**row, "weight": float(i == 7)} for i, row in enumerate(PLAIN)],
    "weights and scores huge": [
        {**row, "weight": 1e99, "chosen_score": 1e308, "rejected_score": -1e308, "margin": 1e300} for row in PLAIN
    ],
    "scores constant": [{**row, "chosen_score": 1.0, "rejected_score": 1.0, "source": "a"} for row in PLAIN],
    "a source a row": [{**row, "source": str(i)} for i, row in enumerate(PLAIN)],
}  # fmt: skip


def scored(rows, score):
    return [{**row, "score": score(i)} for i, row in enumerate(rows)]


STAGES = {
    "one stage": [answers(60, EN)],
    "one answer": [answers(1, EN)],
    "one answer each": [answers(1, EN)] * 2,
    "9 prompts": [answers(9, EN), answers(9, EN)],
    "10 prompts": [answers(10, EN), answers(10, EN)],
    "no shared prompt": [answers(60, EN), answers(60, EN, "other {}".format)],
    "one shared prompt": [answers(60, EN), answers(60, EN, lambda i: f"other {i}" if i else "question 0")],
    "one prompt": [answers(60, EN, lambda _: "same"), answers(60, EN, lambda _: "same")],
    "50 stages": [answers(12, EN) for _ in range(50)],
    "a stage aside": [answers(30, EN), answers(30, EN, "other {}".format), answers(30, EN)],
    "no prompt column": [[{"response": EN()} for _ in range(60)] for _ in range(2)],
    "the same answer always": [answers(60, lambda: "yes"), answers(60, lambda: "no, never")],
    "letters": [answers(3000, SPEAKER.letter), answers(3000, SPEAKER.letter)],
    "chinese": [answers(60, ZH, "第{}个问题".format), answers(60, lambda: "说到底，" + ZH(), "第{}个问题".format)],
    "emoji": [answers(60, SPEAKER.emoji), answers(60, SPEAKER.emoji)],
    "a stage of empty answers": [answers(60, EN), answers(60, str)],
    "empty but one": [[{**row, "response": "x" * (i == 7)} for i, row in enumerate(answers(60, EN))] for _ in range(2)],
    "scores constant": [scored(answers(60, EN), lambda _: 1.0)] * 2,
    "scores huge": [scored(answers(60, EN), lambda i: 1e308 * (-1) ** i), scored(answers(60, EN), lambda _: 1e99)],
    "scores at one stage": [scored(answers(60, EN), float), answers(60, EN)],
}


def finite(tree):
    """Whether every estimate in the JSON has its three numbers, and none is infinite."""
    if isinstance(tree, dict):
        whole = not {"value", "low", "high"} <= tree.keys() or None not in (tree["value"], tree["low"], tree["high"])
        return whole and all(map(finite, tree.values()))
    if isinstance(tree, list):
        return all(map(finite, tree))
    return not isinstance(tree, float) or math.isfinite(tree)


def english(text, least=4):
    """Runs of English words, which no Chinese sentence needs; those that the catalogue itself quotes do not count."""
    for said in sorted(catalogue("zh").values(), key=len, reverse=True):
        text = text.replace(said, "")
    return re.findall(rf"(?:\b[A-Za-z]{{2,}}\b[ ,]*){{{least},}}", text)


@pytest.fixture
def audited(dehusk, tmp_path):
    def run(*words):
        ran = dehusk(
            "audit", *words, "--format", "json", "--lang", "zh", "--out", tmp_path / "out", "--fail-on", "never"
        )
        assert ran.code == 0, ran.err
        assert ran.err.count("\n") == 1
        tree = json.loads(ran.out)
        assert finite(tree["findings"]) and finite(tree["trace"])
        audit = Audit.from_json(ran.out)
        told = {finding.probe for finding in audit.findings} | {one.probe for one in audit.skipped}
        assert {"data.association", "policy.amplification"} <= told
        for one in audit.skipped:
            assert re.fullmatch(r"needs .*\S", one.needs.render("en"))
            assert not english(one.needs.render("zh"), 3), one
        return audit

    return run


@pytest.mark.parametrize("name", PAIRS)
def test_pairs(audited, tmp_path, name):
    audit = audited("--pairs", write(tmp_path / "pairs.jsonl", PAIRS[name]))
    assert "data.association" in {one.probe for one in audit.skipped} or len(PAIRS[name]) >= 20


@pytest.mark.parametrize("name", STAGES)
def test_stages(audited, tmp_path, name):
    files = [write(tmp_path / f"s{k}.jsonl", rows) for k, rows in enumerate(STAGES[name])]
    audited(*(word for k, file in enumerate(files) for word in ("--responses", f"s{k}={file}")))


def test_nothing_but_white_space_is_one_line(dehusk, tmp_path):
    rows = [{"prompt": " ", "chosen": " \n", "rejected": "\t"}] * 5
    ran = dehusk("audit", "--pairs", write(tmp_path / "pairs.jsonl", rows))
    assert ran.code == 2
    assert "no usable pair (an answer is empty in 5)" in ran.err


@pytest.mark.parametrize("weight", [-1, 0])
def test_weights_that_weigh_nothing_are_one_line(dehusk, tmp_path, weight):
    rows = [{**row, "weight": weight} for row in PLAIN]
    ran = dehusk("audit", "--pairs", write(tmp_path / "pairs.jsonl", rows))
    assert ran.code == 2
    assert f"pairs.jsonl, row 1: weight {weight}; expected" in ran.err


def test_no_warning_reaches_the_user(demo, tmp_path):
    """The whole audit, and the poorest, in a process in which any warning is an error."""
    poor = write(tmp_path / "poor.jsonl", pairs(2, EN))
    for words in (
        ["--pairs", demo["pairs"], "--responses", f"sft={demo['sft']}", f"rl={demo['rl']}", "--sample", 200],
        ["--pairs", poor],
    ):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "dehusk", "audit", *map(str, words), "--fail-on", "never"],
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONUTF8": "1"},
            encoding="utf-8",
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_a_report_in_chinese_on_chinese_data_is_in_chinese(audited, tmp_path):
    phrase = "一句狠但真实的话，"
    rows = [
        {**row, "chosen": phrase * (i % 3 == 0) + row["chosen"]}
        for i, row in enumerate(pairs(200, ZH, "第{}问".format))
    ]
    stages = {
        name: answers(60, lambda said=said: said + ZH(), "第{}问".format) for name, said in (("旧", ""), ("新", phrase))
    }
    files = [
        word for name, rows in stages.items() for word in ("--responses", f"{name}={write(tmp_path / name, rows)}")
    ]
    audit = audited("--pairs", write(tmp_path / "对.jsonl", rows), *files)
    assert phrase[:-1] in {finding.feature.strip("“”… ") for finding in audit.findings if finding.feature}
    page = Page((tmp_path / "out" / "report.html").read_text("utf-8"))
    for text in (page.text, (tmp_path / "out" / "report.md").read_text("utf-8")):
        assert not english(text)
        assert not [said for said in english_only() if said in text]


def english_only():
    """Stretches of the English catalogue, of three words at least, that the Chinese one has nowhere."""
    chinese = "\n".join(catalogue("zh").values())
    parts = (part.strip() for said in catalogue("en").values() for part in re.split(r"\{[^}]*\}|[.,:;()]", said))
    return {part for part in parts if part.count(" ") >= 2 and part not in chinese}


def test_every_refusal_of_a_kernel_can_be_said_in_chinese():
    """A `NotEnoughData` carries a clause in English; the catalogue must know its parts."""
    unknown, looked = [], 0
    package = Path(str(resources.files("dehusk")))
    logs = package / "probes" / "training_run"  # there a check's refusal passes the turn; what is told is `look`'s
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            asked = "look" if path.parent == logs else "NotEnoughData"
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == asked:
                looked += asked == "look"
                clause = node.args[-1]
                parts = clause.values if isinstance(clause, ast.JoinedStr) else [clause]
                said = "".join(part.value if isinstance(part, ast.Constant) else "7" for part in parts)
                said = said.replace("7 to 7", "7").replace("in 7", "in 7%") if "agree in 7:" in said else said
                unknown += [
                    f"{path.name}: {part}"
                    for part in said.split(", ")
                    if "report.needs." + re.sub(r"\d+", "#", part) not in catalogue("zh")
                ]
    assert not unknown
    assert looked >= 6
