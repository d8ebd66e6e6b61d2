"""Tone: how the answer speaks to the reader."""

from __future__ import annotations

import polars as pl

from dehusk.core.kinds import feature_functions as features
from dehusk.features.lexicon import OPENING, Spans, listed
from dehusk.features.views import prose, raw

HEDGES = listed("hedges")
CERTAINTY = listed("certainty")
INTENSIFIERS = listed("intensifiers")
ENTHUSIASM = listed("enthusiasm")
FLATTERY = listed("flattery")
APOLOGY = listed("apology")
REFUSAL = listed("refusal")
SECOND_PERSON = listed("second_person")
FIRST_PERSON = Spans(r"\bI\b", raw, zh="我")
EMPATHY = listed("empathy")
MORALISING = listed("moralising")
ADVICE = listed("professional_advice")
PRAISE_OPENER = Spans(
    rf"{OPENING}(?:(?:that['’]s|this is|what|it['’]s) (?:an? |such an? )?(?:really |very |truly )?)?"
    r"(?:great|good|excellent|fantastic|wonderful|interesting|brilliant|insightful|thoughtful|amazing|fascinating)"
    r" (?:question|point|idea|observation|choice|thought|topic)s?\b"
    rf"|{OPENING}(?:哇[，,！! ]*)?(?:你|您)?(?:这真是|这个|这是|真是|提了|提出了|问了|这)?(?:一?个)?(?:非常|很|太|真)?"
    r"(?:好|棒|有趣|有意思|有深度|有见地|有价值)的?(?:问题|想法|观点|主意|思路)"
    rf"|{OPENING}(?:你|您)?(?:问|说|想)得(?:非常|很|太|真)?(?:好|对|棒)"
)
EXCLAMATIONS = Spans("[!！]", prose)
QUESTIONS = Spans("[?？]+", prose)
ASKS_BACK = Spans(r"[?？][^\w?？]*$", raw)


@features.add("hedges", unit="words", family="tone", highlight=HEDGES.highlight)
def hedges(response: pl.Expr) -> pl.Expr:
    """Hedges: perhaps, might, in some cases; 可能, 也许, 一般来说."""
    return HEDGES.count(response)


@features.add("certainty", unit="words", family="tone", highlight=CERTAINTY.highlight)
def certainty(response: pl.Expr) -> pl.Expr:
    """Words of certainty: definitely, clearly, always; 肯定, 毫无疑问, 显然."""
    return CERTAINTY.count(response)


@features.add("intensifiers", unit="words", family="tone", highlight=INTENSIFIERS.highlight)
def intensifiers(response: pl.Expr) -> pl.Expr:
    """Intensifiers: very, really, extremely; 非常, 十分, 尤其."""
    return INTENSIFIERS.count(response)


@features.add("enthusiasm", unit="words", family="tone", highlight=ENTHUSIASM.highlight)
def enthusiasm(response: pl.Expr) -> pl.Expr:
    """Words of enthusiasm: amazing, exciting, happy to help; 太棒了, 精彩."""
    return ENTHUSIASM.count(response)


@features.add("praise_opener", unit="presence", family="tone", highlight=PRAISE_OPENER.highlight)
def praise_opener(response: pl.Expr) -> pl.Expr:
    """Opens by praising the question: "What a great idea", "这是一个很好的问题"."""
    return PRAISE_OPENER.present(response)


@features.add("flattery", unit="phrases", family="tone", highlight=FLATTERY.highlight)
def flattery(response: pl.Expr) -> pl.Expr:
    """Flatters the user anywhere: "you're absolutely right", "你真有洞察力"."""
    return FLATTERY.count(response)


@features.add("apology", unit="words", family="tone", highlight=APOLOGY.highlight)
def apology(response: pl.Expr) -> pl.Expr:
    """Apologies and regrets: sorry, unfortunately; 抱歉, 很遗憾."""
    return APOLOGY.count(response)


@features.add("refusal", unit="presence", family="tone", highlight=REFUSAL.highlight)
def refusal(response: pl.Expr) -> pl.Expr:
    """Has a formula of refusal: "I cannot", "I'm unable to", "我无法", "无法提供"."""
    return REFUSAL.present(response)


@features.add("exclamations", unit="marks", family="tone", highlight=EXCLAMATIONS.highlight)
def exclamations(response: pl.Expr) -> pl.Expr:
    """Exclamation marks, outside code."""
    return EXCLAMATIONS.count(response)


@features.add("questions", unit="marks", family="tone", highlight=QUESTIONS.highlight)
def questions(response: pl.Expr) -> pl.Expr:
    """Question marks, outside code; several in a row count once."""
    return QUESTIONS.count(response)


@features.add("asks_back", unit="presence", family="tone", highlight=ASKS_BACK.highlight)
def asks_back(response: pl.Expr) -> pl.Expr:
    """Ends with a question to the user."""
    return ASKS_BACK.present(response)


@features.add("second_person", unit="words", family="tone", highlight=SECOND_PERSON.highlight)
def second_person(response: pl.Expr) -> pl.Expr:
    """Addresses the reader: you, your; 你, 您."""
    return SECOND_PERSON.count(response)


@features.add("first_person", unit="words", family="tone", highlight=FIRST_PERSON.highlight)
def first_person(response: pl.Expr) -> pl.Expr:
    """Speaks of itself: I, 我."""
    return FIRST_PERSON.count(response)


@features.add("empathy", unit="phrases", family="tone", highlight=EMPATHY.highlight)
def empathy(response: pl.Expr) -> pl.Expr:
    """Formulas of empathy: "you're not alone", "that sounds"; 辛苦了, 接住你."""
    return EMPATHY.count(response)


@features.add("moralising", unit="phrases", family="tone", highlight=MORALISING.highlight)
def moralising(response: pl.Expr) -> pl.Expr:
    """Moral reminders: ethical, harmful, "be mindful of"; 道德, 切勿."""
    return MORALISING.count(response)


@features.add("professional_advice", unit="phrases", family="tone", highlight=ADVICE.highlight)
def professional_advice(response: pl.Expr) -> pl.Expr:
    """Sends the reader to a professional: "consult a doctor", "仅供参考"."""
    return ADVICE.count(response)
