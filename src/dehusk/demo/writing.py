"""One author a language: prompts and answers put together from the words in `words/<lang>.toml`."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
_CHOICE = re.compile(r"\[([^\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Topic:
    """A subject of conversation and what can be said about it."""

    name: str
    parts: tuple[str, ...]  # noun phrases
    steps: tuple[str, ...]  # imperative clauses without a full stop
    facts: tuple[str, ...]  # whole sentences


@dataclass(frozen=True)
class Task:
    """A prompt and the topic it asks about."""

    prompt: str
    topic: Topic


class Author:
    """Writes prompts and answers in one language; every choice comes from `rng`."""

    def __init__(self, lang: str, rng: np.random.Generator) -> None:
        """Take the words of `lang` ("en" or "zh")."""
        self.lang = lang
        self._words = _words(lang)
        self._topics = tuple(
            Topic(row["name"], tuple(row["parts"]), tuple(row["steps"]), tuple(row["facts"]))
            for row in self._words["topics"]
        )
        self._space, self._stop = (" ", ".") if lang == "en" else ("", "。")
        self._rng = rng

    def tasks(self, count: int) -> list[Task]:
        """Invent `count` different prompts, topics as evenly spread as they can be."""
        found: dict[str, Task] = {}
        while len(found) < count:
            topic = self._topics[len(found) % len(self._topics)]
            question, circumstance = self._pick(self._words["questions"]), self._pick(self._words["circumstances"])
            prompt = question.format(name=topic.name, circumstance=circumstance)
            found.setdefault(prompt, Task(prompt, topic))
        return list(found.values())

    def answer(self, task: Task, sentences: int, habits: Collection[str] = (), *, stray: bool = False) -> list[str]:
        """Write an answer.

        Args:
            task: What was asked.
            sentences: How many, before a farewell.
            habits: Names of `STORY.habits`.
            stray: Talk partly about another topic: a worse answer with the same surface.

        Returns:
            Sentences, the opener glued to the first one.
        """
        topic, other = task.topic, self._pick(self._topics) if stray else task.topic
        instead = {"contrast", "catchphrase", "asks_back"} & set(habits)  # each takes the place of a sentence
        left = max(2, sentences - len(instead))
        steps = [self._sentence(step + self._stop) for step in other.steps]
        known = self._sample([*steps, *other.facts], left // 2)
        framed = [self._fill(frame, topic) for frame in self._sample(self._words["frames"], left - len(known))]
        body = self._sample([*known, *framed], left)
        if "contrast" in instead:
            body.insert(self._below(len(body)) + 1, self._fill(self._pick(self._words["contrasts"]), topic))
        if "catchphrase" in instead:
            body.insert(self._below(len(body) + 1), self._catchphrase(topic))
        if "praise" in habits:
            body[0] = self._pick(self._words["praise"]) + self._space + body[0]
        if "closing" in habits:
            body.append(self._pick(self._words["closings"]))
        if "asks_back" in instead:
            body.append(self._fill(self._pick(self._words["asks"]), topic))
        return body

    def layout(self, body: Sequence[str], *, fondness: float = 0.0) -> str:
        """Lay sentences out as a list or as paragraphs.

        The odds of a list depend on the number of characters alone, in one way for both languages, and on
        `fondness` (a shift in log-odds); so where `fondness` is 0, lists differ by no more than length does.
        """
        prose = self._space.join(body)
        odds = math.exp(-0.9 + 2.4 * math.log(len(prose) / 300) + fondness)
        if len(body) >= 4 and self._rng.random() < odds / (1 + odds):
            # without their full stops, so that a list is hardly longer than the prose it replaces
            items = "\n".join(f"- {sentence.removesuffix(self._stop)}" for sentence in body[1:-1])
            return f"{body[0]}\n\n{items}\n\n{body[-1]}"
        step = 4
        return "\n\n".join(self._space.join(body[at : at + step]) for at in range(0, len(body), step))

    def _catchphrase(self, topic: Topic) -> str:
        """The catchphrase and the shortest of a few sentences: together about as long as any other sentence."""
        carrier, lead = self._choose(self._words["catchphrase"]), self._pick(self._words["catchphrases"])
        rest = min((self._fill(frame, topic) for frame in self._sample(self._words["frames"], 4)), key=len)
        return carrier.format(lead=lead, rest=rest[0].lower() + rest[1:])

    def _fill(self, frame: str, topic: Topic) -> str:
        """Resolve the choices and slots of a frame."""
        part, other = self._sample(topic.parts, 2)
        own = {"part": part, "other": other}

        def slot(match: re.Match[str]) -> str:
            name = match[1]
            return own.get(name) or self._pick(topic.steps if name == "step" else self._words["slots"][name])

        return self._sentence(_SLOT.sub(slot, self._choose(frame)))

    def _choose(self, frame: str) -> str:
        return _CHOICE.sub(lambda match: self._pick(match[1].split("|")), frame)

    def _sentence(self, text: str) -> str:
        return text[0].upper() + text[1:]

    def _below(self, count: int) -> int:
        return int(self._rng.random() * count)

    def _pick(self, items: Sequence[T]) -> T:
        return items[self._below(len(items))]

    def _sample(self, items: Sequence[T], count: int) -> list[T]:
        return [items[index] for index in self._rng.permutation(len(items))[:count]]


@cache
def _words(lang: str) -> dict[str, Any]:
    return tomllib.loads(resources.files("dehusk.demo").joinpath("words", f"{lang}.toml").read_text("utf-8"))
