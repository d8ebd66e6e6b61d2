"""Answers as points by the words in them, for where no model is at hand to place them by meaning."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from dehusk.core.tables import Floats
from dehusk.text.tokens import characters, hashes

DIMENSIONS = 512
Hashes = np.ndarray[Any, np.dtype[np.uint64]]


def hashed_words(texts: pl.Series, dimensions: int = DIMENSIONS) -> Floats:
    """Words of n texts, rare ones counting more, hashed into d dimensions, shape (n, d), each row of length 1 or 0.

    A word counts 1 + log(times) · log(n / texts that hold it) (Spärck Jones, 1972) and goes with a sign of its own to a
    dimension of its own, both taken from its hash, so that words that meet there cancel on average (Weinberger and
    others, 2009). Letter case does not count; in Chinese and Japanese each character is a word.

    Args:
        texts: Strings.
        dimensions: d.

    >>> points = hashed_words(pl.Series(["Tea is hot", "tea IS hot", "cats purr"]))
    >>> [round(float(points[0] @ other), 6) for other in points[1:]]
    [1.0, 0.0]
    """
    empty: Floats = np.zeros((len(texts), dimensions))
    found = [hashes(part) for part in characters(texts.str.to_lowercase())]
    if not found:
        return empty
    words: Hashes = np.concatenate([part[0] for part in found])
    text = np.repeat(np.arange(len(texts)), np.concatenate([part[2] for part in found]))
    table = pl.DataFrame({"text": text, "word": words}).group_by("text", "word", maintain_order=True).len("times")
    weighted = table.with_columns(weight=(1 + pl.col("times").log()) * (len(texts) / pl.len().over("word")).log())
    where = weighted["word"].to_numpy()
    sign = np.where(where >> np.uint64(63), 1.0, -1.0)
    cell = weighted["text"].to_numpy() * dimensions + (where % np.uint64(dimensions)).astype(np.int64)
    sums = np.bincount(cell, sign * weighted["weight"].to_numpy(), minlength=empty.size)
    points: Floats = sums.astype(np.float64).reshape(empty.shape)
    sizes = np.sqrt((points**2).sum(axis=1, keepdims=True))
    scaled: Floats = np.divide(points, sizes, out=empty, where=sizes > 0)
    return scaled
