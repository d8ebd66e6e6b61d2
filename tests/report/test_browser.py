"""The page in a real browser: wide and narrow, light and dark, with and without JavaScript."""

from __future__ import annotations

import struct
import zlib

import pytest
import sample
from chromium import Chromium, find

from dehusk.report import to_html

pytestmark = pytest.mark.skipif(find() is None, reason="no chromium, chromium-browser or google-chrome on the PATH")

MODES = [(width, dark, scripts) for width in (1280, 390) for dark in (False, True) for scripts in (True, False)]
TRACE = "[...document.querySelectorAll('.trace tbody tr')]"

CUT_OFF = """[...document.querySelectorAll('main *')].filter(one => one.scrollWidth > one.clientWidth + 1
    && getComputedStyle(one).overflowX === 'hidden' && !one.classList.contains('unseen')).length"""
TYPE = """document.getElementById('search').value = {!r};
    document.querySelector('form.tools').dispatchEvent(new Event('input'))"""


def shown_number(text):
    """The number a cell begins with, None for a dash."""
    return None if text.startswith("—") else float(text.split()[0].replace("−", "-").replace(",", ""))


@pytest.fixture(scope="module")
def browser():
    with Chromium(find()) as found:
        yield found


@pytest.fixture
def pages(tmp_path):
    made = {}
    for name, audit in (("rich", sample.rich()), ("empty", sample.empty())):
        for lang in ("en", "zh"):
            made[name, lang] = tmp_path / f"{name}.{lang}.html"
            made[name, lang].write_text(to_html(audit, lang), "utf-8")
    return made


def raw_pixels(png):
    """The pixel bytes of a PNG, each row behind its filter byte."""
    place, data = 8, b""
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        data += png[place + 8 : place + 8 + length] if kind == b"IDAT" else b""
        place += 12 + length
    return zlib.decompress(data)


@pytest.mark.parametrize("width, dark, scripts", MODES)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_mode_shows_everything_and_complains_of_nothing(browser, pages, lang, width, dark, scripts):
    browser.open(pages["rich", lang], width=width, dark=dark, scripts=scripts)
    assert browser.complaints() == []
    assert browser.evaluate("document.body.dataset.owned") is None
    assert browser.evaluate("document.title").startswith("dehusk")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") is dark
    text = browser.evaluate("document.body.innerText")
    assert "feature_59" in text and sample.ZH_PHRASE in text and sample.IMAGE in text
    assert browser.evaluate("document.querySelector('form.tools').hidden") is not scripts
    raw = raw_pixels(browser.screenshot())
    assert len({raw[at : at + 997] for at in range(0, len(raw), 997)}) > 100  # not blank
    assert (sum(raw[1:4]) < 150) is dark  # the first pixel has no neighbour, so no filter changes it


@pytest.mark.parametrize("width", [1280, 390])
def test_all_evidence_fits_a_phone_when_opened(browser, pages, width):
    browser.open(pages["rich", "en"], width=width, scripts=False)
    browser.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate("document.querySelectorAll('mark').length") >= 5
    # nothing is cut off: what is wider than its box can be scrolled to
    assert browser.evaluate(CUT_OFF) == 0


def test_tables_sort_both_ways_with_absent_cells_last(browser, pages):
    browser.open(pages["rich", "en"], width=1280)
    click = "document.querySelectorAll('.trace thead button')[1].click()"
    column = f"{TRACE}.map(row => row.cells[1].innerText)"
    for direction in (-1, 1):
        browser.evaluate(click)
        values = [shown_number(text) for text in browser.evaluate(column)]
        known = [value for value in values if value is not None]
        assert known == sorted(known, key=lambda value: direction * value)
        assert values == [*known, *[None] * (60 - len(known))] and 0 < len(known) < 60
        said = browser.evaluate("document.querySelectorAll('.trace thead th')[1].getAttribute('aria-sort')")
        assert said == ("descending" if direction < 0 else "ascending")
    assert browser.complaints() == []


def test_search_and_filter(browser, pages):
    browser.open(pages["rich", "en"], width=1280)
    shown = "document.querySelectorAll('article[data-verdict]:not([hidden])').length"
    everything = browser.evaluate(shown)
    browser.evaluate(TYPE.format("drink water"))  # stands in the evidence alone
    assert 0 < browser.evaluate(shown) < everything
    assert browser.evaluate("document.querySelector('article:not([hidden]) details.proof').open") is True
    assert "shown" in browser.evaluate("document.querySelector('form.tools output').value")
    browser.evaluate(TYPE.format(""))
    assert browser.evaluate(shown) == everything
    browser.evaluate("document.querySelector('input[value=inform]').click()")
    assert browser.evaluate("document.querySelectorAll('article.inform:not([hidden])').length") == 0
    assert browser.evaluate(shown) < everything


def test_an_empty_audit_is_a_whole_page(browser, pages):
    for lang in ("en", "zh"):
        browser.open(pages["empty", lang], width=390)
        assert browser.complaints() == []
        assert browser.evaluate("document.documentElement.scrollWidth") <= 390
        assert len(browser.evaluate("document.querySelector('main').innerText")) > 50


def test_printing_shows_closed_evidence(browser, pages):
    browser.open(pages["rich", "en"], width=1280, scripts=False)
    browser.call("Emulation.setEmulatedMedia", media="print")
    seen = "document.querySelector('details.proof .text').checkVisibility()"
    assert browser.evaluate(seen) is True
    assert browser.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert browser.evaluate("getComputedStyle(document.querySelector('.box.tall')).maxHeight") == "none"
    browser.call("Emulation.setEmulatedMedia", media="")
    assert browser.evaluate(seen) is False


def test_the_page_would_be_caught_running_a_script(browser, tmp_path):
    """The checks above can fail: a page with a foreign script violates the policy and is reported."""
    bad = tmp_path / "bad.html"
    bad.write_text(to_html(sample.empty()).replace("</main>", f"{sample.SCRIPT}<img src=x></main>"), "utf-8")
    browser.open(bad, width=390)
    complaints = " ".join(browser.complaints())
    assert "Content Security Policy" in complaints
    assert browser.evaluate("document.body.dataset.owned") is None
