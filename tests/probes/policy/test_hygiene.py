"""`policy.hygiene`: counts at each stage, a warning only where the later stage is surely worse."""

import numpy as np
import polars as pl
import pytest
from stage_tables import responses

from dehusk.core.options import AuditConfig
from dehusk.core.tables import ResponseChecks
from dehusk.inputs import Inputs, sampled
from dehusk.io import read_responses
from dehusk.probes.policy.hygiene import KINDS, hygiene

SCHEMA = {"row": pl.Int64, "check": pl.String, "side": pl.String, "kept": pl.Boolean} | dict.fromkeys(
    ("response_id", "stage", "group"), pl.String
)


def noticed(table, flags):
    """Checks from check -> (n,) whether each answer of the table has it."""
    lines = [
        (row["row"], check, "response", True, row["response_id"], row["stage"], row["group"])
        for check, has in flags.items()
        for row, flag in zip(table.frame.iter_rows(named=True), has, strict=True)
        if flag
    ]
    return ResponseChecks(pl.DataFrame(lines, schema=SCHEMA, orient="row"))


def stages(g, names=("sft", "rl"), samples=1):
    """A table of g prompts with some samples at each stage."""
    stage = np.repeat(names, g * samples)
    return responses(stage, np.tile(np.repeat(np.arange(g), samples), len(names)), ["x"] * stage.size, stages=names)


def run(g, rates, rng, *, samples=1, correlated=0.0, **options):
    """Findings by check; `rates` maps each check to its rate at every stage, prompts may be alike in it."""
    names = tuple(f"s{k}" for k in range(len(next(iter(rates.values())))))
    table = stages(g, names, samples)
    flags = {}
    for check, levels in rates.items():
        own = rng.random((g, samples))
        fresh = np.stack([rng.random((g, samples)) for _ in names])
        drawn = np.where(rng.random(fresh.shape) < correlated, own, fresh)
        flags[check] = (drawn < np.array(levels)[:, None, None]).reshape(-1)
    return {f.details["check"]: f for f in hygiene(table, noticed(table, flags), **options)}


def test_without_a_difference_the_false_discovery_rate_holds():
    rng = np.random.default_rng(0)
    p, told, warned = [], 0, 0
    for _ in range(200):
        found = run(300, dict.fromkeys(("truncated", "role_marker", "empty"), (0.15, 0.15)), rng, correlated=0.3)
        p.append(found["truncated"].estimate.p)
        told += any(one.q <= 0.05 for one in found.values())
        warned += any(one.verdict == "warn" for one in found.values())
    assert warned <= 10
    assert told <= 18  # 5 % of 200, and two standard deviations
    assert np.mean(np.array(p) <= 0.1) <= 0.15


@pytest.mark.parametrize("samples", [1, 4])
def test_a_planted_rise_is_covered_by_its_interval(samples):
    rng = np.random.default_rng(1)
    covered, warned = [], []
    for _ in range(200):
        found = run(250, {"role_marker": (0.05, 0.17)}, rng, samples=samples, correlated=0.4)["role_marker"]
        covered.append(found.estimate.low <= 0.12 <= found.estimate.high)
        warned.append(found.verdict == "warn" and found.remedy is not None)
    assert np.mean(warned) > 0.9
    assert 0.90 <= np.mean(covered) <= 0.99


@pytest.mark.parametrize(
    ("check", "rates", "verdict"),
    [
        ("truncated", (0.05, 0.30), "warn"),
        ("truncated", (0.30, 0.05), "inform"),  # better is not worse
        ("truncated", (0.000, 0.015), "inform"),  # surely more, but below 2 points
        ("duplicate", (0.05, 0.30), "inform"),
        ("a_check_of_a_plugin", (0.05, 0.30), "inform"),
    ],
)
def test_what_is_a_warning(check, rates, verdict):
    found = run(2000, {check: rates}, np.random.default_rng(2))[check]
    assert found.verdict == verdict
    assert found.q <= 0.05


def test_swapping_stages_flips_the_sign_and_the_order_of_rows_is_no_matter():
    rng = np.random.default_rng(3)
    table = stages(100)
    flags = {"truncated": rng.random(200) < np.repeat([0.1, 0.4], 100)}
    checks = noticed(table, flags)
    (there,) = hygiene(table, checks)
    (back,) = hygiene(type(table)(table.frame, ("rl", "sft")), checks)
    assert there.estimate.value == pytest.approx(-back.estimate.value)
    assert there.estimate.p == back.estimate.p
    order = rng.permutation(200)
    shuffled = ResponseChecks(checks.frame.sample(fraction=1, shuffle=True, seed=0))
    assert [there] == list(hygiene(type(table)(table.frame[order], table.stages), shuffled))


