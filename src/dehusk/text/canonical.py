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
from typing import Any, NamedTuple

import numpy as np
import polars as pl

START, END, BREAK = "\x02", "\x03", "\n"  # a text's start, its end, the end of a sentence; none can come from a text
CJK = r"\p{Han}\p{Hiragana}\p{Katakana}"
_STOPS = r".!?。！？…\n"
_TOKEN = rf"[{CJK}]|[[\p{{L}}\p{{M}}\p{{N}}]--[{CJK}]]+(?:'[[\p{{L}}\p{{M}}]--[{CJK}]]+)*|[{_STOPS}]+"
_CJK_CHARACTER = re.compile(
    r"[\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)

Ints = np.ndarray[Any, np.dtype[np.int64]]


def canonical(text: pl.Expr) -> pl.Expr:
    """Canonical form of each text, a string that starts with `" START "` and ends with `" END "`."""
    plain = text.str.to_lowercase().str.replace_all("’", "'", literal=True)
    tokens = plain.str.extract_all(_TOKEN).list.join(" ")
    inner = tokens.str.replace_all(rf"[{_STOPS}]+", BREAK).str.strip_chars(f" {BREAK}")
    return pl.concat_str(pl.lit(f" {START} "), inner, pl.lit(f" {END} "))


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
