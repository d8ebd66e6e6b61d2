"""Edits of the surface: marks, capitals, emoji, white space, and words that mean the same."""

from __future__ import annotations

import re

from dehusk.core.kinds import edits
from dehusk.text.edits.places import appended, changed, prose, sentences

_EMOJI = "😊👍✨🎉"
_SYNONYMS = {
    "en": (
        *(("for example", "for instance"), ("begin", "start"), ("each", "every"), ("need to", "have to")),
        *(("help", "assist"), ("many", "numerous"), ("big", "large"), ("may", "might"), ("until", "till")),
        *(("provide", "supply"), ("use", "employ"), ("show", "display"), ("choose", "select"), ("allow", "permit")),
        *(("improve", "enhance"), ("include", "contain"), ("whole", "entire"), ("method", "technique")),
        *(("create", "produce"), ("get", "obtain"), ("try", "attempt"), ("enough", "sufficient"), ("main", "primary")),
        *(("however", "nevertheless"), ("quickly", "rapidly"), ("build", "construct"), ("buy", "purchase")),
    ),
    "zh": (
        *(("但是", "不过"), ("因为", "由于"), ("如果", "假如"), ("例如", "比如"), ("并且", "而且"), ("帮助", "协助")),
        *(("使用", "运用"), ("非常", "十分"), ("能够", "可以"), ("以及", "还有"), ("方法", "办法"), ("提高", "提升")),
        *(("选择", "挑选"), ("经常", "常常"), ("立即", "马上"), ("或者", "或是"), ("得到", "获得"), ("许多", "很多")),
    ),
}
_OTHER = {lang: {**dict(pairs), **{b: a for a, b in pairs}} for lang, pairs in _SYNONYMS.items()}
_GAP = re.compile(r"\n{2,}(?=\S)")
_ANY = {"en": re.compile(rf"(?i)\b(?:{'|'.join(_OTHER['en'])})\b"), "zh": re.compile("|".join(_OTHER["zh"]))}


@edits.add("exclamations", changes="exclamations", lang="any", place="throughout", doses=4, content_free=True)
def exclamations(_prompt: str, response: str, dose: int) -> str | None:
    """Turns full stops into exclamation marks."""
    stops = [
        (end - 1, end, "!" if response[end - 1] == "." else "！")
        for start, end, closed in sentences(response)
        if closed and response[end - 1] in ".。" and response[start : end - 1][-1:] not in (".", "。")
    ]
    return changed(response, stops[:dose]) if len(stops) >= dose else None


@edits.add("emoji", changes="emoji", lang="any", place="end", doses=len(_EMOJI), content_free=True)
def emoji(_prompt: str, response: str, dose: int) -> str | None:
    """Adds emoji at the end."""
    return appended(response, _EMOJI[:dose]) if dose else response


@edits.add("capitals", changes=None, lang="any", place="throughout", doses=4, content_free=True)
def capitals(_prompt: str, response: str, dose: int) -> str | None:
    """Puts whole sentences in capitals."""
    found = [
        (start, end, response[start:end].upper())
        for start, end, _ in sentences(response)
        if response[start:end] != response[start:end].upper()
    ]
    return changed(response, found[:dose]) if len(found) >= dose else None


@edits.add("blank_lines", changes=None, lang="any", place="throughout", doses=4, content_free=True)
def blank_lines(_prompt: str, response: str, dose: int) -> str | None:
    """Adds blank lines between paragraphs."""
    if not dose:
        return response
    gaps = [gap.end() for start, end in prose(response) for gap in _GAP.finditer(response, start, end)]
    return changed(response, [(at, at, "\n" * dose) for at in gaps]) if gaps else None


@edits.add("reword", changes=None, lang="en", place="throughout", doses=4, control=True)
def reword(_prompt: str, response: str, dose: int) -> str | None:
    """Swaps words for others that mean the same, in both directions: a control that should earn nothing."""
    return _reworded(response, dose, "en")


@edits.add("reword_zh", changes=None, lang="zh", place="throughout", doses=4, control=True)
def reword_zh(_prompt: str, response: str, dose: int) -> str | None:
    """Swaps Chinese words for others that mean the same, in both directions: a control that should earn nothing."""
    return _reworded(response, dose, "zh")


def _reworded(response: str, dose: int, lang: str) -> str | None:
    words = [word for start, end in prose(response) for word in _ANY[lang].finditer(response, start, end)]
    swaps = []
    for word in words[:dose]:
        other = _OTHER[lang][word[0].casefold()]
        swaps.append((*word.span(), other.capitalize() if word[0][0].isupper() else other))
    return changed(response, swaps) if len(words) >= dose else None
