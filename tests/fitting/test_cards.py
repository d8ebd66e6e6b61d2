"""The model card says what was done, in two languages, and shows texts of others as they are."""

import ast
import re
from dataclasses import replace

import pytest
import yaml

from dehusk.core.findings import STAGES, Audit, Estimate, Finding, Skipped, TraceRow
from dehusk.core.kinds import objectives
from dehusk.core.messages import say
from dehusk.core.run import InputRecord, RunRecord
from dehusk.fitting.cards import Card, model_card, write_card

HOSTILE = "a|b\n# <script>alert(1)</script> [x](http://evil.example) @me \u202e"
CARD = Card(
    name="no-length",
    base="Qwen/Qwen3-0.6B@main",
    models=("hf:out/no-length",),
    train="lora",
    objective="correlation",
    options={"strength": "1"},
    features=("characters",),
    inputs=(InputRecord("pairs", "prefs.jsonl", "paired", 500, "ab" * 32),),
    pairs=450,
    schedule={"seconds": 61.4, "seed": 3, "epochs": 1.0, "batch": 8, "rate": 1e-4, "rank": 16, "alpha": 32},
    readings=(("accuracy", "0.710"), ("paid for length", "+0.120 (+0.010 … +0.230)")),
    tokens=256,
    notes=(say("training.overlong_cut", pairs=500, limit=256, chosen=10, rejected=7, either=12),),
)


def front_of(card):
    _, front, rest = model_card(card).split("---\n", 2)
    return yaml.safe_load(front), rest


def test_everything_that_was_done_is_told():
    front, rest = front_of(CARD)
    assert front == {
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "base_model": "Qwen/Qwen3-0.6B",
        "tags": ["reward-model", "dehusk", "correlation"],
        "model_name": "no-length",
    }
    for told in ("450 pairs", "rank 16", "ab" * 32, "500 rows", "seed 3", "rate 0.0001", "256 tokens a text"):
        assert told in rest
    assert "12 of 500 pairs are longer than 256 tokens" in rest
    assert "| accuracy | 0.710 |" in rest and "(\\+0.010 … \\+0.230)" in rest.replace("\\(", "(").replace("\\)", ")")
    assert objectives["correlation"].options["paper"].removeprefix("arXiv ") in rest
    assert "Side effect" in rest and "`strength` = 1" in rest


@pytest.mark.parametrize("row", list(objectives), ids=lambda row: row.name)
def test_every_objective_has_its_paper_and_side_effect_in_the_card(row):
    told = model_card(replace(CARD, objective=row.name, options={})).replace("\\", "")
    assert "Side effect" in told and told.count(row.options["paper"]) == 1


def test_the_code_in_it_is_code():
    blocks = re.findall(r"```python\n(.*?)```", model_card(CARD), re.S)
    assert len(blocks) == 2
    for block in blocks:
        ast.parse(block)
    assert "hf:PATH" in model_card(CARD)


def test_a_head_without_a_standard_folder_is_not_said_to_have_one():
    card = replace(CARD, models=("linear:out",), train="heads")
    front, rest = front_of(card)
    assert "library_name" not in front and "linear:PATH" in rest and "from_pretrained" not in rest
    both = model_card(replace(card, models=("linear:out", "hf:out/classifier")))
    assert 'from_pretrained("PATH/classifier"' in both and "linear:PATH" in both


def test_names_and_findings_of_others_are_shown_as_they_are():
    finding = Finding("data.terms", "data", say("training.overlong_cut", **CARD.notes[0].values), "fail")
    told = Finding("data.terms", "data", say("card.lead", base=HOSTILE), "warn")
    quiet = Finding("data.terms", "data", say("card.lead", base="not told"), "pass")
    audit = Audit(RunRecord("audit", {}, 0), (), (finding, told, quiet), (), (), (), ())
    file = InputRecord("pairs", HOSTILE, "paired", 1, "0")
    card = replace(CARD, name=HOSTILE, base=HOSTILE, inputs=(file,), readings=((HOSTILE, "1"),), audit=audit)
    front, rest = front_of(card)
    assert front["model_name"] == HOSTILE and "base_model" not in front
    assert not re.search(r"(?<!\\)<script|(?<!\\)\[x|\u202e|^# <|(?<=a)\|b", rest, re.M)
    assert "3 findings: 1 fail, 1 warn" in rest and "not told" not in rest
    rows = [line for line in rest.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def estimate(value, half=0.1):
    return Estimate(value, value - half, value + half, 100, "win-rate shift", "by hand")


def row(feature, labels, paid, verdict="warn"):
    cells = {stage: say("core.no_reason") for stage in STAGES}
    cells |= {name: {"raw": one} for name, one in (("data", labels), ("reward_model", paid)) if one is not None}
    return TraceRow(feature, "length", verdict, "unstated", cells)


def test_the_watched_come_first_and_then_what_is_surely_paid_for_most():
    noisy, sure = row("noisy", estimate(0.1), estimate(0.9, half=0.8)), row("sure", estimate(0.1), estimate(-0.4))
    trace = (
        row("labels only", estimate(0.123456), None, "inform"),
        noisy,
        row("quiet", estimate(0.3), estimate(0.9), "pass"),
        row(HOSTILE, estimate(-0.05), estimate(0.35)),
        sure,
        row("characters", estimate(0), estimate(0.01), "pass"),
        *(row(f"small {i}", estimate(0), estimate(0.01 * i)) for i in range(9)),
    )
    skipped = (
        Skipped("reward_model.counterfactual", say("core.no_reason")),
        Skipped("policy.gain", say("core.no_reason")),
    )
    loud = [
        Finding("data.terms", "data", say("card.lead", base=name), "fail", feature=name) for name in ("sure", "else")
    ]
    audit = Audit(RunRecord("audit", {}, 0), (), (*loud,), trace, skipped, (), ())
    rest = model_card(replace(CARD, audit=audit, watched=("characters", "not measured"))).replace("\\", "")
    table = [line.split(" | ") for line in rest.split("## Audit")[1].splitlines() if line.startswith("| ")]
    names = [cells[0].removeprefix("| ") for cells in table]
    assert names[1] == "length (characters)" and names[2] == "sure" and names[3].startswith("a|b")
    assert names[4] == "noisy" and "quiet" not in names and len(names) == 1 + 1 + 6
    assert table[2][1:3] == ["+10.0 (+0.0 … +20.0)", "-0.40 (-0.50 … -0.30)"]
    assert "from else" in rest and "from sure" not in rest  # the table has told that
    assert "What the model pays for when the same answer is edited" in rest and "What it was gained by" not in rest
    lone = model_card(replace(CARD, audit=replace(audit, trace=trace[:1])))
    assert "+12.3 (+2.3 … +22.3) | — | inform" in lone.replace("\\", "")


def test_the_card_is_written_in_the_language_of_the_run(tmp_path):
    write_card(CARD, tmp_path, "zh")
    told = (tmp_path / "README.md").read_text("utf-8")
    assert "450 对" in told and "开头被截掉" in told and "What was trained" not in told
    assert told.startswith("---\n")
