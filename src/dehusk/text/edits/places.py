"""Where a text can be edited without breaking it: plain sentences outside code, the two ends, the middle.

A line that Markdown gives a meaning (heading, list item, quotation, table row, rule) is not plain, and code is left
alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from unicodedata import east_asian_width

FENCE = re.compile(r"```.*?(?:```|\Z)", re.S)  # a fence that is never closed reaches to the end
HAN = "㐀-䶿一-鿿豈-\ufaff"
BULLET = r"[-*+•‣◦▪●·][ \t]+"
NUMBER = (
    rf"(?:[0-9]{{1,3}}[.)][ \t]+|[0-9]{{1,3}}(?:[、．]|\.(?=[{HAN}]))|[（(][0-9]{{1,2}}[）)][ \t]*"
    r"|[一二三四五六七八九十]{1,3}、|[①-⑳][ \t]*)"
)
_MARKED = re.compile(rf"[ \t]*(?:{BULLET}|{NUMBER}|#{{1,6}}[ \t]|[>|]|(?:-{{3,}}|\*{{3,}}|_{{3,}})[ \t\r]*(?:\n|\Z))")
_LINE = re.compile(r"[^\n]+")
# "1. " and "3.5" end no sentence, "in 2020." does
_END = re.compile(r"(?<=[^\s0-9.!?])[.!?]+[\"'”’)\]*_]*(?=\s|$)|(?<=[0-9]{3})\.(?=\s|$)|[。！？]+[”’」』）)]*")


class Sentence(NamedTuple):
    """A half-open range of characters without the white space around it; `closed` if it ends in a mark."""

    start: int
    end: int
    closed: bool


def prose(text: str) -> Iterator[tuple[int, int]]:
    """Half-open ranges of the text that are not fenced code."""
    at = 0
    for fence in FENCE.finditer(text):
        yield at, fence.start()
        at = fence.end()
    yield at, len(text)


def sentences(text: str) -> list[Sentence]:
    r"""The plain sentences of a text, in order.

    >>> [text[s.start : s.end] for text in ["# Tea\nBoil it. Wait\n- 3.5 g"] for s in sentences(text)]
    ['Boil it.', 'Wait']
    """
    return [
        sentence
        for start, stop in prose(text)
        for line in _LINE.finditer(text, start, stop)
        if not _MARKED.match(text, text.rfind("\n", 0, line.start()) + 1)
        for sentence in _of_line(text, *line.span())
    ]


def _of_line(text: str, start: int, stop: int) -> Iterator[Sentence]:
    ends = [match.end() for match in _END.finditer(text, start, stop)]
    for place, end in enumerate([*ends, stop]):
        body = text[start:end]
        if body.strip() and not _MARKED.match(body):  # what would be a list item if a line began there is none
            first = start + len(body) - len(body.lstrip())
            yield Sentence(first, start + len(body.rstrip()), place < len(ends))
        start = end


def in_code(text: str) -> bool:
    """Whether a text ends inside a fence that was never closed."""
    return any(len(fence[0]) < 6 or not fence[0].endswith("```") for fence in FENCE.finditer(text))


def changed(text: str, changes: Iterable[tuple[int, int, str]]) -> str:
    """The text with each range, given in order and apart from one another, replaced."""
    parts, at = [], 0
    for start, end, new in changes:
        parts += [text[at:start], new]
        at = end
    return "".join([*parts, text[at:]])


def joined(left: str, right: str) -> str:
    """Two pieces of running text as one: a space between words, none next to white space or between wide characters.

    >>> joined("Yes.", "Go on."), joined("好。", "继续。"), joined("", "Yes.")
    ('Yes. Go on.', '好。继续。', 'Yes.')
    """
    if not left or not right or left[-1].isspace() or right[0].isspace():
        return left + right
    wide = east_asian_width(left[-1]) in "WF" and east_asian_width(right[0]) in "WF"
    return left + ("" if wide else " ") + right


def prepended(text: str, addition: str) -> str:
    """The text with something in front of it, in its first paragraph if that is plain."""
    plain = not _MARKED.match(text.partition("\n")[0]) and not text.lstrip().startswith("```")
    return joined(addition, text) if plain else f"{addition}\n\n{text}"


def appended(text: str, addition: str) -> str | None:
    """The text with something after it, in its last paragraph if that is plain; None inside unfinished code."""
    if in_code(text):
        return None
    body = text.rstrip()
    last = body.rpartition("\n")[2]
    plain = not _MARKED.match(last) and not last.endswith("```")
    return joined(text, addition) if plain or not body else f"{body}\n\n{addition}"


def inserted(text: str, addition: str) -> str | None:
    """The text with something between two of its sentences, as near its middle as there are sentences."""
    ends = [sentence.end for sentence in sentences(text) if sentence.closed and text[sentence.end :].strip()]
    if not ends:
        return None
    at = min(ends, key=lambda end: abs(2 * end - len(text)))
    return joined(joined(text[:at], addition), text[at:])


PLACES: Mapping[str, Callable[[str, str], str | None]] = {"start": prepended, "middle": inserted, "end": appended}


def added(text: str, additions: Sequence[str], place: str) -> str | None:
    """The text with sentences at its "start", "middle" or "end"; unchanged without any."""
    if not additions:
        return text
    whole = ""
    for addition in additions:
        whole = joined(whole, addition)
    return PLACES[place](text, whole)
