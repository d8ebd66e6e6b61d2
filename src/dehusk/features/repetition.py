"""Repetition: text that says the same again."""

from __future__ import annotations

import zlib

import polars as pl

from dehusk.core.kinds import feature_functions as features
from dehusk.features.views import line_counts, share, word_count, word_counts


@features.add("repeated_trigrams", unit="share", family="repetition")
def repeated_trigrams(response: pl.Expr) -> pl.Expr:
    """Share of three-word runs that occurred before (of characters in Chinese)."""
    runs = word_count(response).clip(2) - 2
    return share(runs - word_counts(response).struct.field("distinct_runs"), runs)


@features.add("repeated_lines", unit="share", family="repetition")
def repeated_lines(response: pl.Expr) -> pl.Expr:
    """Share of lines that occurred before; blank lines left out."""
    counts = line_counts(response).struct
    return share(counts.field("total") - counts.field("distinct"), counts.field("total"))


@features.add("compressed_size", unit="share", family="repetition")
def compressed_size(response: pl.Expr) -> pl.Expr:
    """Size of the first 1,000 bytes after compression, as a share of their size; repetition makes it small."""
    return response.cast(pl.Binary).bin.head(COMPRESSED).map_batches(_compressed, pl.Float64(), is_elementwise=True)


COMPRESSED = 1_000  # bytes: compression of longer texts is better for their length alone, and dearer


def _compressed(heads: pl.Series) -> pl.Series:
    """Compressed size over size, 1 for empty texts and at most 1: short texts only grow."""
    shares = [min(1.0, len(zlib.compress(head, 1)) / len(head)) if head else 1.0 for head in heads.to_list()]
    return pl.Series(heads.name, shares, dtype=pl.Float64)
