"""`dehusk audit`: formats, files, exit codes, intents, config files, and the likely mistakes."""

import json

import polars as pl
import pytest


@pytest.fixture
def audited(dehusk, data):
    def run(*more):
        return dehusk("audit", "--pairs", data / "pairs.jsonl", "--fail-on", "never", *more)

    return run


def findings(ran, feature, probe="data.association"):
    rows = json.loads(ran.out)["findings"]
    return [row for row in rows if row["feature"] == feature and row["probe"] == probe]


def test_pairs_and_stages_together_fill_the_trace(dehusk, data, tmp_path):
    out = tmp_path / "out"
    stages = [word for name in ("sft", "rl") for word in ("--responses", f"{name}={data / name}.jsonl")]
    ran = dehusk("audit", "--pairs", data / "pairs.jsonl", *stages, "--out", out, "--fail-on", "never")
    assert ran.code == 0, ran.err
    assert str(out / "report.html") in ran.err.replace("\n", "")
    assert {path.name for path in out.iterdir()} == {
        "audit.json",
        "report.html",
        "report.md",
        "findings.parquet",
        "checks.parquet",
        "measures_chosen.parquet",
        "measures_rejected.parquet",
        "measures_response.parquet",
    }
    audit = json.loads((out / "audit.json").read_text("utf-8"))
    assert {item["role"] for item in audit["inputs"]} == {"pairs", "responses"}
    full = [row for row in audit["trace"] if "raw" in row["cells"]["data"] and "raw" in row["cells"]["policy"]]
    assert full
    assert pl.read_parquet(out / "findings.parquet").height == len(audit["findings"])
    known = {item["id"] for item in audit["evidence"]}
    assert all(set(finding["evidence"]) <= known for finding in audit["findings"])


@pytest.mark.parametrize(
    ("form", "sign"), [("json", '"schema"'), ("markdown", "|"), ("github", "::"), ("sarif", "2.1.0")]
)
def test_formats(audited, form, sign):
    ran = audited("--format", form)
    assert ran.code == 0
    assert sign in ran.out
    assert ran.err == ""


def test_the_same_seed_gives_the_same_audit(audited):
    first, again, other = (audited("--format", "json", "--seed", seed).out for seed in (1, 1, 2))
    assert first == again
    assert json.loads(first)["run"]["seed"] != json.loads(other)["run"]["seed"]


def test_chinese(audited):
    ran = audited("--lang", "zh")
    assert "特征追踪表" in ran.out
    assert "Findings" not in ran.out


def test_intents_change_the_verdict_and_the_exit_code(dehusk, data):
    plain = ("audit", "--pairs", data / "pairs.jsonl", "--format", "json")
    stated = dehusk(*plain, "--fail-on", "never")
    warned = [
        row["feature"]
        for row in json.loads(stated.out)["findings"]
        if row["verdict"] == "warn" and row["details"].get("reading") == "association" and row["estimate"]["low"] > 0
    ]
    assert warned
    unwanted = dehusk(*plain, "--unwanted", warned[0])
    assert unwanted.code == 1
    assert {
        row["verdict"] for row in findings(unwanted, warned[0]) if row["details"].get("reading") == "association"
    } == {"fail"}
    wanted = dehusk(*plain, "--fail-on", "never", "--wanted", warned[0])
    assert {row["intent"] for row in findings(wanted, warned[0])} == {"wanted"}
    assert not {row["verdict"] for row in findings(wanted, warned[0])} & {"warn", "fail"}


