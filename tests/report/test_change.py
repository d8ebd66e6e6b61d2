"""The section on what a repair changed: its rows, its lists, and how it looks in a browser."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sample
from chromium import Chromium, find

from dehusk.core.findings import TraceRow
from dehusk.core.messages import say
from dehusk.report import to_html
from dehusk.report.change import change_view


def row(feature, value, verdict="pass", intent="unstated"):
    cells = {"data": {"raw": sample.estimate(value, unit="win-rate shift")}} if value is not None else {}
    return TraceRow(feature, "length", verdict, intent, {"data": say("core.no_reason"), **cells})


def audits():
    before, after = sample.rich(), sample.rich()
    rows = [row("characters", 0.3, "fail", "unwanted"), row("lists", 0.1, "warn"), row(sample.ZH_PHRASE, 0.05), row(
        "policy_only", None)]  # fmt: skip
    before = replace(before, trace=tuple(rows))
    after = replace(after, trace=(row("characters", 0.0, "pass", "unwanted"), row("lists", 0.4, "warn"), row(
        sample.SCRIPT, 0.2, "warn")))  # fmt: skip
    calm = [one for one in after.findings if one.verdict not in ("fail", "warn")]
    return before, replace(after, findings=tuple(calm))


def test_what_is_unwanted_comes_first_then_what_moved_most():
    view = change_view(*audits(), most=10)
    assert [line.feature for line in view.lines[:2]] == ["characters", "lists"]
    assert {line.feature for line in view.lines} == {"characters", "lists", sample.ZH_PHRASE, sample.SCRIPT}
    first, second = view.lines[0], next(line for line in view.lines if line.feature == sample.SCRIPT)
    assert (first.before.value, first.after.value) == (0.3, 0.0)
    assert (first.verdict_before, first.verdict_after) == ("fail", "pass")
    assert second.before is None and second.verdict_before is None
    assert len(change_view(*audits(), most=2).lines) == 2 and change_view(*audits(), most=2).total == 4


def test_findings_are_gone_new_or_stay():
    before, after = audits()
    serious = sum(one.verdict in ("fail", "warn") for one in before.findings)
    gone = change_view(before, after, 100)
    assert 0 < len(gone.gone) <= serious and not gone.fresh and gone.staying == 0
    fresh = change_view(after, before, 100)
    assert len(fresh.fresh) == len(gone.gone) and not fresh.gone
    same = change_view(before, before, 100)
    assert same.staying == len(gone.gone) and not same.gone and not same.fresh


def test_a_page_without_an_audit_before_has_no_such_section():
    before, after = audits()
    assert 'id="change"' not in to_html(after)
    assert 'id="change"' in to_html(after, before=before)


@pytest.mark.skipif(find() is None, reason="no chromium, chromium-browser or google-chrome on the PATH")
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_section_reads_in_a_browser(tmp_path, lang):
    before, after = audits()
    path = tmp_path / "page.html"
    path.write_text(to_html(after, lang, before=before), "utf-8")
    with Chromium(find()) as browser:
        for width, dark, scripts in ((1280, False, True), (390, True, True), (390, False, False)):
            browser.open(path, width=width, dark=dark, scripts=scripts)
            assert browser.complaints() == []
            assert browser.evaluate("document.body.dataset.owned") is None
            assert browser.evaluate("document.documentElement.scrollWidth") <= width
            first = browser.evaluate("document.querySelector('#change tbody tr').innerText")
            assert "+30.0 pp" in first and "→" in first
            assert browser.evaluate("document.querySelectorAll('#change tbody tr').length") == 4
            assert browser.evaluate("document.querySelectorAll('#change details').length") == 1
        browser.open(path, width=1280, dark=False, scripts=True)
        browser.evaluate("document.querySelector('#change thead th:nth-child(3) button').click()")  # sort by after
        assert "+40.0 pp" in browser.evaluate("document.querySelector('#change tbody tr').innerText")
