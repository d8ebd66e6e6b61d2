"""Markdown, terminal, GitHub commands and SARIF."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from rich.console import Console
from sample import IMAGE, LONG, SCRIPT, ZH_PHRASE

from dehusk.core.errors import UnknownName
from dehusk.core.messages import say
from dehusk.report import formats, to_github, to_markdown, to_sarif, to_text
from dehusk.report.markdown import escaped

CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printed(audit, lang="en", width=100):
    file = io.StringIO()
    Console(file=file, width=width).print(to_text(audit, lang))
    return file.getvalue()


def test_there_is_one_table_of_formats(rich):
    assert {entry.name for entry in formats} == {"text", "markdown", "html", "json", "github", "sarif"}
    assert json.loads(formats["json"].thing(rich, "zh"))["schema"] == 1
    with pytest.raises(UnknownName, match="did you mean markdown"):
        formats["markdwon"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_markdown_shows_model_text_as_text(rich, lang):
    tokens = MarkdownIt("commonmark").enable("table").parse(to_markdown(rich, lang))
    inline = [child for token in tokens for child in token.children or ()]
    assert {token.type for token in inline} <= {"text", "strong_open", "strong_close", "text_special"}
    assert not [token for token in tokens if token.type.startswith(("html", "code", "fence", "blockquote"))]
    shown = "".join(token.content for token in inline).replace("\u2060", "")
    assert SCRIPT in shown and IMAGE in shown
    rows = [token for token in tokens if token.type == "tr_open"]
    assert len(rows) == 26  # 25 features and the head: no text broke the table


def test_markdown_calls_nobody():
    live = "@me a@b #12 https://x.y www.z.w"
    shown = escaped(live)
    assert shown.replace("\u2060", "").replace("\\", "") == live
    assert not re.search(r"@\w|#\d|://|www\.", shown)


def test_markdown_says_the_story(rich, empty):
    text = to_markdown(rich)
    assert (
        f"“{ZH_PHRASE}” grew from 5.0% of answers (base) to 34.0% (rl).".replace("(", "\\(").replace(")", "\\)") in text
    )
    assert "**fail**" in text and "What to do:" in text and "What was skipped" in text
    assert "No probe gave a number" in to_markdown(empty)


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_terminal_gets_no_control_codes(rich, lang, width):
    text = printed(rich, lang, width)
    assert not CONTROLS.search(text)
    assert ZH_PHRASE in re.sub(r"\s", "", text)


def test_the_terminal_shows_markup_as_text(rich):
    bad = replace(rich.findings[0], sentence=say("sample.hostile", thing="[bold]x[/] :smile: [link=http://a]y"))
    assert "[bold]x[/] :smile: [link=http://a]y" in printed(replace(rich, findings=(bad,)), width=300)


def test_the_terminal_tells_what_to_do_and_what_was_skipped(rich, empty):
    text = printed(rich)
    assert "What to do: Rebalance" in text and "needs a reward model: --reward-model hf:path" in text
    assert "… and 45 more" in text
    assert "No probe gave a number" in printed(empty)


COMMAND = re.compile(r"^::(error|warning|notice) title=([^:,\r\n]*)::(.*)$")


def test_github_commands_are_one_line_each_and_escaped(rich):
    bad = replace(
        rich.findings[0], feature="a:b,c\nd%::error::x", sentence=say("sample.hostile", thing="50%\r\n::error::y")
    )
    lines = to_github(replace(rich, findings=(bad, *rich.findings))).splitlines()
    matches = [COMMAND.fullmatch(line) for line in lines]
    assert all(matches)
    assert [match[1] for match in matches] == ["notice", *["error"] * 3, *["warning"] * 4]
    (title,) = {match[2] for match in matches if match[2].startswith("a%")}
    assert title == "a%3Ab%2Cc d%25%3A%3Aerror%3A%3Ax"
    assert not CONTROLS.search("".join(lines))


def test_github_says_one_line_about_an_empty_audit(empty):
    assert to_github(empty).count("\n") == 1


def test_sarif_has_one_rule_a_probe_and_one_result_a_serious_finding(rich):
    (run,) = json.loads(to_sarif(rich))["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules)) == len({finding.probe for finding in rich.findings})
    serious = [finding for finding in rich.findings if finding.verdict in ("warn", "fail")]
    assert len(run["results"]) == len(serious)
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("warning", "error")
        assert result["message"]["text"]
        for location in result["locations"]:
            assert re.fullmatch(r"[\w.~%/!$&'()*+,;=:@-]+", location["physicalLocation"]["artifactLocation"]["uri"])
    prints = [result["partialFingerprints"]["finding/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints)
    assert not CONTROLS.search(to_sarif(rich))


def test_sarif_of_an_empty_audit_is_valid(empty):
    log = json.loads(to_sarif(empty))
    assert log["version"] == "2.1.0" and log["runs"][0]["results"] == []


def test_long_names_stay_short(rich):
    assert all(len(line) < 3_000 for line in to_github(rich).splitlines())
    assert LONG not in to_markdown(rich)
    assert LONG not in to_sarif(rich)