def test_a_phrase_of_ones_own_is_tested(dehusk, tmp_path):
    """Planted in a fifth of the chosen answers, named by the user: no mining is needed to fail it."""
    path = tmp_path / "pairs.jsonl"
    answers = [("mark my words, " if i % 5 == 0 else "") + f"answer {i} is long enough" for i in range(100)]
    lines = [
        {"prompt": f"q {i}", "chosen": answers[i], "rejected": f"so it goes now, answer {i} is short"}
        for i in range(100)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    ran = dehusk("audit", "--pairs", path, "--format", "json", "--unwanted", "mark my words,一句狠话")
    [row] = findings(ran, "“mark my words”")
    assert (row["intent"], row["verdict"], ran.code) == ("unwanted", "fail", 1)
    assert row["estimate"]["value"] == 0.2


def test_a_config_file_stands_in_for_flags_and_flags_win(dehusk, data, tmp_path):
    config = tmp_path / "dehusk.toml"
    config.write_text(f'[audit]\npairs = "{data / "pairs.jsonl"}"\nfail-on = "never"\nformat = "json"\nseed = 7\n')
    assert json.loads(dehusk("audit", "--config", config).out)["run"]["seed"] == 7
    assert json.loads(dehusk("audit", "--config", config, "--seed", 8).out)["run"]["seed"] == 8


def test_a_sample_keeps_whole_prompts(audited):
    ran = audited("--format", "json", "--sample", 60)
    counts = [row["estimate"]["n"] for row in findings(ran, "characters") if row["estimate"]]
    assert max(counts) <= 61


def test_a_sample_does_not_blame_its_rows_for_the_others(dehusk, tmp_path):
    """A fifth of the rows are duplicates; a sample of a tenth must not count them all."""
    lines = [{"prompt": f"q {i % 400}", "chosen": f"yes {i % 400}", "rejected": f"no {i}"} for i in range(400)]
    lines += lines[:100]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    rows = json.loads(dehusk("audit", "--pairs", path, "--format", "json", "--fail-on", "never", "--sample", 50).out)[
        "findings"
    ]
    [found] = [row for row in rows if row["probe"] == "data.hygiene" and row["details"].get("check") == "duplicate"]
    assert found["estimate"]["value"] < 0.6


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["audit"], "nothing to audit"),
        (["audit", "--pairs", "nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["audit", "--pairs", "{pairs}", "--map", "chosen"], "--map"),
        (["audit", "--pairs", "{pairs}", "--map", "chosen=wining"], "wining"),
        (["audit", "--pairs", "{pairs}", "--unwanted", "bulets"], "did you mean bullets"),
        (["audit", "--pairs", "{pairs}", "--q", "5"], "--q"),
        (["audit", "--pairs", "{pairs}", "--lang", "fr"], "en"),
        (["audit", "--pairs", "{pairs}", "--layout", "tlr"], "layout"),
        (["audit", "--responses", "sft={pairs}"], "--map response="),
        (["audti"], "did you mean audit"),
        (["audit", "--pears", "x"], "--pairs"),
        (["audit", "--config", "nowhere.toml"], "nowhere.toml"),
        (["validate"], "nothing"),
        (["convert", "nowhere.jsonl", "x.jsonl"], "nowhere.jsonl"),
        (["list", "feature"], "features"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(dehusk, data, words, expected):
    ran = dehusk(*(word.format(pairs=data / "pairs.jsonl") for word in words))
    assert ran.code == 2
    assert ran.err.startswith("dehusk: ")
    assert ran.err.count("\n") == 1
    assert expected in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[audit]\nunwnted = ['list']\n", "did you mean unwanted"),
        ("[audit]\nq = 'much'\n", "expected float"),
        ("[audit\n", "broken TOML"),
    ],
)
def test_a_wrong_config_file_is_one_line(dehusk, tmp_path, text, expected):
    (tmp_path / "dehusk.toml").write_text(text)
    ran = dehusk("audit", "--config", tmp_path / "dehusk.toml")
    assert ran.code == 2
    assert expected in ran.err
    assert ran.err.count("\n") == 1


def test_a_folder_that_cannot_be_made(dehusk, data, tmp_path):
    (tmp_path / "file").write_text("")
    ran = dehusk("audit", "--pairs", data / "pairs.jsonl", "--out", tmp_path / "file" / "out")
    assert ran.code == 2
    assert "cannot be made" in ran.err
