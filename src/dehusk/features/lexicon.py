"""Word lists, and the spans of text that a feature counts."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, reduce
from importlib import resources
from operator import add, or_

import polars as pl

from dehusk.features.views import FENCE, lower, prose

LINE = "(?m:^)"
OPENING = r"\A[\s#*>\"“「]*"  # markup and quotes that may stand before the first word


@dataclass(frozen=True)
class Spans:
    """Spans of text that count, as one regular expression: Polars counts them, the report highlights them.

    `pattern` keeps to what Rust and Python both understand: no look-around, no capturing groups, `LINE` for the
    start of a line. On the `lower` view it is written in lower case. `zh` holds the Chinese alternatives, if any:
    two searches run four times as fast as one for both scripts. A pattern of `LINE` starts at the start of a line;
    in `prose`, which begins with a newline, that is a search for a newline, seven times as fast.
    """

    pattern: str
    view: Callable[[pl.Expr], pl.Expr] = lower
    zh: str | None = None

    @property
    def highlight(self) -> str:
        """The pattern for raw text; where it has a group, the group is the span (code before it is skipped)."""
        whole = "|".join(self.patterns)
        if self.view is prose:
            return f"{FENCE}|({whole})"
        return f"(?i){whole}" if self.view is lower else whole

    def count(self, response: pl.Expr) -> pl.Expr:
        """How many spans a text has."""
        text = self.view(response).str
        return reduce(add, (text.count_matches(search) for search in self._searches))

    def present(self, response: pl.Expr) -> pl.Expr:
        """Whether a text has any."""
        text = self.view(response).str
        return reduce(or_, (text.contains(search) for search in self._searches))

    @property
    def patterns(self) -> tuple[str, ...]:
        """The expressions searched for, one a script."""
        return (self.pattern,) if self.zh is None else (self.pattern, self.zh)

    @property
    def _searches(self) -> list[str]:
        if self.view is not prose:
            return list(self.patterns)
        return [re.sub(f"^{re.escape(LINE)}", r"\\n", pattern) for pattern in self.patterns]


def listed(name: str, lang: str | None = None) -> Spans:
    r"""Spans of the word list `name`, in both languages or in one.

    >>> listed("closer_let_me_know", "en").highlight
    '(?i)\\b(?:let me know)\\b'
    """
    if lang is None:
        return Spans(_alternation(name, "en"), zh=_alternation(name, "zh"))
    return Spans(_alternation(name, lang))


def opening(name: str, lang: str | None = None) -> Spans:
    """The word list `name` at the very start of a text; markup and quotes before it are allowed."""
    anywhere = listed(name, lang)
    return Spans(rf"{OPENING}(?:{'|'.join(anywhere.patterns)})")


def _alternation(name: str, lang: str) -> str:
    """One expression for a whole list: English items as whole words, Chinese ones anywhere."""
    # longest first, so that a highlight covers the whole phrase
    items = sorted(_lists(lang)[name], key=len, reverse=True)
    return "|".join(items if lang == "zh" else _whole_words(items))


def _whole_words(items: list[str]) -> list[str]:
    spelled = [re.escape(item).replace("'", "['’]").replace(r"\ ", " ").replace(r"\*", "[a-z]*") for item in items]
    closed = "|".join(item for item in spelled if item[-1] not in ",:")
    punctuated = [rf"\b{item}" for item in spelled if item[-1] in ",:"]  # no word ends after a comma
    return [rf"\b(?:{closed})\b", *punctuated] if closed else punctuated


@cache
def _lists(lang: str) -> dict[str, list[str]]:
    text = resources.files("dehusk.features").joinpath("words", f"{lang}.toml").read_text("utf-8")
    return tomllib.loads(text)
