"""Made-up responses for benchmarks: word frequencies fall like 1 / rank, about 1.4 kB each, one phrase planted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

PHRASE = "to put it plainly and without sugar"
WORDS_EACH = 215  # about 1.4 kB
BATCH = 20_000
COMMON = ["the", "of", "and", "to", "a", "in", "is", "that", "it", "for", "as", "with", "on", "be", "are", "this"]
SYLLABLES = ["ba", "cor", "den", "fi", "gal", "hem", "is", "jo", "kal", "lum", "mi", "nor", "pe", "qua", "ros", "ti"]


def texts(
    n: int, rng: np.random.Generator, *, words_each: int = WORDS_EACH, planted: float = 0.0
) -> Iterator[pl.Series]:
    """Batches of texts, n in all; a share `planted` of them holds the phrase."""
    words = np.array(COMMON + [a + b + c for a in SYLLABLES for b in SYLLABLES for c in ("", "s", *SYLLABLES)])
    weights = 1 / np.arange(3, words.size + 3)
    weights /= weights.sum()
    for start in range(0, n, BATCH):
        size = min(BATCH, n - start)
        drawn = words[rng.choice(words.size, size=(size, words_each), p=weights)].astype(object)
        drawn[:, 11::12] += "."
        drawn[rng.random(size) < planted, words_each // 2] = PHRASE
        yield pl.Series([" ".join(row) for row in drawn], dtype=pl.String)
