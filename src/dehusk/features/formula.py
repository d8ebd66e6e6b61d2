"""Formulas: set openings, closings and turns of phrase. A formula of one language is a feature of its own."""

from __future__ import annotations

import polars as pl

from dehusk.core.kinds import feature_functions as features
from dehusk.features.lexicon import listed, opening

SURE = opening("opener_sure", "en")
SURE_ZH = opening("opener_sure", "zh")
HERE = opening("opener_here")
GOOD_QUESTION = listed("good_question", "en")
GOOD_QUESTION_ZH = listed("good_question", "zh")
LET_ME_KNOW = listed("closer_let_me_know", "en")
HOPE = listed("closer_hope", "en")
HOPE_ZH = listed("closer_hope", "zh")
FEEL_FREE = listed("closer_feel_free", "en")
ANY_TIME_ZH = listed("closer_any_time", "zh")
OFFER = listed("closer_offer", "en")
OFFER_ZH = listed("closer_offer", "zh")
CONCLUSION = listed("conclusion", "en")
CONCLUSION_ZH = listed("conclusion", "zh")
AS_AN_AI = listed("as_an_ai", "en")
AS_AN_AI_ZH = listed("as_an_ai", "zh")
WORTH_NOTING = listed("worth_noting", "en")
WORTH_NOTING_ZH = listed("worth_noting", "zh")
INVITATION = listed("invitation")
SIGNPOSTS = listed("signposts", "en")
SIGNPOSTS_ZH = listed("signposts", "zh")
BLUNT_TRUTH = listed("blunt_truth", "en")
BLUNT_TRUTH_ZH = listed("blunt_truth", "zh")
STOCK_WORDS = listed("stock_words", "en")
STOCK_WORDS_ZH = listed("stock_words", "zh")


@features.add("opener_sure", unit="presence", family="formula", lang="en", highlight=SURE.highlight)
def opener_sure(response: pl.Expr) -> pl.Expr:
    """Opens with assent: "Sure", "Certainly", "Of course"."""
    return SURE.present(response)


@features.add("opener_sure_zh", unit="presence", family="formula", lang="zh", highlight=SURE_ZH.highlight)
def opener_sure_zh(response: pl.Expr) -> pl.Expr:
    """Opens with assent in Chinese: 当然, 好的, 没问题."""
    return SURE_ZH.present(response)


@features.add("opener_here", unit="presence", family="formula", highlight=HERE.highlight)
def opener_here(response: pl.Expr) -> pl.Expr:
    """Opens by announcing the answer: "Here are", "以下是"."""
    return HERE.present(response)


@features.add("good_question", unit="presence", family="formula", lang="en", highlight=GOOD_QUESTION.highlight)
def good_question(response: pl.Expr) -> pl.Expr:
    """Says "great question" or its like."""
    return GOOD_QUESTION.present(response)


@features.add("good_question_zh", unit="presence", family="formula", lang="zh", highlight=GOOD_QUESTION_ZH.highlight)
def good_question_zh(response: pl.Expr) -> pl.Expr:
    """Says 好问题 or its like."""
    return GOOD_QUESTION_ZH.present(response)


@features.add("closer_let_me_know", unit="presence", family="formula", lang="en", highlight=LET_ME_KNOW.highlight)
def closer_let_me_know(response: pl.Expr) -> pl.Expr:
    """Says "let me know"."""
    return LET_ME_KNOW.present(response)


@features.add("closer_hope", unit="presence", family="formula", lang="en", highlight=HOPE.highlight)
def closer_hope(response: pl.Expr) -> pl.Expr:
    """Says "I hope this helps" or its like."""
    return HOPE.present(response)


@features.add("closer_hope_zh", unit="presence", family="formula", lang="zh", highlight=HOPE_ZH.highlight)
def closer_hope_zh(response: pl.Expr) -> pl.Expr:
    """Says 希望这对你有帮助 or its like."""
    return HOPE_ZH.present(response)


@features.add("closer_feel_free", unit="presence", family="formula", lang="en", highlight=FEEL_FREE.highlight)
def closer_feel_free(response: pl.Expr) -> pl.Expr:
    """Says "feel free to" or "don't hesitate to"."""
    return FEEL_FREE.present(response)


@features.add("closer_any_time_zh", unit="presence", family="formula", lang="zh", highlight=ANY_TIME_ZH.highlight)
def closer_any_time_zh(response: pl.Expr) -> pl.Expr:
    """Invites further questions in Chinese: 如果您有任何问题, 随时告诉我."""
    return ANY_TIME_ZH.present(response)


