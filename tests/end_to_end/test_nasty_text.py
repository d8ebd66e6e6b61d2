"""Whatever the strings, wherever they are: no traceback, valid outputs, and nothing on the page that data brought."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from museum import LONG, NASTY, answers, pairs, write
from shown import Page, check

from dehusk.core.errors import InputError
from dehusk.core.options import AuditConfig
from dehusk.features import declared
from dehusk.features.mining import as_feature
from dehusk.features.phrases import Phrase
from dehusk.features.templates import SLOT
from dehusk.probes.evidence import spans_of
from dehusk.workflow import run_audit

FEW = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
TEXT = st.sampled_from(NASTY) | st.text(st.characters(), max_size=40)


def audited(lang="en", **options):
    outcome = run_audit(AuditConfig(lang=lang, **options))
    return outcome.audit, check(outcome.audit, lang)


def file_name(text: str) -> str:
    """The text as far as a file system takes it."""
    kept = text.replace("/", "_").replace("\0", "_").encode("utf-8", "replace")[:100]
    return "f" + os.fsdecode(kept)


@FEW
@given(st.lists(TEXT, min_size=3, max_size=8), st.sampled_from(["en", "zh"]))
def test_pairs_of_any_text(texts, lang):
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / f"{file_name(texts[0])}.jsonl", pairs([*texts, "calm"], 30))
        audited(lang, pairs=str(path))


@FEW
@given(st.lists(TEXT, min_size=3, max_size=8), st.sampled_from(["en", "zh"]))
def test_stages_of_any_text_and_name(texts, lang):
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            {**row, "stage": text} for k, text in enumerate(texts[:2]) for row in answers([*texts, "calm"], 2 * k, 20)
        ]
        path = write(Path(folder) / f"{file_name(texts[2])}.jsonl", rows)
        audited(lang, responses=(str(path),))


@FEW
@given(st.lists(TEXT, min_size=3, max_size=3, unique=True))
def test_columns_of_any_name(names):
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            {names[0] + "1": f"q {i}", names[1] + "2": f"the better answer {i}", names[2] + "3": f"answer {i}"}
            for i in range(24)
        ]
        path = write(Path(folder) / "x.jsonl", rows)
        asked = zip(("prompt", "chosen", "rejected"), (f"{name}{k}" for k, name in enumerate(names, 1)), strict=True)
        try:
            audited(pairs=str(path), map=tuple(f"{ours}={theirs}" for ours, theirs in asked))
        except InputError as error:  # a comma, or bytes that no name of a column has
            assert "\n" not in str(error)


@FEW
@given(TEXT)
def test_phrases_and_stages_that_a_user_names(text):
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "x.jsonl", answers(["calm", text], 1, 20))
        later = write(Path(folder) / "y.jsonl", answers(["calm", text], 2, 20))
        try:
            audited(unwanted=(f"so {text}",), responses=(f"{text}={path}", f"later={later}"))
        except InputError as error:
            assert "\n" not in str(error)


@pytest.fixture(scope="module")
def museum(tmp_path_factory):
    """Everything at once: pairs with lines of a megabyte, three stages with hostile names."""
    folder = tmp_path_factory.mktemp("museum")
    rows = pairs(NASTY, 240)
    for k, text in enumerate(LONG):
        rows[3 * k][("prompt", "chosen", "rejected")[k % 3]] = text
    stages = [
        write(folder / f"{k}.jsonl", [*answers(NASTY, k, 120), {"prompt": "big", "response": LONG[k]}])
        for k in range(3)
    ]
    names = ("<script>", "\u202e::error::", "{{7*7}} `$(x)`")
    return {
        "pairs": str(write(folder / "museum <b>&'.jsonl", rows)),
        "responses": tuple(f"{name}={path}" for name, path in zip(names, stages, strict=True)),
    }


def test_the_museum(museum):
    unwanted = ("the best 答案", "\"'><img src=x onerror=alert(1)>")
    audit, page = audited(unwanted=unwanted, **museum)
    check(audit, "zh")
    assert {"data.association", "policy.amplification"} <= {finding.probe for finding in audit.findings}
    assert any("<script>" in finding.sentence.render() for finding in audit.findings)
    assert "<script>" in page.text
    assert audit.evidence


def test_the_museum_through_the_command_line(dehusk, museum, tmp_path):
    ran = dehusk("audit", "--pairs", museum["pairs"], "--out", tmp_path / "<out>", "--fail-on", "never", "--lang", "zh")
    assert ran.code == 0, ran.err
    assert ran.err.count("\n") == 1
    assert not {"\x1b", "\x00", "\u202e"} & {*ran.out, *ran.err}
    folder = tmp_path / "<out>"
    json.loads((folder / "audit.json").read_bytes())
    assert Page((folder / "report.html").read_text("utf-8")).open == []
    assert len(list(folder.iterdir())) == 7


@pytest.mark.parametrize(
    "name", ["a[1].jsonl", "[ab]*?.jsonl", "\udce9t\udce9.jsonl", "a=b.jsonl", "~x.jsonl", "-.jsonl"]
)
def test_a_file_of_any_name_is_that_file(dehusk, tmp_path, monkeypatch, name):
    """Names that a library might take for a pattern, and bytes that are not UTF-8."""
    monkeypatch.chdir(tmp_path)
    for decoy in ("a1.jsonl", "a.jsonl", "b.jsonl"):
        write(tmp_path / decoy, [{"not": "this"}])
    write(tmp_path / name, pairs(["calm"], 24))
    ran = dehusk("audit", f"--pairs=./{name}", "--format", "json", "--fail-on", "never")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["inputs"][0]["rows"] == 24


def test_errors_show_hostile_names_as_text(dehusk, tmp_path):
    path = write(tmp_path / "x.jsonl", [{"\x1b[31m\u202ered": "a", "b\n\nc": "d"}])
    ran = dehusk("audit", "--pairs", path)
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert not {"\x1b", "\u202e"} & {*ran.err}


@pytest.mark.parametrize("option", ["--unwanted", "--map", "--stages", "--layout"])
def test_bytes_that_are_no_text_are_one_line(dehusk, tmp_path, option):
    path = write(tmp_path / "x.jsonl", pairs(["calm"], 24))
    ran = dehusk("audit", "--pairs", path, option, "\udcff=\udcfe x")
    assert ran.code == 2
    assert ran.err == f"dehusk: {option}: bytes that are not UTF-8\n"


@pytest.mark.parametrize(
    ("feature", "line"),
    [("links", "(["), ("latex", "\\("), ("three_parts", "x"), ("“not … but”", "not - "), ("“not … but”", "-")],
)
def test_no_line_keeps_the_highlighting_busy(feature, line):
    """Each of these takes Python's own regular expressions hours."""
    known = {item.name: item for item in declared()}
    words = ("not", SLOT, "but")
    pattern = (known.get(feature) or as_feature(Phrase(words, 0, 0, (words,)), "pairs")).highlight
    assert spans_of("not " + line * (200_000 // len(line)), pattern) == []
