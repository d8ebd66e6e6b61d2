"""The page without a browser: what is in it, what must not be, and how large it may be."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources

import pytest
import sample
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dehusk.core.findings import Audit, Evidence, Finding, GlossaryEntry, Skipped, TraceRow
from dehusk.core.messages import say
from dehusk.core.run import InputRecord, RunRecord
from dehusk.report import to_html
from dehusk.report.html import MOST_BYTES
from dehusk.report.wording import one_line

VOID = {"meta", "input", "br", "link", "img", "hr"}


class Page(HTMLParser):
    """Elements with their attributes, visible text, and whether every element was closed in order."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.elements, self.text, self.open, self.script = [], "", [], ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.script += data
        elif self.open and self.open[-1] != "style":
            self.text += data

    def all(self, name):
        return [attrs[name] for _, attrs in self.elements if name in attrs]

    def count(self, tag):
        return sum(found == tag for found, _ in self.elements)


@pytest.fixture(params=["en", "zh"])
def page(request, rich):
    return Page(to_html(rich, request.param))


def test_the_page_is_well_formed_and_loads_nothing(page):
    assert page.open == []
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"img", "link", "iframe", "object", "base", "foreignobject", "image"}
    assert not page.all("src") and not page.all("style")
    assert all(target.startswith("#") for target in page.all("href"))
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]
    assert not re.search(r"url\(|@import|https?://", to_html(sample.empty()))


