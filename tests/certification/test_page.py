"""The page of a certificate: what it shows, what it escapes, and in a real browser."""

from __future__ import annotations

import numpy as np
import pytest
from chromium import Chromium, find
from contests import World

from dehusk.certification import certify
from dehusk.core.certificates import Certificate
from dehusk.core.findings import GlossaryEntry
from dehusk.core.messages import catalogue
from dehusk.core.run import InputRecord, RunRecord
from dehusk.report import to_html

HOSTILE = "<script>document.body.dataset.owned = 1</script><img src=x onerror=alert(1)>"


def certificate(world, after, *, prompts=200):
    judged = certify(world.contest(after), np.random.default_rng(0), nats=0.5)
    return Certificate(
        run=RunRecord("certify", {"before": HOSTILE, "margin": 0.15, "target": ["target"]}, 0),
        inputs=(
            InputRecord("responses", f"pool-{HOSTILE}.jsonl", "jsonl", 1600, "ab" * 32, (HOSTILE,)),
            InputRecord("reward_model", "before", "function", 1600, ""),
        ),
        models={"before": HOSTILE, "after": "py:\u202enew", "gold": "gold"},
        margins={"pressure": 0.15, "level": 0.95},
        prompts=prompts,
        answers=8,
        glossary=(GlossaryEntry("second", "units", "layout", HOSTILE, False),),
        **vars(judged),
    )


@pytest.fixture(scope="module")
def certificates():
    world = World(0, prompts=200, size=8)
    world.values[f"“{HOSTILE}”"] = world.values["f0"]
    moved = certificate(world, world.reward(-0.7, 1.8, gold=1.3))
    few = World(0, prompts=15, size=4)
    return {"moved": moved, "empty": certificate(few, few.old)}


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", ["moved", "empty"])
def test_the_page_is_whole_and_nothing_is_run(certificates, name, lang):
    page = to_html(certificates[name], lang)
    words = catalogue(lang)
    assert words[f"certify.verdict.{certificates[name].verdict}"] in page
    assert "<script>document" not in page and "<img" not in page
    assert "\u202e" not in page
    assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page
    assert len(page.encode()) < 1_000_000


def test_curves_of_targets_and_of_the_features_that_moved(certificates):
    page = to_html(certificates["moved"])
    assert page.count("<figure") == 7  # the target, and six others
    assert page.index(">target<") < page.index(">second<")
    shift = certificates["moved"].shifts[0]
    before, after, gold = shift.curves()
    assert (before.name, after.name, gold.name) == ("before", "after", "gold")
    assert before.x == (1.0, 2.0, 4.0, 8.0)
    assert before.value[0] == 0.0
    assert before.value[3] == pytest.approx(shift.lifts[2].before.value * shift.lifts[2].scale)
    assert all(low <= value <= high for low, value, high in zip(before.low, before.value, before.high, strict=True))


@pytest.mark.skipif(find() is None, reason="no chromium, chromium-browser or google-chrome on the PATH")
def test_in_a_browser(certificates, tmp_path):
    with Chromium(find()) as browser:
        for name, lang, width, dark, scripts in (
            ("moved", "en", 1280, False, True),
            ("moved", "zh", 390, True, False),
            ("empty", "zh", 390, False, True),
        ):
            path = tmp_path / f"{name}.{lang}.html"
            path.write_text(to_html(certificates[name], lang), "utf-8")
            browser.open(path, width=width, dark=dark, scripts=scripts)
            assert browser.complaints() == []
            assert browser.evaluate("document.body.dataset.owned") is None
            assert browser.evaluate("document.documentElement.scrollWidth") <= width
            said = browser.evaluate("document.body.innerText")
            assert catalogue(lang)[f"certify.verdict.{certificates[name].verdict}"].lower() in said.lower()
            if name == "moved":
                assert browser.evaluate("document.querySelectorAll('polyline').length") == 3 * 7
                assert browser.evaluate("document.querySelectorAll('polygon').length") == 3 * 7
        browser.open(tmp_path / "moved.en.html", width=1280)
        browser.evaluate("document.querySelector('#all thead button').click()")
        names = browser.evaluate("[...document.querySelectorAll('#all tbody th bdi')].map(one => one.innerText)")
        plain = [one for one in names if one.isascii()]
        assert len(plain) > 10 and plain in (sorted(plain), sorted(plain, reverse=True))
        assert browser.complaints() == []
