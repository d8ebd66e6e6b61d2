"""Bags of terms: what a reader who does not read would see of an answer.

Terms are single tokens and neighbouring pairs: words where words are separated by spaces, single characters in Chinese,
Japanese and Thai, runs of punctuation and line breaks everywhere. `⊢` and `⊣` stand for the start and the end of an
answer, `⏎` for line breaks, so that openings, endings and markup can be told apart too. Where words are separated by
spaces, runs of three to five characters that many words share are terms as well (see `fragments`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from dehusk.core.tables import Floats, Ints
from dehusk.probes.data.fragments import fragments
from dehusk.text.canonical import is_cjk
from dehusk.text.tokens import CJK

Array = np.ndarray[Any, np.dtype[Any]]

_UNSPACED = rf"{CJK}\p{{Thai}}"
TOKEN = (
    rf"⊢|⊣|\n+|[{_UNSPACED}]"
    rf"|[[\p{{L}}\p{{M}}\p{{N}}]--[{_UNSPACED}]]+(?:['’][\p{{L}}--[{_UNSPACED}]]+)?"
    r"|[^\s\p{L}\p{M}\p{N}⊢⊣]{1,4}"
)
_FRAGMENTS = 1 / 8  # of the vocabulary; more predict no better on the files tried
_WEIGHT = 0.5  # of a fragment beside a word: they overlap, and would crowd out the words that can be read
_HEAD, _TAIL = 8_000, 2_000  # characters kept of a longer answer: its style shows before its end, and in its ending


@dataclass(frozen=True)
class Bags:
    """Presence of v terms in both answers of n pairs; answers are rows 0 … n−1 (chosen) and n … 2n−1 (rejected)."""

    terms: tuple[str, ...]
    pairs: int
    rows: Ints  # row of each presence, shape (z,)
    columns: Ints  # term of each presence, shape (z,)
    weights: Floats  # of each term, shape (v,)

    @cached_property
    def values(self) -> Floats:
        """Weight of each presence, shape (z,): the terms of one answer form a vector of length 1."""
        weights = self.weights[self.columns]
        sizes = np.bincount(self.rows, weights**2, 2 * self.pairs)
        values: Floats = weights / np.sqrt(sizes[self.rows])
        return values

    def differences(self) -> Array:
        """Chosen − rejected, shape (n, v), float32."""
        matrix = np.zeros((self.pairs, len(self.terms)), dtype=np.float32)
        chosen = self.rows < self.pairs
        matrix[self.rows[chosen], self.columns[chosen]] = self.values[chosen]
        matrix[self.rows[~chosen] - self.pairs, self.columns[~chosen]] -= self.values[~chosen].astype(np.float32)
        return matrix

    def scores(self, weights: Array) -> Floats:
        """Score of every answer under weights of the terms, shape (2n,)."""
        return np.bincount(self.rows, self.values * weights[self.columns], 2 * self.pairs).astype(np.float64)

    def rates(self) -> Floats:
        """Share of chosen and of rejected answers that hold each term, shape (2, v)."""
        side = (self.rows >= self.pairs).astype(np.int64)
        counts = np.bincount(side * len(self.terms) + self.columns, minlength=2 * len(self.terms))
        rates: Floats = counts.reshape(2, -1) / max(self.pairs, 1)
        return rates


def bags(chosen: pl.Series, rejected: pl.Series, *, vocabulary: int = 8_000, least: int = 5) -> Bags:
    """Count which of the most widespread terms stand in each answer, letter case aside.

    Args:
        chosen: Texts, n of them.
        rejected: Texts, n of them.
        vocabulary: Terms kept, by the number of answers that hold them (never by the label).
        least: Answers that must hold a term.
    """
    tokens, answers, words = _tokens(pl.concat([chosen.alias("text"), rejected.alias("text")]))
    held = _distinct(answers, tokens, len(words))
    single_rows, singles, frequent = _frequent(*held, least)
    names = [words[k] for k in frequent]
    place = np.full(len(words), -1)
    place[frequent] = np.arange(len(names))
    pair_rows, pairs, codes = _neighbours(answers, place[tokens], len(names), least)
    part_rows, parts, part_names = fragments(*held, words, most=round(_FRAGMENTS * vocabulary))
    whole = len(names) + len(codes)  # terms before the fragments
    rows = np.concatenate([single_rows, pair_rows, part_rows])
    columns = np.concatenate([singles, len(names) + pairs, whole + parts])
    spread = np.bincount(columns, minlength=whole + len(part_names))
    spread[[k for k, name in enumerate(names) if name in "⊢⊣"]] = 0  # every answer starts and ends
    kept = np.flatnonzero(spread >= least)
    kept = np.sort(kept[np.argsort(-spread[kept], kind="stable")][:vocabulary])
    place = np.full(len(spread), -1)
    place[kept] = np.arange(len(kept))
    present = place[columns] >= 0
    kept_pairs = kept[(kept >= len(names)) & (kept < whole)]
    terms = [_shown(names[k]) for k in kept[kept < len(names)]]
    terms += [_joined(names[k // len(names)], names[k % len(names)]) for k in codes[kept_pairs - len(names)]]
    terms += [part_names[k] for k in kept[kept >= whole] - whole]
    weights = np.where(kept < whole, 1.0, _WEIGHT)
    return Bags(tuple(terms), len(chosen), rows[present], place[columns[present]], weights)


def _neighbours(answers: Ints, tokens: Ints, count: int, least: int) -> tuple[Ints, Ints, Ints]:
    """Pairs of neighbouring tokens: answer and number of each presence, and the pairs as first · count + second.

    Args:
        answers: Answer of each token, in order.
        tokens: Number of each token, below `count`; −1 for one too rare to be part of a term.
        count: Tokens there are.
        least: Answers that must hold a pair.
    """
    known = (answers[1:] == answers[:-1]) & (tokens[1:] >= 0) & (tokens[:-1] >= 0)
    codes = tokens[:-1][known] * count + tokens[1:][known]
    rows, held = _distinct(answers[1:][known], codes, count**2)
    pairs, columns = np.unique(held, return_inverse=True)
    rows, columns, frequent = _frequent(rows, columns, least)
    return rows, columns, pairs[frequent]


def _frequent(rows: Ints, columns: Ints, least: int) -> tuple[Ints, Ints, Ints]:
    """Presences of what at least so many answers hold, numbered anew, and the old numbers."""
    enough = np.bincount(columns) >= least
    kept = enough[columns]
    return rows[kept], (np.cumsum(enough) - 1)[columns[kept]], np.flatnonzero(enough)


def _tokens(texts: pl.Series) -> tuple[Ints, Ints, list[str]]:
    """Token numbers in order, the answer of each, and the tokens."""
    text = pl.col("text")
    long = text.str.len_chars() > _HEAD + _TAIL
    short = pl.when(long).then(text.str.head(_HEAD) + "\n" + text.str.tail(_TAIL)).otherwise(text)
    frame = (
        texts.to_frame()
        .with_row_index("answer")
        .select("answer", token=("⊢" + short.str.to_lowercase() + "⊣").str.extract_all(TOKEN))
        .explode("token")
    )
    distinct = frame.select(pl.col("token").unique(maintain_order=True)).with_row_index("number")
    numbered = frame.join(distinct, on="token", how="left", maintain_order="left")
    as_ints = numbered.select(pl.col("number", "answer").cast(pl.Int64))
    return as_ints["number"].to_numpy(), as_ints["answer"].to_numpy(), distinct["token"].to_list()


def _distinct(rows: Ints, columns: Ints, width: int) -> tuple[Ints, Ints]:
    keys = np.sort(rows * width + columns)  # several times faster than np.unique, which hashes integers
    keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])] if keys.size else keys
    return np.divmod(keys, width)


def _shown(token: str) -> str:
    return "⏎" * min(len(token), 2) if token.startswith("\n") else token


def _joined(first: str, second: str) -> str:
    left, right = _shown(first), _shown(second)
    spaced = left[-1].isalnum() and right[0].isalnum() and not (_unspaced(left) or _unspaced(right))
    return f"{left} {right}" if spaced else left + right


def _unspaced(token: str) -> bool:
    return is_cjk(token) or "\u0e00" <= token[0] <= "\u0e7f"
