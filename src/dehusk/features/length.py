"""Length: how much text there is, and how varied its words are."""

from __future__ import annotations

import polars as pl

from dehusk.core.kinds import feature_functions as features
from dehusk.features.lexicon import Spans
from dehusk.features.views import TYPE_WINDOW, raw, share, word_count, word_counts

# "1. " and "3.5" end no sentence, "in 2020." does
SENTENCE = Spans(r"(?:[^\s0-9.!?。！？][.!?]|[0-9]{3}\.|[0-9][!?])[.!?]*[\"'”’)\]*_]*(?:\s|$)|[。！？]+", raw)


@features.add("characters", unit="characters", family="length")
def characters(response: pl.Expr) -> pl.Expr:
    """Length in characters, spaces and markup included."""
    return response.str.len_chars()


@features.add("words", unit="words", family="length")
def word_total(response: pl.Expr) -> pl.Expr:
    """Words of scripts with spaces, plus one a Han character."""
    return word_count(response)


@features.add("sentences", unit="sentences", family="length", highlight=SENTENCE.highlight)
def sentences(response: pl.Expr) -> pl.Expr:
    """Sentence ends: full stops, question and exclamation marks that close something.

    Numbering ("1.") and decimals do not count; abbreviations such as "e.g. " do.
    """
    return SENTENCE.count(response)


@features.add("paragraphs", unit="paragraphs", family="length")
def paragraphs(response: pl.Expr) -> pl.Expr:
    """Blocks of text separated by blank lines."""
    body = response.str.strip_chars()
    return body.str.count_matches(r"\n[ \t\r]*\n\s*") + (body.str.len_bytes() > 0)


@features.add("sentence_length", unit="words", family="length")
def sentence_length(response: pl.Expr) -> pl.Expr:
    """Words a sentence, on average."""
    return share(word_count(response), SENTENCE.count(response))


@features.add("type_token_ratio", unit="share", family="length")
def type_token_ratio(response: pl.Expr) -> pl.Expr:
    """Share of distinct words among the first 100."""
    counts = word_counts(response).struct
    return share(counts.field("types"), counts.field("total").clip(upper_bound=TYPE_WINDOW))
