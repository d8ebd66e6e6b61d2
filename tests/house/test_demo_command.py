"""`dehusk demo` tells the story that was planted."""

import json

import pytest
from console import dehusk
from source import ROOT

from dehusk.core.findings import STAGES, Audit
from dehusk.core.messages import label
from dehusk.demo import STORY
from dehusk.report.wording import interval, number, word


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The finished process and its folder."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    return dehusk("demo", "--out", folder), folder


@pytest.fixture(scope="module")
def audit(demo):
    return json.loads(only(demo[1], "audit.json").read_text("utf-8"))


def only(folder, name):
    found = list(folder.rglob(name))
    assert len(found) == 1, found
    return found[0]


def about(audit, feature, probe):
    return [row for row in audit["findings"] if row["feature"] == feature and row["probe"] == probe]


def test_it_ends_well_and_says_where_the_report_is(demo):
    process, folder = demo
    assert process.returncode == 0, process.stderr
    assert str(only(folder, "report.html")) in process.stdout.replace("\n", "") + process.stderr.replace("\n", "")
    assert "Traceback" not in process.stderr


def test_the_report_can_be_mailed(demo):
    page = only(demo[1], "report.html")
    assert page.stat().st_size <= 1_000_000
    assert STORY.phrases["zh"] in page.read_text("utf-8")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_both_catchphrases_are_named_and_grew(audit, lang):
    grew = [
        row
        for row in audit["findings"]
        if row["stage"] == "policy"
        and row["verdict"] in ("warn", "fail")
        and row["estimate"]
        and row["estimate"]["low"] > 0
        and STORY.phrases[lang] in json.dumps(row, ensure_ascii=False).lower().replace("’", "'")
    ]
    assert grew


@pytest.mark.parametrize("name, lang", [("README.md", "en"), ("README.zh-CN.md", "zh")])
def test_the_table_of_the_readme_is_that_of_the_demo(demo, name, lang):
    """Every number of the table stands in the audit, at its feature and stage."""
    found = Audit.from_json(only(demo[1], "audit.json").read_text("utf-8"))
    rows = {label(row.feature, lang): row for row in found.trace}
    table = (ROOT / name).read_text("utf-8").split("<!-- demo:begin -->")[1].split("<!-- demo:end -->")[0]
    lines = [line.strip("| ").split(" | ") for line in table.strip().splitlines()[2:]]
    assert len(lines) == 7
    for feature, *cells, verdict in lines:
        assert verdict == word("verdict", rows[feature].verdict, lang)
        for stage, cell in zip(STAGES, cells, strict=True):
            raw = rows[feature].cells[stage]["raw"]
            said = f"{number(raw.value, raw.unit, signed=True)} {interval(raw, signed=True)}"
            assert cell.split("<br>")[0] == said, (feature, stage)


def test_lists_grew_no_more_than_length(audit):
    assert {row["verdict"] for row in about(audit, "list", "policy.amplification")} <= {"pass", "inform"}
    assert about(audit, "list", "policy.amplification")


def test_longer_wins_is_reported_with_its_sign(audit):
    rows = about(audit, "characters", "data.association")
    assert rows
    assert all(row["estimate"]["low"] > 0 for row in rows)


def test_the_labels_dislike_praise(audit):
    rows = about(audit, "good_question", "data.association") + about(audit, "praise_opener", "data.association")
    assert rows
    assert all(row["estimate"]["value"] < 0 for row in rows)


def test_every_trouble_is_counted(audit):
    shown = json.dumps([row for row in audit["findings"] if row["probe"] == "data.hygiene"], ensure_ascii=False)
    for kind in ("identical", "near_identical", "duplicate", "contradictory", "truncated", "role", "empty"):
        assert kind in shown, kind
