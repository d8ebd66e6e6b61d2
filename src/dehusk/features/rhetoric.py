"""Rhetoric: figures and typography that give a style away."""

from __future__ import annotations

import polars as pl

from dehusk.core.kinds import feature_functions as features
from dehusk.features.lexicon import Spans
from dehusk.features.views import HAN, prose, raw

_CLAUSE = r"[^.!?;:\n,]"
_GAP_ZH = r"[^。！？；\n]"
NOT_BUT = Spans(
    rf"\bnot {_CLAUSE}{{1,60}}, ?but\b|\bnot (?:just|only|merely|simply) {_CLAUSE}{{1,60}} but\b"
    r"|\b(?:it|this|that)(?:['’]s| is) not (?:just |only |merely |simply |about )?[^.!?\n]{1,60}"
    r"[,;.—–-] ?—? ?(?:it|this|that)(?:['’]s| is)\b"
    r"|\b(?:it|this|that) isn['’]t (?:just |only |merely |simply |about )?[^.!?\n]{1,60}"
    r"[,;.—–-] ?—? ?(?:it|this|that)(?:['’]s| is)\b"
)
NOT_BUT_ZH = Spans(
    rf"(?:不是|并非|并不是){_GAP_ZH}{{1,40}}而是|不在于{_GAP_ZH}{{1,40}}而在于|不仅仅是{_GAP_ZH}{{1,40}}(?:更是|而是)"
)
THREE_PARTS = Spans(r"[a-z]+, [a-z]+,? (?:and|or) [a-z]+", zh=rf"、[{HAN}]{{1,6}}(?:、|和|与|以及|及)[{HAN}]{{1,6}}")
ANSWERED = Spans(r"\?[)*]* +[a-z\"“*]", zh=rf"？[）*]*[{HAN}a-z]")
EM_DASHES = Spans("—+", raw)
ELLIPSES = Spans(r"…+|\.{3,}", prose)
CURLY_QUOTES = Spans("[“”]", raw)
CURLY_APOSTROPHES = Spans("[a-z]’[a-z]")
FULL_WIDTH = Spans(r"[a-z][，。！？；：、] ?[a-z]+ [a-z]")
QUOTED_WORDS = Spans(r"[\"“][a-z]+[\"”]", zh=rf"[“「『\"][{HAN}]{{1,4}}[”」』\"]")
ASIDES = Spans(r"\([^()\n]+\)|（[^（）\n]+）", prose)


@features.add("not_but", unit="phrases", family="rhetoric", lang="en", highlight=NOT_BUT.highlight)
def not_but(response: pl.Expr) -> pl.Expr:
    """Contrast by denial: "not X, but Y", "it's not X, it's Y".

    "Not only … but also" counts: it is the same figure, and the one users complain about.
    """
    return NOT_BUT.count(response)


@features.add("not_but_zh", unit="phrases", family="rhetoric", lang="zh", highlight=NOT_BUT_ZH.highlight)
def not_but_zh(response: pl.Expr) -> pl.Expr:
    """Contrast by denial in Chinese: 不是…而是, 不在于…而在于."""
    return NOT_BUT_ZH.count(response)


@features.add("three_parts", unit="phrases", family="rhetoric", highlight=THREE_PARTS.highlight)
def three_parts(response: pl.Expr) -> pl.Expr:
    """Rule of three: "clear, concise, and kind", 高效、安全和可靠.

    A longer enumeration counts too, once.
    """
    return THREE_PARTS.count(response)


@features.add("answered_questions", unit="marks", family="rhetoric", highlight=ANSWERED.highlight)
def answered_questions(response: pl.Expr) -> pl.Expr:
    """Rhetorical questions: the text goes on in the same paragraph, outside quotations."""
    return ANSWERED.count(response)


@features.add("em_dashes", unit="marks", family="rhetoric", highlight=EM_DASHES.highlight)
def em_dashes(response: pl.Expr) -> pl.Expr:
    """Em-dashes (—); the Chinese double dash (——) counts once."""
    return EM_DASHES.count(response)


@features.add("ellipses", unit="marks", family="rhetoric", highlight=ELLIPSES.highlight)
def ellipses(response: pl.Expr) -> pl.Expr:
    """Ellipses: … or three dots, outside code."""
    return ELLIPSES.count(response)


@features.add("curly_quotes", unit="marks", family="rhetoric", highlight=CURLY_QUOTES.highlight)
def curly_quotes(response: pl.Expr) -> pl.Expr:
    """Curly double quotation marks; in Chinese they are the ordinary ones."""
    return CURLY_QUOTES.count(response)


@features.add("curly_apostrophes", unit="marks", family="rhetoric", lang="en", highlight=CURLY_APOSTROPHES.highlight)
def curly_apostrophes(response: pl.Expr) -> pl.Expr:
    """Curly apostrophes inside words (it’s instead of it's)."""
    return CURLY_APOSTROPHES.count(response)


@features.add("full_width_marks", unit="marks", family="rhetoric", highlight=FULL_WIDTH.highlight)
def full_width_marks(response: pl.Expr) -> pl.Expr:
    """Full-width punctuation inside Latin text (so good，and yet)."""
    return FULL_WIDTH.count(response)


@features.add("quoted_words", unit="quotes", family="rhetoric", highlight=QUOTED_WORDS.highlight)
def quoted_words(response: pl.Expr) -> pl.Expr:
    """Quotation marks around a single word: the "right" way, “内卷”."""
    return QUOTED_WORDS.count(response)


@features.add("asides", unit="spans", family="rhetoric", highlight=ASIDES.highlight)
def asides(response: pl.Expr) -> pl.Expr:
    """Asides in round brackets, outside code."""
    return ASIDES.count(response)
