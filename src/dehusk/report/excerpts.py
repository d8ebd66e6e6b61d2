"""Evidence as it is shown: a text cut to what fits, split where its spans begin and end."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dehusk.core.findings import Evidence

_FIELDS = ("prompt", "response", "chosen", "rejected")  # the order they are read in
_HAN = re.compile("[\u3400-\u9fff]")
_KANA_OR_HANGUL = re.compile("[\u3040-\u30ff\uac00-\ud7af]")


@dataclass(frozen=True)
class Segment:
    """A stretch of text, highlighted or not."""

    text: str
    marked: bool


@dataclass(frozen=True)
class Excerpt:
    """One field of a piece of evidence; `tongue` is a language tag for the reader's fonts, empty when unknown."""

    name: str
    tongue: str
    segments: tuple[Segment, ...]


def excerpts(evidence: Evidence, longest: int) -> tuple[Excerpt, ...]:
    """The fields of a piece of evidence, each cut to `longest` characters around its first highlight."""
    names = sorted(evidence.fields, key=lambda name: _FIELDS.index(name) if name in _FIELDS else len(_FIELDS))
    return tuple(
        Excerpt(
            name,
            tongue(evidence.fields[name]),
            segments(evidence.fields[name], evidence.spans.get(name, ()), longest),
        )
        for name in names
    )


def tongue(text: str) -> str:
    """Language tag for the fonts of a text: Chinese when it has Han characters and no kana or Hangul.

    >>> tongue("一句狠但真实的话"), tongue("plain")
    ('zh-Hans', '')
    """
    return "zh-Hans" if _HAN.search(text) and not _KANA_OR_HANGUL.search(text) else ""


def segments(text: str, spans: Iterable[tuple[int, int]], longest: int) -> tuple[Segment, ...]:
    """Split a text at its spans and cut it to about `longest` characters around the first span.

    Spans are half-open ranges of characters; they may overlap, be out of order or reach outside the text.

    >>> [(part.text, part.marked) for part in segments("say it's essential to rest", [(4, 21)], 99)]
    [('say ', False), ("it's essential to", True), (' rest', False)]
    """
    merged = _merged(spans, 0, len(text))
    start = max(0, merged[0][0] - longest // 3) if merged else 0
    start = max(0, min(start, len(text) - longest))
    stop = min(len(text), start + longest)
    parts = [Segment("…", False)] if start else []
    place = start
    for low, high in _merged(merged, start, stop):
        parts += [Segment(text[place:low], False), Segment(text[low:high], True)]
        place = high
    parts.append(Segment(text[place:stop], False))
    if stop < len(text):
        parts.append(Segment("…", False))
    return tuple(part for part in parts if part.text)


def _merged(spans: Iterable[tuple[int, int]], start: int, stop: int) -> list[tuple[int, int]]:
    """Spans in order inside [start, stop), those that touch joined."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted((max(start, low), min(stop, high)) for low, high in spans):
        if low >= high:
            continue
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged
