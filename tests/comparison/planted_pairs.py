"""Pairs whose points are known: how good an answer is, how long it is, and noise."""

from __future__ import annotations

import zlib

import numpy as np
import polars as pl

from dehusk.comparison.running import Bench
from dehusk.core.tables import Pairs
from dehusk.features.measuring import declared, measure
from dehusk.fitting.training_set import training_set

NAMES = ("characters", "words", "exclamations", "questions", "certainty")


class Known:
    """Puts a text at (good words, filler words, six of noise); the prompt moves the noise only."""

    def embed(self, prompts, responses):
        def at(prompt, text):
            words = text.split()
            noise = np.random.default_rng(zlib.crc32(f"{prompt}|{text}".encode())).normal(size=6)
            return [words.count("good"), words.count("filler"), *noise]

        return np.array([at(p, r) for p, r in zip(prompts, responses, strict=True)], dtype=np.float32)


def answers(rng, n):
    good, filler, loud = rng.integers(0, 5, n), rng.integers(0, 12, n), rng.integers(0, 2, n)
    texts = [
        f"{'good ' * g}{'poor ' * (4 - g)}{'filler ' * f}end{'!' * e}"
        for g, f, e in zip(good, filler, loud, strict=True)
    ]
    return texts, good, filler


def planted(prompts: int, paid: float, seed: int = 0) -> Pairs:
    """Two pairs a prompt, labelled by goodness and `paid` times length, with noise."""
    rng, n = np.random.default_rng(seed), 2 * prompts
    (first, good, filler), (second, other_good, other_filler) = answers(rng, n), answers(rng, n)
    margin = 1.2 * (good - other_good) + paid * (filler - other_filler) + rng.logistic(size=n)
    wins = margin > 0
    chosen = [a if win else b for a, b, win in zip(first, second, wins, strict=True)]
    rejected = [b if win else a for a, b, win in zip(first, second, wins, strict=True)]
    frame = pl.DataFrame({"chosen": chosen, "rejected": rejected}).with_row_index("row", offset=1)
    frame = frame.with_columns(
        pl.col("row").cast(pl.Int64),
        pair_id=pl.col("row").cast(pl.String),
        prompt=pl.format("what about number {}?", (pl.col("row") - 1) // 2),
        weight=pl.lit(1.0),
    )
    return Pairs(frame.with_columns(group=pl.col("prompt")).filter(pl.col("chosen") != pl.col("rejected")))


def bench_of(pairs: Pairs, targets=("characters",)) -> Bench:
    features = tuple(feature for feature in declared() if feature.name in NAMES)

    def measured(some):
        return measure(features, pairs=some)

    data = training_set(pairs, measured(pairs), Known(), NAMES, np.random.default_rng(0), foreign=True)
    return Bench(pairs, measured(pairs), data, targets, Known(), measured, (slice(0, 8),))
