"""Edits of layout: the same words in lists, under headings, in bold, and out of them again."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from dehusk.core.kinds import edits
from dehusk.text.edits.places import BULLET, HAN, NUMBER, changed, prose, sentences

_WORD = re.compile(rf"(?<![^\W_])(?:[{HAN}]{{2,4}}|[^\W\d_{HAN}]{{4,20}}(?![^\W_]))")
_ITEM = re.compile(rf"(?m)^(?:[ \t]*(?:{BULLET}|{NUMBER}))+(?=\S)")
_BOLD = re.compile(r"\*{2,}([^*\n]+)\*{2,}")
_HEADINGS = ("Overview", "Details", "Further points")
_HEADINGS_ZH = ("概述", "详情", "补充")


def _listed(response: str, dose: int, marker: Callable[[int], str]) -> str | None:
    """The first `dose` plain sentences as list items, each on a line of its own."""
    found = sentences(response)[:dose]
    if len(found) < dose:
        return None
    changes, before = [], -1
    for place, (start, end, _) in enumerate(found, 1):
        after = end
        while after < len(response) and response[after] in " \t":
            after += 1
        opens_line = start == before or not response[:start].rpartition("\n")[2].strip(" \t")
        closes_line = after == len(response) or response[after] == "\n"
        gap = "" if closes_line else "\n" if place < dose else "\n\n"
        changes.append((start, after, ("" if opens_line else "\n") + marker(place) + response[start:end] + gap))
        before = after
    return changed(response, changes)


@edits.add("bullets", changes="bullets", lang="any", place="throughout", doses=4)
def bullets(_prompt: str, response: str, dose: int) -> str | None:
    """Turns plain sentences into bullet lines."""
    return _listed(response, dose, lambda _: "- ")


@edits.add("numbered", changes="numbered", lang="any", place="throughout", doses=4)
def numbered(_prompt: str, response: str, dose: int) -> str | None:
    """Turns plain sentences into numbered lines."""
    return _listed(response, dose, lambda place: f"{place}. ")


@edits.add("no_list", changes="list", lang="any", place="throughout", doses=1, sign=-1)
def no_list(_prompt: str, response: str, dose: int) -> str | None:
    """Takes the markers off all lists; its sign is turned, so that it says what a list earns."""
    return _without(response, dose, _ITEM, "")


@edits.add("bold", changes="bold", lang="any", place="throughout", doses=4)
def bold(_prompt: str, response: str, dose: int) -> str | None:
    """Puts one word of a sentence in bold, a sentence a dose."""
    words: list[tuple[int, int, str]] = []
    for start, end, _ in sentences(response):
        if len(words) == dose:
            break
        line_end = response.find("\n", end)
        line = response[response.rfind("\n", 0, start) + 1 : line_end if line_end >= 0 else len(response)]
        word = _WORD.search(response, start, end)
        if word and not any(mark in line for mark in "*`$["):
            words.append((*word.span(), f"**{word[0]}**"))
    return changed(response, words) if len(words) == dose else None


@edits.add("no_bold", changes="bold", lang="any", place="throughout", doses=1, sign=-1)
def no_bold(_prompt: str, response: str, dose: int) -> str | None:
    """Takes all text out of bold; its sign is turned, so that it says what bold earns."""
    return _without(response, dose, _BOLD, r"\1")


@edits.add("headers", changes="headers", lang="en", place="throughout", doses=len(_HEADINGS))
def headers(_prompt: str, response: str, dose: int) -> str | None:
    """Puts Markdown headings over plain paragraphs."""
    return _headed(response, _HEADINGS[:dose])


@edits.add("headers_zh", changes="headers", lang="zh", place="throughout", doses=len(_HEADINGS_ZH))
def headers_zh(_prompt: str, response: str, dose: int) -> str | None:
    """Puts Markdown headings in Chinese over plain paragraphs."""
    return _headed(response, _HEADINGS_ZH[:dose])


def _headed(response: str, titles: Sequence[str]) -> str | None:
    first = (sentence.start for sentence in sentences(response))
    lines = ((response.rfind("\n", 0, start) + 1, start) for start in first)
    starts = [at for at, start in lines if _is_blank(response[at:start]) and _opens_paragraph(response[:at])]
    if len(starts) < len(titles):
        return None
    return changed(response, [(at, at, f"## {title}\n\n") for at, title in zip(starts, titles, strict=False)])


def _opens_paragraph(before: str) -> bool:
    return before.endswith("\n\n") or _is_blank(before)


def _is_blank(text: str) -> bool:
    return not text.strip(" \t\r\n")


def _without(response: str, dose: int, what: re.Pattern[str], left: str) -> str | None:
    """The text with every match outside code replaced; None without a match."""
    if not dose:
        return response
    found = [match for start, end in prose(response) for match in what.finditer(response, start, end)]
    return changed(response, [(*match.span(), match.expand(left)) for match in found]) if found else None