@features.add("closer_offer", unit="presence", family="formula", lang="en", highlight=OFFER.highlight)
def closer_offer(response: pl.Expr) -> pl.Expr:
    """Offers more work: "Would you like me to", "Shall I"."""
    return OFFER.present(response)


@features.add("closer_offer_zh", unit="presence", family="formula", lang="zh", highlight=OFFER_ZH.highlight)
def closer_offer_zh(response: pl.Expr) -> pl.Expr:
    """Offers more work in Chinese: 需要我, 要不要我, 如果你愿意."""
    return OFFER_ZH.present(response)


@features.add("conclusion", unit="presence", family="formula", lang="en", highlight=CONCLUSION.highlight)
def conclusion(response: pl.Expr) -> pl.Expr:
    """Announces its conclusion: "In conclusion", "Overall,"."""
    return CONCLUSION.present(response)


@features.add("conclusion_zh", unit="presence", family="formula", lang="zh", highlight=CONCLUSION_ZH.highlight)
def conclusion_zh(response: pl.Expr) -> pl.Expr:
    """Announces its conclusion in Chinese: 总之, 综上所述."""
    return CONCLUSION_ZH.present(response)


@features.add("as_an_ai", unit="presence", family="formula", lang="en", highlight=AS_AN_AI.highlight)
def as_an_ai(response: pl.Expr) -> pl.Expr:
    """Presents itself as a model: "As an AI"."""
    return AS_AN_AI.present(response)


@features.add("as_an_ai_zh", unit="presence", family="formula", lang="zh", highlight=AS_AN_AI_ZH.highlight)
def as_an_ai_zh(response: pl.Expr) -> pl.Expr:
    """Presents itself as a model in Chinese: 作为一个AI."""
    return AS_AN_AI_ZH.present(response)


@features.add("worth_noting", unit="presence", family="formula", lang="en", highlight=WORTH_NOTING.highlight)
def worth_noting(response: pl.Expr) -> pl.Expr:
    """Says "it's important to note" or its like."""
    return WORTH_NOTING.present(response)


@features.add("worth_noting_zh", unit="presence", family="formula", lang="zh", highlight=WORTH_NOTING_ZH.highlight)
def worth_noting_zh(response: pl.Expr) -> pl.Expr:
    """Says 值得注意的是 or its like."""
    return WORTH_NOTING_ZH.present(response)


@features.add("invitation", unit="presence", family="formula", highlight=INVITATION.highlight)
def invitation(response: pl.Expr) -> pl.Expr:
    """Invites the reader along: "let's dive in", 让我们."""
    return INVITATION.present(response)


@features.add("signposts", unit="words", family="formula", lang="en", highlight=SIGNPOSTS.highlight)
def signposts(response: pl.Expr) -> pl.Expr:
    """Signposts between points: firstly, moreover, finally."""
    return SIGNPOSTS.count(response)


@features.add("signposts_zh", unit="words", family="formula", lang="zh", highlight=SIGNPOSTS_ZH.highlight)
def signposts_zh(response: pl.Expr) -> pl.Expr:
    """Signposts between points in Chinese: 首先, 其次, 最后."""
    return SIGNPOSTS_ZH.count(response)


@features.add("blunt_truth", unit="presence", family="formula", lang="en", highlight=BLUNT_TRUTH.highlight)
def blunt_truth(response: pl.Expr) -> pl.Expr:
    """Promises plain speaking: "the truth is", "here's the thing"."""
    return BLUNT_TRUTH.present(response)


@features.add("blunt_truth_zh", unit="presence", family="formula", lang="zh", highlight=BLUNT_TRUTH_ZH.highlight)
def blunt_truth_zh(response: pl.Expr) -> pl.Expr:
    """Promises plain speaking in Chinese: 说白了, 一句话, 先说结论."""
    return BLUNT_TRUTH_ZH.present(response)


@features.add("stock_words", unit="words", family="formula", lang="en", highlight=STOCK_WORDS.highlight)
def stock_words(response: pl.Expr) -> pl.Expr:
    """Words that chat models overuse: delve, tapestry, pivotal."""
    return STOCK_WORDS.count(response)


@features.add("stock_words_zh", unit="words", family="formula", lang="zh", highlight=STOCK_WORDS_ZH.highlight)
def stock_words_zh(response: pl.Expr) -> pl.Expr:
    """Words that chat models overuse in Chinese: 赋能, 闭环, 至关重要."""
    return STOCK_WORDS_ZH.count(response)
