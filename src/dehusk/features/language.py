"""Language mix: which scripts a text is written in, and whether they are the prompt's."""

from __future__ import annotations

import polars as pl

from dehusk.core.kinds import feature_functions as features
from dehusk.features.lexicon import Spans
from dehusk.features.views import raw, share, word_count, word_counts

MOSTLY = 0.5  # a text is Chinese when more than half of its words are Han characters
PROMPT_MOSTLY = 0.2  # a prompt, when a fifth of its characters are
# Cyrillic, Hebrew, Arabic, Devanagari, Thai, kana and Hangul; not Greek, which is formulas more often than a language
OTHER_SCRIPT = Spans("[Ѐ-ӿא-תء-يऀ-ॿก-๙ぁ-ゖァ-ヺ가-힣]", raw)


def _han_share(text: pl.Expr) -> pl.Expr:
    return share(word_counts(text).struct.field("han"), word_count(text))


@features.add("han_share", unit="share", family="language")
def han_share(response: pl.Expr) -> pl.Expr:
    """Share of Chinese characters among the words."""
    return _han_share(response)


@features.add("latin_in_chinese", unit="share", family="language", lang="zh")
def latin_in_chinese(response: pl.Expr) -> pl.Expr:
    """Share of foreign words in a text that is mostly Chinese, code included."""
    han = _han_share(response)
    return pl.when(han > MOSTLY).then(1 - han).otherwise(0.0)


@features.add("off_language", unit="share", family="language")
def off_language(prompt: pl.Expr, response: pl.Expr) -> pl.Expr:
    """Share of the answer in the language the prompt is not written in (Chinese or not).

    0 where either side has no words.
    """
    han = _han_share(response)
    chinese = prompt.str.count_matches(r"\p{Han}") > PROMPT_MOSTLY * prompt.str.len_chars()  # cheaper than its words
    return (
        pl.when((prompt.str.len_chars() == 0) | (word_count(response) == 0))
        .then(0.0)
        .when(chinese)
        .then(1 - han)
        .otherwise(han)
    )


@features.add("other_script", unit="characters", family="language", highlight=OTHER_SCRIPT.highlight)
def other_script(response: pl.Expr) -> pl.Expr:
    """Letters of a third script: Cyrillic, Arabic, kana, Hangul, Thai and others."""
    return OTHER_SCRIPT.count(response)