def test_the_one_script_is_ours_and_the_policy_names_it(page):
    assert page.count("script") == 1
    assert page.script == resources.files("dehusk.report").joinpath("page", "page.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(page.script.encode()).digest()).decode()
    (policy,) = [attrs["content"] for _, attrs in page.elements if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'")


def test_links_reach_an_anchor_and_anchors_are_unique(page):
    anchors = Counter(page.all("id"))
    assert max(anchors.values()) == 1
    assert not {target[1:] for target in page.all("href")} - set(anchors)


def test_headings_are_in_order_and_tables_have_captions(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
    assert page.count("table") == page.count("caption") > 8
    assert {attrs.get("scope") for tag, attrs in page.elements if tag == "th"} == {"row", "col"}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_everything_found_is_on_the_page(rich, lang):
    page = Page(to_html(rich, lang))
    shown = " ".join(page.text.split())
    for finding in rich.findings:
        assert one_line(finding.sentence.render(lang), 1_000).removesuffix("…") in shown
    for text in (sample.SCRIPT, sample.IMAGE, sample.HOSTILE[2], "⟨U+202E⟩evil⟨U+202C⟩ ⟨U+0000⟩", sample.RTL):
        assert text in page.text
    assert page.count("mark") >= 5
    assert sum(attrs.get("class") == "trace" for _, attrs in page.elements) == 1
    assert sum("data-verdict" in attrs and tag == "article" for tag, attrs in page.elements) == 11


def test_absent_cells_say_why(rich):
    absent = re.findall(r"<td title=\"([^\"]+)\">—<sup>([12])</sup></td>", to_html(rich))
    assert len(absent) > 180
    assert len(set(absent)) == 2  # two reasons, each with its footnote


def test_the_language_is_said_and_kept(rich, empty):
    english, chinese = Page(to_html(empty)), Page(to_html(empty, "zh"))
    assert [dict(page.elements)["html"]["lang"] for page in (english, chinese)] == ["en", "zh-Hans"]
    words = re.findall(r"[A-Za-z]{4,}", chinese.text)
    assert set(words) <= {"dehusk", "audit", "json"}
    assert "zh-Hans" in Page(to_html(rich)).all("lang")[1:]  # evidence in Chinese on an English page


def test_bytes_and_text_stay_bounded_however_much_was_found(rich):
    text = "一二三四五六七八九十" * 90
    evidence = tuple(Evidence(f"e{n}", "example", n, {"prompt": text, "response": text}, {}) for n in range(900))
    findings = tuple(
        replace(rich.findings[0], feature=f"f{n}", evidence=tuple(f"e{3 * n + k}" for k in range(3)))
        for n in range(300)
    )
    trace = tuple(replace(rich.trace[0], feature=f"f{n}") for n in range(900))
    for audit in (
        replace(rich, evidence=evidence, findings=findings),
        replace(rich, evidence=evidence, findings=findings, trace=trace, glossary=rich.glossary * 400),
    ):
        source = to_html(audit)
        assert len(source.encode()) <= MOST_BYTES
        assert 'data-test="cut"' in source
    assert 'data-test="cut"' not in to_html(rich)


def test_what_informs_gets_few_cards_and_what_is_serious_all_that_fit(rich):
    def cards(verdict, count):
        findings = tuple(replace(rich.findings[0], verdict=verdict, feature=f"f{place}") for place in range(count))
        page = Page(to_html(replace(rich, findings=findings, evidence=())))
        assert {f"f{place}" for place in range(count)} <= set(re.findall(r"\bf\d+\b", page.text))
        return page.count("article")

    assert [cards("inform", 50), cards("warn", 50), cards("warn", 90)] == [12, 50, 60]


def everywhere(text: str) -> Audit:
    """An audit with one text wherever a text can be."""
    one = sample.estimate(0.1, unit=text or "share")
    finding = Finding(
        text, text, say("sample.hostile", thing=text), "warn", feature=text, family=text,
        estimate=replace(one, method=text), remedy=say("sample.hostile", thing=text),
        details={text: text, "stages": [{"stage": text, "rate": 0.1}, {"stage": text, "rate": 0.3}],
                 "terms": [{"term": text, "weight": 1.0}], "subset": text, "variants": [text]},
        evidence=(text,),
    )  # fmt: skip
    return Audit(
        RunRecord(text, {text: [text]}, 0, "en", {text: text}),
        (InputRecord(text, text, text, 1, text, (text,)),),
        (finding, replace(finding, verdict="pass")),
        (TraceRow(text, text, "warn", "unwanted", {"data": {text: one}, "policy": say("sample.hostile", thing=text)}),),
        (Skipped(text, say("sample.hostile", thing=text)),),
        (Evidence(text, text, 1, {text: text, "response": text}, {"response": ((0, 3),)}, text),),
        (GlossaryEntry(text, text, text, text, True),),
    )


NASTY = st.text(st.characters(), max_size=30) | st.sampled_from(
    [*sample.HOSTILE, "</script>", "\ud800", "{{7*7}}", "%s"]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NASTY)
def test_no_text_breaks_the_page(text):
    calm, hostile = Page(to_html(everywhere("calm"))), Page(to_html(everywhere(text), "en"))
    assert hostile.open == []
    assert Counter(tag for tag, _ in hostile.elements)["script"] == 1
    allowed = {tag for tag, _ in calm.elements} | {"code", "a", "bdi"}
    assert {tag for tag, _ in hostile.elements} <= allowed
    to_html(everywhere(text)).encode()


def luminance(colour):
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_contrast_is_enough_in_both_schemes():
    style = resources.files("dehusk.report").joinpath("page", "style.css").read_text("utf-8")
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", part)) for part in style.split("@media", 2)[:2])
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    for colours in (light, dark):
        for ink in ("ink", "muted", "link", "fail", "warn", "inform", "pass"):
            assert contrast(colours[ink], colours["paper"]) >= 4.5, ink
            assert contrast(colours[ink], colours["card"]) >= 4.5, ink
        for verdict in ("fail", "warn", "inform", "pass"):
            assert contrast(colours[verdict], colours[f"{verdict}-tint"]) >= 4.5, verdict
        assert contrast(colours["mark-ink"], colours["mark"]) >= 4.5
        for mark in ("first", "second"):
            assert contrast(colours[mark], colours["card"]) >= 3  # graphics: WCAG 1.4.11
    assert light.keys() == dark.keys()
    assert "prefers-reduced-motion" in style and "@media print" in style
