"""The files of the demo, written from a seed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from dehusk.core.errors import InputError
from dehusk.core.run import stream
from dehusk.demo.noise import Pair, troubled
from dehusk.demo.story import STORY
from dehusk.demo.writing import Author, Task
from dehusk.io.atomic import write_atomic

Habits = frozenset[str]
STRAY_SHARE = 0.35  # rejected answers that leave the topic: worse for a reason no surface feature shows
LIST_FONDNESS = 0.5  # what the labels add to the log-odds of a list, beyond length
CROWD_SHARE = 0.65


def write(folder: Path, seed: int = 0) -> dict[str, Path]:
    """Write the demo data.

    Args:
        folder: Where; made if it is missing.
        seed: The same seed gives the same bytes.

    Returns:
        Paths by name: "pairs" (prompt, chosen, rejected, source), and "sft_data" (demonstrations), "sft" and "rl"
        (answers of two policy stages, several a prompt at "sft"), all three on the same prompts (prompt, response).

    Raises:
        InputError: when the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder: {error.strerror}", where=str(folder)) from None
    tables = {"pairs": _pairs(seed), **_stages(seed)}
    return {name: _save(folder / f"{name}.jsonl", rows) for name, rows in tables.items()}


def _pairs(seed: int) -> Iterable[Pair]:
    rng = stream(seed, "demo.pairs")
    rows: list[Pair] = []
    for lang, count in STORY.pairs.items():
        author = Author(lang, rng)
        tasks = author.tasks(count + sum(STORY.noise.values()))
        habits = {side: _planted(rng, side, count) for side in ("chosen", "rejected")}
        regular = zip(tasks[:count], habits["chosen"], habits["rejected"], strict=True)
        rows += [_pair(author, rng, *each) for each in regular]
        if lang == "en":  # long texts, so that one letter is a small part of them
            plain = (_pair(author, rng, task, Habits(), Habits()) for task in tasks[count:])
            rows += troubled(plain)
    return [rows[index] for index in rng.permutation(len(rows))]


def _pair(author: Author, rng: np.random.Generator, task: Task, chosen: Habits, rejected: Habits) -> Pair:
    source = "crowd" if rng.random() < CROWD_SHARE else "expert"
    breadth = rng.normal(STORY.sentences["rejected"], 1.2)  # some questions ask for more than others
    more = breadth + STORY.longer_by[source]
    better = author.answer(task, _count(rng, author, more), chosen)
    worse = author.answer(task, _count(rng, author, breadth), rejected, stray=rng.random() < STRAY_SHARE)
    return {
        "prompt": task.prompt,
        "chosen": author.layout(better, fondness=LIST_FONDNESS),
        "rejected": author.layout(worse),
        "source": source,
    }


def _stages(seed: int) -> dict[str, list[Pair]]:
    rng = stream(seed, "demo.stages")
    authors = {lang: Author(lang, rng) for lang in STORY.prompts}
    tasks = {lang: authors[lang].tasks(count) for lang, count in STORY.prompts.items()}
    order = rng.permutation(sum(STORY.prompts.values()))
    tables = {}
    for stage, samples in STORY.samples.items():
        rows = [
            {"prompt": task.prompt, "response": author.layout(author.answer(task, sentences, habits))}
            for lang, author in authors.items()
            for asked in [[task for task in tasks[lang] for _ in range(samples)]]
            for task, habits in zip(asked, _planted(rng, stage, len(asked)), strict=True)
            for sentences in [_count(rng, author, STORY.sentences[stage])]
        ]
        tables[stage] = [rows[samples * index + at] for index in order for at in range(samples)]
    return tables


def _planted(rng: np.random.Generator, side: str, count: int) -> Iterator[Habits]:
    """Which habits each of `count` answers has: every habit in exactly its share of them, independently."""
    members = {
        name: set(rng.permutation(count)[: round(habit.rates[side] * count)]) for name, habit in STORY.habits.items()
    }
    return (Habits(name for name, chosen in members.items() if at in chosen) for at in range(count))


def _count(rng: np.random.Generator, author: Author, mean: float) -> int:
    """How many sentences, about `mean` of them where sentences are of middling length."""
    return max(3, round(STORY.brevity[author.lang] * rng.normal(mean, 2.2)))


def _save(path: Path, rows: Iterable[Pair]) -> Path:
    write_atomic(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path
