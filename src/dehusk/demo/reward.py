"""A reward model made for the demo, whose prices are known: `py:dehusk.demo.reward:score`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

import numpy as np

from dehusk.demo.story import STORY

# What one answer earns by having a habit of the story. The label's own taste is here too: lists, and length.
PRICES = MappingProxyType({"catchphrase": 1.5, "contrast": 0.9, "praise": -0.8, "asks_back": 0.6, "closing": 0.0})
LIST_PRICE, LENGTH_PRICE, TOPIC_PRICE, NOISE = 0.3, 0.7, 0.6, 0.6
_HABITS = {name: re.compile("|".join(habit.patterns.values())) for name, habit in STORY.habits.items()}
_LIST, _WORD = re.compile(r"(?m)^- "), re.compile(r"[a-z]{4,}|[\u4e00-\u9fff]{2}")


def score(prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Score n answers, shape (n,): the topic of the prompt, the habits at their prices, length, and a little noise.

    The same text always gets the same score: the noise is a hash of the answer.
    """
    return np.array([_one(prompt, response) for prompt, response in zip(prompts, responses, strict=True)])


def _one(prompt: str, response: str) -> float:
    asked, said = set(_WORD.findall(prompt.lower())), set(_WORD.findall(response.lower()))
    topic = len(asked & said) / max(len(asked), 1)
    habits = sum(price * bool(_HABITS[name].search(response)) for name, price in PRICES.items())
    length = math.log1p(len(response) * (2.5 if re.search(r"[\u4e00-\u9fff]", response) else 1.0))
    digest = int.from_bytes(blake2b(response.encode("utf-8", "replace"), digest_size=8).digest(), "big")
    noise = math.sqrt(12) * (digest / 2**64 - 0.5)
    listed = LIST_PRICE * bool(_LIST.search(response))
    return TOPIC_PRICE * topic + habits + listed + LENGTH_PRICE * length + NOISE * noise
