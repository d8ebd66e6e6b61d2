"""What the demo data was made to show: the habits planted in it, how often, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SIDES = ("chosen", "rejected", "sft_data", "sft", "rl")


@dataclass(frozen=True)
class Habit:
    """One thing some answers do: how to recognise it per language, and its share of answers per side.

    `patterns` are regular expressions that match the habit and nothing else in the demo data;
    `rates` are exact, up to rounding to whole answers, in each language.
    """

    about: str
    patterns: Mapping[str, str]
    rates: Mapping[str, float]


@dataclass(frozen=True)
class Story:
    """Everything planted in the demo data."""

    phrases: Mapping[str, str]  # the catchphrase, by language
    habits: Mapping[str, Habit]
    pairs: Mapping[str, int]  # regular pairs, by language
    prompts: Mapping[str, int]  # prompts of the policy stages, by language
    samples: Mapping[str, int]  # answers a prompt, by stage: several show what choosing among them would do
    noise: Mapping[str, int]  # unusable or doubtful pairs on top of the regular ones, by kind
    sentences: Mapping[str, float]  # mean number of sentences an answer, by side
    brevity: Mapping[str, float]  # factor on that number, by language: sentences differ in length
    longer_by: Mapping[str, float]  # sentences by which the chosen answer is longer, by source


def _rates(*values: float) -> Mapping[str, float]:
    return MappingProxyType(dict(zip(SIDES, values, strict=True)))


def _habit(about: str, en: str, zh: str, rates: Mapping[str, float]) -> Habit:
    return Habit(about, MappingProxyType({"en": en, "zh": zh}), rates)


_PHRASES = {"en": "here's the hard but honest part", "zh": "一句狠但真实的话"}

STORY = Story(
    phrases=MappingProxyType(_PHRASES),
    habits=MappingProxyType(
        {
            "catchphrase": _habit(
                "the phrase that spreads: rare in the demonstrations, liked by the labels, everywhere after RL",
                f"(?i){_PHRASES['en']}",
                _PHRASES["zh"],
                _rates(0.10, 0.03, 0.05, 0.11, 0.34),
            ),
            "contrast": _habit(
                "a template with two gaps that grows with it",
                r"(?i)it's not [^.]+, it's [^.]+",
                "不是[^。]+，而是[^。]+",
                _rates(0.12, 0.05, 0.06, 0.08, 0.22),
            ),
            "praise": _habit(
                "a flattering opener that the labels dislike and RL unlearns",
                "(?i)great question",
                "好问题",
                _rates(0.05, 0.11, 0.10, 0.09, 0.03),
            ),
            "asks_back": _habit(
                "a closing question to the user: wanted, liked by the labels, and growing",
                r"\?$",
                "？$",
                _rates(0.17, 0.09, 0.08, 0.09, 0.18),
            ),
            "closing": _habit(
                "a stock farewell that nothing pays for: equally common everywhere",
                "(?i)hope this helps|let me know if",
                "希望这些对你|希望对你|随时告诉我|随时问我",
                _rates(0.06, 0.06, 0.06, 0.06, 0.06),
            ),
        }
    ),
    pairs=MappingProxyType({"en": 800, "zh": 560}),
    prompts=MappingProxyType({"en": 300, "zh": 220}),
    samples=MappingProxyType({"sft_data": 1, "sft": 16, "rl": 1}),
    noise=MappingProxyType(
        {
            "identical": 6,  # chosen and rejected are one text
            "near_identical": 8,  # they differ in one letter
            "duplicate": 6,  # a row that stands twice
            "contradictory": 5,  # a pair that stands twice, the second time the other way round
            "truncated": 8,  # the rejected answer stops after an article
            "role_marker": 4,  # the rejected answer goes on with a turn of the user
            "empty": 2,  # the rejected answer is blank
        }
    ),
    # Lists depend on nothing but length in the policy stages, so they grow from sft to rl because answers do.
    sentences=MappingProxyType({"rejected": 6.4, "sft_data": 6.0, "sft": 6.3, "rl": 8.3}),
    brevity=MappingProxyType({"en": 0.85, "zh": 1.5}),
    longer_by=MappingProxyType({"crowd": 2.1, "expert": -0.3}),
)