def test_the_sentence_has_the_counts_and_the_details_every_stage():
    table = stages(40, ("base", "sft", "rl"))
    has = np.zeros(120, dtype=bool)
    has[[0, 41, 42, *range(80, 110)]] = True
    (found,) = hygiene(table, noticed(table, {"truncated": has}))
    assert found.details["counts"] == {"base": 1, "sft": 2, "rl": 30}
    assert [(row["stage"], row["rate"], row["n"]) for row in found.details["stages"]] == [
        ("base", 1 / 40, 40), ("sft", 2 / 40, 40), ("rl", 30 / 40, 40),
    ]  # fmt: skip
    assert found.details["rows"]["sft"] == [42, 43]
    assert found.sentence.render("en").startswith(
        "Answers that stop in the middle: 1 of 40 answers (base), 30 of 40 (rl); +72.5 points ["
    )
    assert "40 条回答中有 1 条" in found.sentence.render("zh")


@pytest.mark.parametrize("check", [*KINDS, "a_check_of_a_plugin"])
def test_every_check_has_words(check):
    found = run(20, {check: (0.5, 0.5)}, np.random.default_rng(4))[check]
    assert "check_" not in found.sentence.render("en") + found.sentence.render("zh")


def test_nothing_to_report_one_stage_and_no_prompt_in_common():
    table = stages(20)
    (clean,) = hygiene(table, noticed(table, {}))
    assert (clean.verdict, clean.sentence.values["answers"]) == ("pass", 40)
    alone = stages(20, ("rl",))
    (single,) = hygiene(alone, noticed(alone, {"empty": np.arange(20) < 3}))
    assert (single.estimate, single.q) == (None, None)
    assert single.sentence.render("en") == "Empty answers: 3 of 20 answers (rl)."
    apart = responses(np.repeat(["sft", "rl"], 20), np.arange(40), ["x"] * 40, stages=("sft", "rl"))
    (found,) = hygiene(apart, noticed(apart, {"truncated": np.arange(40) >= 20}))
    assert (found.estimate, found.verdict) == (None, "inform")
    assert "too few prompts in common" in found.sentence.render("en")


def files(tmp_path, **stages):
    """A JSON Lines file a stage, one answer a prompt; returns what `read_responses` asks for."""
    for name, answers in stages.items():
        frame = pl.DataFrame({"prompt": [f"prompt {k}" for k in range(len(answers))], "response": answers})
        frame.write_ndjson(tmp_path / f"{name}.jsonl")
    return [(name, str(tmp_path / f"{name}.jsonl")) for name in stages]


def test_rows_of_two_files_are_told_apart_and_left_out_answers_counted(tmp_path):
    good = [f"Answer {k} is whole." for k in range(60)]
    turned = ["User: and now?", *good[1:20], *["<|im_end|> done."] * 40]
    loaded = read_responses(files(tmp_path, sft=["", *good[1:]], rl=turned))
    found = {f.details["check"]: f for f in hygiene(loaded.responses, loaded.checks)}
    assert found["role_marker"].details["counts"] == {"sft": 0, "rl": 41}
    assert found["role_marker"].verdict == "warn"
    assert found["empty"].details["counts"] == {"sft": 1, "rl": 0}
    assert found["empty"].sentence.values["of_before"] == 60


def test_a_stage_of_nothing_but_empty_answers_is_named(tmp_path):
    loaded = read_responses(files(tmp_path, sft=["Fine."] * 12, rl=[" "] * 12))
    assert loaded.responses.stages == ("sft",)
    found = {f.details["check"]: f for f in hygiene(loaded.responses, loaded.checks)}
    assert found["empty"].details["counts"] == {"sft": 0, "rl": 12}
    assert found["empty"].estimate.value == 1


def test_a_sample_takes_the_checks_of_its_prompts():
    table = stages(50)
    checks = noticed(table, {"truncated": np.tile(np.arange(50) < 25, 2)})
    some = sampled(Inputs(responses=table, response_checks=checks), AuditConfig(responses=("x",), sample=40))
    (found,) = hygiene(some.responses, some.response_checks)
    assert some.responses.frame.height == 40
    assert sum(found.details["counts"].values()) < 40
