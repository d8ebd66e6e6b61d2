"""Layout: what Markdown and typography make of the text.

Fenced code is left out, where `#` and `-` mean something else, except by the features about code and about lines.
"""

from __future__ import annotations

import polars as pl

from dehusk.core.kinds import feature_functions as features
from dehusk.features.lexicon import LINE, Spans
from dehusk.features.views import FENCE, HAN, line_counts, prose, raw, share

_START, _END = rf"{LINE}[ \t]*", r"[ \t\r]*(?m:$)"
_BULLET = r"[-*+•‣◦▪●·][ \t]+"
_NUMBER = (
    rf"(?:[0-9]{{1,3}}[.)][ \t]+|[0-9]{{1,3}}(?:[、．]|\.[{HAN}])|[（(][0-9]{{1,2}}[）)][ \t]*"
    r"|[一二三四五六七八九十]{1,3}、|[①-⑳][ \t]*)"
)
_PICTURE = "[\U0001f300-\U0001faff☀-➿⭐⭕⌚⌛⏩-⏳〽]"

BULLETS = Spans(rf"{_START}{_BULLET}\S", prose)
NUMBERED = Spans(rf"{_START}{_NUMBER}\S", prose)
LIST = Spans(rf"{_START}(?:{_BULLET}|{_NUMBER})\S", prose)
HEADERS = Spans(rf"{LINE} {{0,3}}#{{1,6}}[ \t]+[^\s][^\n]*", prose)
BOLD = Spans(r"\*\*[^*\n]+\*\*", prose)
BOLD_LABELS = Spans(r"\*\*[^*\n]{1,60}(?:[:：]\*\*|\*\*[ ]?[:：])", prose)
INLINE_CODE = Spans(r"`[^`\n]+`", prose)
TABLE_ROWS = Spans(rf"{_START}\|[^\n]*\|{_END}", prose)
RULES = Spans(rf"{_START}(?:-{{3,}}|\*{{3,}}|_{{3,}}){_END}", prose)
QUOTES = Spans(rf"{LINE} {{0,3}}>[ \t]?\S", prose)
CODE_BLOCKS = Spans(FENCE, raw)
LINKS = Spans(r"\[[^\]\n]*\]\([^)\s]+\)|https?://[^\s<>()\]]+", raw)
EMOJI = Spans(f"[\U0001f1e6-\U0001f1ff]{{2}}|{_PICTURE}(?:[\ufe0f\U0001f3fb-\U0001f3ff]|\u200d{_PICTURE})*", raw)
LATEX = Spans(
    r"\$\$[^$]+\$\$|\$\\[a-zA-Z]+[^$\n]*\$|\$[^\s$][^$\n]*[\\^_=][^$\n]*[^\s$]\$"
    r"|\\\((?s:.*?)\\\)|\\\[(?s:.*?)\\\]|\\begin\{[a-z*]+\}",
    raw,
)


@features.add("list", unit="presence", family="layout", highlight=LIST.highlight)
def any_list(response: pl.Expr) -> pl.Expr:
    """Has a Markdown list: at least one bullet or numbered line."""
    return LIST.present(response)


@features.add("bullets", unit="lines", family="layout", highlight=BULLETS.highlight)
def bullets(response: pl.Expr) -> pl.Expr:
    """Lines that begin with a bullet (-, *, +, •), outside code."""
    return BULLETS.count(response)


@features.add("numbered", unit="lines", family="layout", highlight=NUMBERED.highlight)
def numbered(response: pl.Expr) -> pl.Expr:
    """Lines that begin with a number (1. 2) 一、 ①), outside code."""
    return NUMBERED.count(response)


@features.add("headers", unit="lines", family="layout", highlight=HEADERS.highlight)
def headers(response: pl.Expr) -> pl.Expr:
    """Markdown headings (#, ##, …), outside code."""
    return HEADERS.count(response)


@features.add("bold", unit="spans", family="layout", highlight=BOLD.highlight)
def bold(response: pl.Expr) -> pl.Expr:
    """Spans in **bold**, outside code."""
    return BOLD.count(response)


@features.add("bold_labels", unit="spans", family="layout", highlight=BOLD_LABELS.highlight)
def bold_labels(response: pl.Expr) -> pl.Expr:
    """Bold labels with a colon, as in "**Cost:** low"."""
    return BOLD_LABELS.count(response)


@features.add("inline_code", unit="spans", family="layout", highlight=INLINE_CODE.highlight)
def inline_code(response: pl.Expr) -> pl.Expr:
    """Spans between single backticks."""
    return INLINE_CODE.count(response)


@features.add("code_blocks", unit="blocks", family="layout", highlight=CODE_BLOCKS.highlight)
def code_blocks(response: pl.Expr) -> pl.Expr:
    """Fenced code blocks; one that is never closed counts too."""
    return CODE_BLOCKS.count(response)


@features.add("table_rows", unit="lines", family="layout", highlight=TABLE_ROWS.highlight)
def table_rows(response: pl.Expr) -> pl.Expr:
    """Lines of Markdown tables, the separator line included."""
    return TABLE_ROWS.count(response)


@features.add("rules", unit="lines", family="layout", highlight=RULES.highlight)
def rules(response: pl.Expr) -> pl.Expr:
    """Horizontal rules (---, ***), outside code."""
    return RULES.count(response)


@features.add("quote_lines", unit="lines", family="layout", highlight=QUOTES.highlight)
def quote_lines(response: pl.Expr) -> pl.Expr:
    """Lines set off as a quotation with >."""
    return QUOTES.count(response)


@features.add("links", unit="links", family="layout", highlight=LINKS.highlight)
def links(response: pl.Expr) -> pl.Expr:
    """Web addresses and Markdown links; an address inside a link counts once."""
    return LINKS.count(response)


@features.add("emoji", unit="emoji", family="layout", highlight=EMOJI.highlight)
def emoji(response: pl.Expr) -> pl.Expr:
    """Emoji and pictograms; a family joined from several counts once."""
    return EMOJI.count(response)


@features.add("latex", unit="formulas", family="layout", highlight=LATEX.highlight)
def latex(response: pl.Expr) -> pl.Expr:
    """LaTeX formulas; prices such as $5 and $10 do not count."""
    return LATEX.count(response)


@features.add("line_length", unit="characters", family="layout")
def line_length(response: pl.Expr) -> pl.Expr:
    """Characters a line, on average; blank lines and indents left out."""
    counts = line_counts(response).struct
    return share(counts.field("characters"), counts.field("total"))


@features.add("longest_line", unit="characters", family="layout")
def longest_line(response: pl.Expr) -> pl.Expr:
    """Characters of the longest line, without the white space around it."""
    return line_counts(response).struct.field("longest")
