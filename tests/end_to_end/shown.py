"""What can be said of every output, whatever was in the data."""

from __future__ import annotations

import json
import re
from functools import cache
from html.parser import HTMLParser
from importlib import resources

from rich.console import Console

from dehusk.core.findings import Audit
from dehusk.report import formats, to_html
from dehusk.report.html import MOST_BYTES

VOID = {"meta", "input", "br", "link", "img", "hr"}
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
COMMAND = re.compile(r"::(?:notice|warning|error) title=[^:,\n]*::[^\n]*")


class Page(HTMLParser):
    """Names of elements and of their attributes, visible text, and whether every element was closed in order."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.names: set[tuple[str, str]] = set()
        self.scripts, self.text, self.open = 0, "", []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        self.scripts += tag == "script"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names |= {(tag, ""), *((tag, name) for name, _ in attrs)}
        targets = [value for name, value in attrs if name == "href"]
        assert all(target and target.startswith("#") for target in targets)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data


@cache
def ours() -> set[tuple[str, str]]:
    """Elements and attributes that the templates have, so that none else can have come from data."""
    names: set[tuple[str, str]] = set()
    for name in ("shell.html.j2", "page.html.j2", "macros.html.j2"):
        source = resources.files("dehusk.report").joinpath("page", name).read_text("utf-8")
        for tag in re.findall(r"<[a-z][^<>]*>", re.sub(r"\{[%{#].*?[%}#]\}", "", source, flags=re.DOTALL)):
            element = re.match(r"<([a-z0-9]+)", tag)
            assert element
            inside = re.sub(r'"[^"]*"', "", tag[element.end() : -1])
            names |= {(element[1], ""), *((element[1], word) for word in re.findall(r"[a-zA-Z][a-zA-Z0-9-]*", inside))}
    return {(tag.lower(), attribute.lower()) for tag, attribute in names}


def check(audit: Audit, lang: str = "en") -> Page:
    """Assert what holds of every format; returns the page."""
    source = to_html(audit, lang)
    page = Page(source)
    assert page.open == []
    assert page.names <= ours(), page.names - ours()
    assert page.scripts == 1
    assert len(source.encode()) <= MOST_BYTES
    assert not CONTROL.search(page.text.replace("\r", ""))
    printed = {name: formats[name].thing(audit, lang) for name in ("json", "markdown", "github", "sarif", "text")}
    for name in ("json", "sarif"):
        json.loads(printed[name].encode(), parse_constant=refuse)
    assert Audit.from_json(printed["json"]).to_json() == printed["json"]
    check_markdown(printed["markdown"])
    assert all(COMMAND.fullmatch(line) for line in printed["github"].splitlines())
    assert not CONTROL.search(printed["markdown"] + printed["github"])
    console = Console(width=100, force_terminal=False)
    with console.capture() as terminal:
        console.print(printed["text"])
    assert not CONTROL.search(terminal.get())
    return page


def check_markdown(text: str) -> None:
    """Headings, lists, one table and plain lines; every character of data that means something is escaped."""
    bare = re.sub(r"\\.", "", text)
    assert not re.findall(r"<[a-zA-Z/!?].{20}|[`$]|\]\(|://", bare)
    rows = [line for line in bare.splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) <= 1
    assert all(re.match(r"(?:#{2,3} |- |\| |\S)", line) for line in text.splitlines() if line)


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")
