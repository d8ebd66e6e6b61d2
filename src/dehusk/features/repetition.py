"""Repetition: text that says the same again."""

from __future__ import annotations

import polars as pl

from dehusk.core.kinds import feature_functions as features
from dehusk.features.views import line_counts, share, word_count, word_counts


@features.add("repeated_trigrams", unit="share", family="repetition")
def repeated_trigrams(response: pl.Expr) -> pl.Expr:
    """Share of three-word runs that occurred before (of characters in Chinese).

    With `repeated_lines` this stands for a compressed size, which costs as much as all other features together.
    """
    runs = word_count(response).clip(2) - 2
    return share(runs - word_counts(response).struct.field("distinct_runs"), runs)


@features.add("repeated_lines", unit="share", family="repetition")
def repeated_lines(response: pl.Expr) -> pl.Expr:
    """Share of lines that occurred before; blank lines left out."""
    counts = line_counts(response).struct
    return share(counts.field("total") - counts.field("distinct"), counts.field("total"))
