"""The page as a browser shows it: it fits a screen and a phone, and gold is there for every method and n."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

from chromium import Chromium, find
from made_up import KINDS, made_up

from dehusk.report import to_html, to_markdown
from dehusk.report.wording import interval, number

METHODS = ["plain", *(name for names in KINDS.values() for name in names)]


@pytest.fixture(scope="module")
def found():
    return made_up(("characters", "bullets", "exclamations"), ("rm_bench", "llmbar"), gold=True)


def table_after(page, mark):
    """Rows of the first table after a mark, as lists of what their cells say."""
    table = page[page.index(mark) :].partition("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", table, flags=re.DOTALL)
    cells = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, flags=re.DOTALL) for row in rows]
    return [[" ".join(re.sub(r"<[^>]*>", " ", one).split()) for one in row] for row in cells if len(row) > 1]


def test_every_method_has_gold_at_every_n(found):
    head, *rows = table_after(to_html(found), 'id="gold"')
    assert head[1:] == [f"n = {2**k}" for k in range(7)]
    assert [row[0].removesuffix(" ◆") for row in rows] == METHODS
    for row, method in zip(rows, found.rows, strict=False):
        assert row[1] == "0"  # the best of one is the mean
        for n, said in zip((2, 4, 8, 16, 32, 64), row[2:], strict=True):
            told = [some[f"gold:{n}"] for some in (method.readings, method.against) if some]
            assert said == " Δ ".join(f"{number(one.value, signed=True)} {interval(one, signed=True)}" for one in told)


def test_the_table_of_methods_has_gold_once(found):
    head, *rows = table_after(to_html(found), 'id="methods"')
    assert [words for words in head if "gold" in words] == ["gold, best of 16"]
    assert len(rows) == len(METHODS)


def test_without_gold_there_is_no_such_table():
    found = made_up(("characters",))
    assert 'id="gold"' not in to_html(found)
    assert "n = 1" not in to_markdown(found)


def test_markdown_has_both_tables(found):
    text = to_markdown(found)
    assert text.count("| method |") == 2
    assert "| n = 64 |" in text


@pytest.mark.skipif(find() is None, reason="needs Chromium")
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_it_fits_a_screen_and_a_phone(found, lang, tmp_path):
    path = tmp_path / "comparison.html"
    path.write_text(to_html(found, lang), "utf-8")
    with Chromium(find()) as browser:
        for width in (1280, 390):
            browser.open(path, width=width)
            assert browser.evaluate("document.documentElement.scrollWidth") <= width
            assert not browser.complaints()
            browser.evaluate("document.querySelector('#methods .box').scrollLeft = 400")
            name = "document.querySelector('#methods tbody th[scope=row]').getBoundingClientRect().left"
            assert browser.evaluate(name) >= 0  # names stay when the table is moved
            assert browser.evaluate("document.querySelectorAll('#gold tbody td').length") == 7 * len(METHODS)
