"""Where the tokens of texts stand: a look into a table a character, several times as fast as a regular expression.

A token is a word (letters, marks and digits, and an apostrophe in it that a letter follows), a single Chinese or
Japanese character, or a run of what ends a sentence or line. Everything else separates.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import polars as pl

CJK = r"\p{Han}\p{Hiragana}\p{Katakana}"  # scripts written without spaces
STOPS = ".!?。！？…\n"
_LETTER, _DIGIT, _CHARACTER, _APOSTROPHE, _STOP = 1, 2, 3, 4, 5  # kinds of characters; 0 separates
_CHUNK = 1 << 17  # characters looked at together: their arrays stay in the processor's cache
_FACTOR = 0x9E3779B97F4A7C15  # odd, so that it has an inverse among integers of 64 bits

Array = np.ndarray[Any, np.dtype[Any]]


class Characters(NamedTuple):
    """Characters of n texts one after the other, with one more that separates after each text, shapes (c,)."""

    codes: Array  # code points, uint32
    word: Array  # whether each is part of a word
    character: Array  # whether each is a word of its own
    stop: Array  # whether each ends a sentence or line
    ends: Array  # where each text ends, the separator included, shape (n,)


def characters(texts: pl.Series) -> Iterator[Characters]:
    """Look up the characters of lower-case texts, some texts at a time.

    Args:
        texts: n strings; where Polars has masked one, null, it is looked at as empty.
    """
    texts = texts.fill_null("")
    sizes = texts.str.len_chars().to_numpy().astype(np.int64) + 1
    cuts = np.flatnonzero(np.diff(np.cumsum(sizes) // _CHUNK, prepend=-1))
    strings = texts.to_list()
    for start, stop in pairwise([*cuts.tolist(), len(strings)]):
        codes = np.frombuffer("\0".join([*strings[start:stop], ""]).encode("utf-32-le"), np.uint32)
        kinds = _kinds()[codes]
        letter = kinds == _LETTER
        word = letter | (kinds == _DIGIT)
        word[1:-1] |= (kinds[1:-1] == _APOSTROPHE) & word[:-2] & letter[2:]
        yield Characters(codes, word, kinds == _CHARACTER, kinds == _STOP, np.cumsum(sizes[start:stop]))


def begins(run: Array) -> Array:
    """Where runs of True begin, shape as `run`."""
    found = run.copy()
    found[1:] &= ~run[:-1]
    return found


def hashes(found: Characters) -> tuple[Array, Array, Array]:
    """Tell words apart without writing them down; the ends of sentences are no words.

    Returns:
        A hash of 64 bits (uint64) and the first code point of each word, shapes (w,), and the number of words of
        each text, shape (n,).
    """
    ends = found.word.copy()
    ends[:-1] &= ~found.word[1:]
    first, last = (np.flatnonzero(edge | found.character) for edge in (begins(found.word), ends))
    powers, inverse = _powers(found.codes.size.bit_length())
    sums = np.cumsum(found.codes * powers[: found.codes.size])
    initial = found.codes[first]
    hashed = (sums[last] - sums[first]) * inverse[first] + initial  # a polynomial of the characters of each word
    hashed = (hashed ^ (hashed >> np.uint64(32))) * np.uint64(_FACTOR)
    return hashed ^ (hashed >> np.uint64(29)), initial, np.diff(np.searchsorted(first, found.ends), prepend=0)


@cache
def _kinds() -> Array:
    """Kind of every code point, shape (1114112,), uint8."""
    everything = np.delete(np.arange(0xE01F0, dtype=np.uint32), slice(0xD800, 0xE000))  # no letter comes later
    text = pl.Series([everything.tobytes().decode("utf-32-le")])
    kinds = np.zeros(0x110000, dtype=np.uint8)
    classes = {_LETTER: r"\p{L}\p{M}", _DIGIT: r"\p{N}", _CHARACTER: CJK, _STOP: STOPS}
    for kind, members in classes.items():  # a later one takes from an earlier one
        for run in text.str.extract_all(f"[{members}]+")[0]:
            kinds[ord(run[0]) : ord(run[-1]) + 1] = kind
    kinds[[ord("'"), ord("’")]] = _APOSTROPHE
    return kinds


@cache
def _powers(bits: int) -> tuple[Array, Array]:
    """Powers 0 … 2^bits − 1 of the factor, and of its inverse, modulo 2^64."""
    factors = np.full((2, 1 << bits), [[_FACTOR], [pow(_FACTOR, -1, 1 << 64)]], dtype=np.uint64)
    factors[:, 0] = 1
    np.multiply.accumulate(factors, axis=1, out=factors)
    return factors[0], factors[1]
