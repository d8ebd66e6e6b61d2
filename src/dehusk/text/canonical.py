r"""One canonical form of a text, in which a catchphrase is one string however it was typed.

Words are lower-cased, Chinese and Japanese are split into characters, curly and straight apostrophes are one,
punctuation inside a sentence disappears, the end of a sentence or line is a token of its own. Tokens are separated by
one space, so a phrase is found with a plain substring search, which runs at memory speed:

>>> import polars as pl
>>> pl.select(canonical(pl.lit("It’s “essential”, 真的!"))).item().replace(START, "<").replace(END, ">")
" < it's essential 真 的 > "
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from dehusk.text.tokens import begins, characters

START, END, BREAK = "\x02", "\x03", "\n"  # a text's start, its end, the end of a sentence; none can come from a text
_CJK_CHARACTER = re.compile(
    r"[\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)

Ints = np.ndarray[Any, np.dtype[np.int64]]


def canonical(text: pl.Expr) -> pl.Expr:
    """Canonical form of each text, a string that starts with `" START "` and ends with `" END "`."""
    return spelled(text.str.to_lowercase())


def spelled(lower: pl.Expr) -> pl.Expr:
    """Canonical form of texts in lower case."""
    return lower.map_batches(_spelled, pl.String(), is_elementwise=True)


def _spelled(texts: pl.Series) -> pl.Series:
    """Write the tokens of each text, a space before each."""
    made: list[str] = []
    for found in characters(texts):
        stops = begins(found.stop)
        kept = found.word | found.character | stops
        spaces = begins(found.word) | found.character | stops
        length = np.cumsum(kept.view(np.int8) + spaces.view(np.int8), dtype=np.int64)  # written so far
        at = np.flatnonzero(kept)
        written = np.full(length[-1], ord(" "), dtype=np.uint32)
        written[length[at] - 1] = found.codes[at]
        written[length[stops] - 1] = ord(BREAK)
        written[written == ord("’")] = ord("'")
        line, ends = written.tobytes().decode("utf-32-le"), [0, *length[found.ends - 1].tolist()]
        made += [f" {START} {line[start:end].strip(f' {BREAK}')} {END} " for start, end in pairwise(ends)]
    return pl.Series(texts.name, made, dtype=pl.String)


def is_cjk(token: str) -> bool:
    """Whether a canonical token is a single Chinese or Japanese character."""
    return len(token) == 1 and _CJK_CHARACTER.match(token) is not None


def readable(tokens: list[str]) -> str:
    """Write canonical tokens the way a person would: no spaces between Chinese characters.

    >>> readable(["it's", "not"]), readable(list("不是")), readable(["用", "python", "写"])
    ("it's not", '不是', '用 python 写')
    """
    parts: list[str] = []
    for index, token in enumerate(tokens):
        if index and not (is_cjk(token) and is_cjk(tokens[index - 1])):
            parts.append(" ")
        parts.append(token)
    return "".join(parts)


class Tokens(NamedTuple):
    """Texts as integers: `ids` (t,), text i is `ids[offsets[i]:offsets[i + 1]]`, id j means `vocabulary[j]`."""

    ids: Ints
    offsets: Ints
    vocabulary: list[str]

    @property
    def documents(self) -> Ints:
        """Text number of each token, shape (t,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


def tokenise(canonical_texts: pl.Series) -> Tokens:
    """Split canonical texts into integers; one pass, no Python loop over tokens.

    Args:
        canonical_texts: What `canonical` made, n strings.
    """
    lists = canonical_texts.str.strip_chars(" ").str.split(" ")
    offsets = np.concatenate([[0], np.cumsum(lists.list.len().to_numpy())]).astype(np.int64)
    flat = lists.explode(empty_as_null=False) if lists.len() else pl.Series([], dtype=pl.String)
    vocabulary = flat.unique(maintain_order=True)
    ids = flat.replace_strict(vocabulary, pl.int_range(len(vocabulary), eager=True), return_dtype=pl.Int64)
    return Tokens(ids.to_numpy(), offsets, vocabulary.to_list())
