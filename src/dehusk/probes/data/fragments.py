"""Fragments of words: the runs of characters that many words share, such as endings, and pieces of markup.

They let words that are too rare to count for themselves count together, and tell apart what differs inside words:
`·ing` is the end of a word, `un·` a beginning, `·atio·` an inside; `·` stands for the rest of the word.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from dehusk.core.tables import Ints

_SIZES = (3, 4, 5)  # characters, the edge of the word being one
_MOST_WORDS, _LONGEST = 30_000, 30  # what is rarer or longer adds to no fragment that is worth counting
_OWN = 0.8  # a fragment that owes more than this to one word is that word
_CELLS = 500_000  # (answer, word) cells worked on at once


def fragments(rows: Ints, columns: Ints, words: list[str], *, most: int) -> tuple[Ints, Ints, list[str]]:
    """Find the most widespread fragments, and the answers that hold them.

    Args:
        rows: Answer of each (answer, word) that occurs, each once, shape (z,).
        columns: Number of the word, shape (z,).
        words: Words by number, lower case.
        most: Fragments kept, by the sum of the answers that hold their words.

    Returns:
        Answer and number of the fragment, each once and in order, shape (y,) both; the fragments as they are shown.
    """
    links = _links(np.bincount(columns, minlength=len(words)), words)
    names = _chosen(links, most)
    links = links.join(names, on="fragment").sort("word")
    word, fragment = links.select(pl.col("word", "number").cast(pl.Int64)).to_numpy().T
    start = np.searchsorted(word, np.arange(len(words) + 1))
    holds = np.zeros((int(rows.max(initial=-1)) + 1, names.height), dtype=bool)
    for low in range(0, len(rows), _CELLS):
        first, last = start[columns[low : low + _CELLS]], start[columns[low : low + _CELLS] + 1]
        holds[np.repeat(rows[low : low + _CELLS], last - first), fragment[_ranges(first, last)]] = True
    held = np.nonzero(holds)
    return held[0], held[1], names["shown"].to_list()


def _links(spread: np.ndarray[Any, np.dtype[np.int64]], words: list[str]) -> pl.DataFrame:
    """One line a word and fragment of it: word (its number), spread (answers that hold the word), fragment."""
    known = (
        pl.DataFrame({"text": words, "spread": spread})
        .with_row_index("word")
        .filter(pl.col("text").str.len_chars().is_between(2, _LONGEST) & ~pl.col("text").str.starts_with("\n"))
        .sort("spread", "text", descending=[True, False])
        .head(_MOST_WORDS)
        .with_columns(whole="⊢" + pl.col("text") + "⊣")
        .with_columns(room=pl.col("whole").str.len_chars().cast(pl.Int64))
    )
    parts = [
        known.filter(pl.col("room") > size)  # a fragment is never the whole word
        .with_columns(at=pl.int_ranges(0, pl.col("room") - size + 1))
        .explode("at")
        .select("word", "spread", fragment=pl.col("whole").str.slice(pl.col("at"), size))
        for size in _SIZES
    ]
    return pl.concat(parts).unique()


def _chosen(links: pl.DataFrame, most: int) -> pl.DataFrame:
    """The fragments to count: columns fragment, number 0 … and shown.

    Of those in the very same words the longest stays, an ending or a beginning rather than an inside.
    """
    total, largest = pl.col("spread").sum(), pl.col("spread").max()
    length, at_edge = pl.col("fragment").str.len_chars(), pl.col("fragment").str.contains("[⊢⊣]")
    return (
        links.group_by("fragment")
        .agg(total=total, own=largest / total, words=pl.col("word").hash(0).sum())
        .filter(pl.col("own") < _OWN)
        .sort(length, at_edge, "fragment", descending=[True, True, False])
        .unique("words", keep="first", maintain_order=True)
        .sort("total", "fragment", descending=[True, False])
        .head(most)
        .with_row_index("number")
        .select("fragment", "number", shown=_shown(pl.col("fragment")))
    )


def _shown(fragment: pl.Expr) -> pl.Expr:
    inside = pl.lit("·") + fragment + pl.lit("·")
    return inside.str.strip_prefix("·⊢").str.strip_suffix("⊣·")


def _ranges(first: Ints, last: Ints) -> Ints:
    """The numbers first[0] … last[0]−1, first[1] … last[1]−1 and so on, one after the other."""
    sizes = last - first
    before = np.cumsum(sizes) - sizes
    numbers: Ints = np.arange(int(sizes.sum())) + np.repeat(first - before, sizes)
    return numbers
