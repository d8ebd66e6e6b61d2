"""The forms of a text that several features read.

A view is called with an expression and gives one. Inside `held` it gives the column that holds the form already
instead, which is how `measuring` computes each form once: Polars itself shares equal sub-expressions only one level
deep (a lower-case text inside a word list is computed again), and an aggregation over lists makes a whole query
run on one core, so those stand behind `map_batches`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from dehusk.text import canonical
from dehusk.text.tokens import characters, hashes

Array = np.ndarray[Any, np.dtype[Any]]

FIRST_HAN, LAST_HAN = 0x3400, 0x9FFF
HAN = "㐀-䶿一-鿿豈-\ufaff"  # a class that Python's re knows too; Polars alone may say \p{Han}
FENCE = r"```(?s:.*?)(?:```|$)"  # a fence that is never closed reaches to the end
TYPE_WINDOW = 100  # words; the share of distinct words falls with length, so it is taken over an equal window

_HELD: ContextVar[frozenset[str]] = ContextVar("held", default=frozenset())


@dataclass(frozen=True)
class View:
    """A named form of a text; `make` builds it from the text."""

    name: str
    make: Callable[[pl.Expr], pl.Expr]

    def __call__(self, text: pl.Expr) -> pl.Expr:
        """The form of `text`: the column that holds it, or the expression that makes it."""
        column = self.column(text)
        return pl.col(column) if column in _HELD.get() else self.make(text)

    def column(self, text: pl.Expr) -> str:
        """Name of the column that holds this form of a column of text."""
        return f"{text.meta.output_name()}/{self.name}"


@contextmanager
def held(columns: frozenset[str]) -> Iterator[None]:
    """Within the block, views refer to these columns instead of computing."""
    token = _HELD.set(columns)
    try:
        yield
    finally:
        _HELD.reset(token)


def raw(response: pl.Expr) -> pl.Expr:
    """The text itself."""
    return response


def _lower(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase()


def _prose(text: pl.Expr) -> pl.Expr:
    return pl.lit("\n") + text.str.replace_all(FENCE, "")


def _words(text: pl.Expr) -> pl.Expr:
    return lower(text).map_batches(_word_counts, pl.Struct(_WORD_COUNTS), is_elementwise=True)


def _spelled(text: pl.Expr) -> pl.Expr:
    return canonical.spelled(lower(text))


def _lines(text: pl.Expr) -> pl.Expr:
    return text.str.split("\n").map_batches(_line_counts, pl.Struct(_LINE_COUNTS), is_elementwise=True)


_COUNT = pl.UInt32()
_WORD_COUNTS = {"total": _COUNT, "han": _COUNT, "types": _COUNT, "distinct_runs": _COUNT}
_LINE_COUNTS = {"total": _COUNT, "distinct": _COUNT, "longest": _COUNT, "characters": _COUNT}


def _word_counts(texts: pl.Series) -> pl.Series:
    """Counts over the words of lower-case texts."""
    none = np.zeros((0, len(_WORD_COUNTS)), dtype=np.int64)
    counts = np.concatenate([none, *(_counts(*hashes(found)) for found in characters(texts))])
    return pl.DataFrame(counts, schema=_WORD_COUNTS).to_struct(texts.name)


def _counts(words: Array, initial: Array, totals: Array) -> Array:
    """Rows of `_WORD_COUNTS`, from the hash and the first character of each word and the words of each text."""
    text = np.repeat(np.arange(totals.size, dtype=np.uint64) << np.uint64(46), totals)  # above 46 bits of a hash
    place = np.arange(words.size) - np.repeat(np.cumsum(totals) - totals, totals)
    runs = words[2:] * 3 + words[1:-1] * 5 + words[:-2] * 7  # wraps; the factors keep the order of the words
    types, runs = text | (words >> np.uint64(18)), text[2:] | (runs >> np.uint64(18))
    counts = [
        totals,
        _a_text((initial >= FIRST_HAN) & (initial <= LAST_HAN), totals),
        _distinct(types[place < TYPE_WINDOW], np.minimum(totals, TYPE_WINDOW)),
        _distinct(runs[place[2:] >= 2], np.maximum(totals - 2, 0)),
    ]
    return np.stack(counts, axis=1)


def _distinct(keys: Array, sizes: Array) -> Array:
    """How many different keys each text has, shape (n,); keys of a text are greater than those of the text before."""
    keys = np.sort(keys)
    new = np.ones(keys.size, dtype=bool)
    new[1:] = keys[1:] != keys[:-1]
    return _a_text(new, sizes)


def _a_text(marks: Array, sizes: Array) -> Array:
    """Sums of the first sizes[0] marks, of the next sizes[1] and so on, shape (n,)."""
    sums, ends = np.concatenate([[0], np.cumsum(marks)]), np.cumsum(sizes)
    counts: Array = sums[ends] - sums[ends - sizes]
    return counts


def _line_counts(lines: pl.Series) -> pl.Series:
    """Counts over lists of lines; blank ones are left out."""
    line = pl.element()
    stripped = lines.list.eval(line.str.strip_chars())
    text = line.filter(line != "")
    length = text.str.len_chars()
    counts = [text.len(), text.n_unique(), length.max().fill_null(0), length.sum()]
    fields = [count.cast(_COUNT).alias(name) for name, count in zip(_LINE_COUNTS, counts, strict=True)]
    return stripped.list.agg(pl.struct(fields))


lower = View("lower", _lower)  # for word lists: four times as fast as a case-blind search
prose = View("prose", _prose)  # without fenced code, where # opens a comment and - subtracts; begins with a newline
word_counts = View("words", _words)  # lower-case words; a Han character or a kana is a word of its own
line_counts = View("lines", _lines)  # lines that are not blank, without the white space around them
spelled = View("spelled", _spelled)  # canonical tokens, for phrases
LAYERS = ((lower, prose), (word_counts, line_counts, spelled))  # a later one may read an earlier one


def word_count(text: pl.Expr) -> pl.Expr:
    """Words of scripts with spaces, plus one a Han character or kana."""
    return word_counts(text).struct.field("total")


def share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """`part / whole`, 0 where there is nothing to share."""
    return part / whole.clip(1)
