"""Catchphrases as features: from two sides of a table to phrases and templates that any probe can test.

Mining looks only at the discovery half of the prompts; the features it returns are marked with the table they came
from, so `Measures.values` hides that half from every test.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from itertools import pairwise
from operator import or_
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from dehusk.core.kinds import Feature, miners
from dehusk.core.tables import TABLE_OF, Measures, Pairs, Responses
from dehusk.features.ngrams import Grams, frequent_ngrams
from dehusk.features.phrases import Phrase, fewest_prompts, select, spoken, stem
from dehusk.features.templates import MAX_GAP, SLOT, select_templates
from dehusk.features.views import spelled
from dehusk.text.canonical import BREAK, END, START, canonical, is_cjk, readable, tokenise

Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

MOST_TEXTS = 20_000  # texts mined per contrast: enough to see a phrase that stands in 0.1 % of them
MOST_CHARACTERS = 40_000_000
KINDS = ("phrase", "template")  # of mined features; their families too
POSITIONS = {(False, False): "anywhere", (True, False): "opening", (False, True): "closing", (True, True): "whole"}
SHOWN = {"anywhere": "{}", "opening": "{} …", "closing": "… {}", "whole": "[{}]"}
_SEPARATOR = r"(?:[^\w\n.!?。！？…]|_)"  # what may stand between the words of one phrase
LEAST_PROMPTS, LEAST_SHARE = 5, 5e-4  # a phrase must stand in 5 prompts, and in 0.05 % of the texts


@dataclass(frozen=True)
class Contrast:
    """Two sides of one table, matched by prompt: the earlier (rejected) and the later (chosen) texts."""

    texts: pl.Series
    groups: Ints  # shape (n,), 0 … g−1
    late: Bools  # shape (n,)

    @property
    def minimum(self) -> int:
        """Prompts, the two sides added up, in which a phrase must stand."""
        return max(LEAST_PROMPTS, math.ceil(LEAST_SHARE * len(self.texts)))

    @property
    def prompts(self) -> int:
        """Number of prompts."""
        return int(self.groups.max(initial=-1)) + 1

    @cached_property
    def grams(self) -> Grams:
        """Frequent n-grams of both sides."""
        tokens = tokenise(self.texts.to_frame("text").select(canonical(pl.col("text")))["text"])
        return frequent_ngrams(tokens, self.groups, self.late, self.minimum)

    def fewest(self, length: int) -> int | None:
        """Prompts in which a phrase of `length` tokens that only the later side has must stand to be mined, if any."""
        found = fewest_prompts(self.grams, self.prompts, length) if self.prompts else None
        return None if found is None else max(found, self.minimum)


def mine(table: Pairs | Responses, discovery: Bools, rng: np.random.Generator) -> tuple[Feature, ...]:
    """Run every miner on every contrast of a table's discovery half.

    Args:
        table: Pairs (rejected against chosen) or responses (each stage against the next, the first against the last).
        discovery: Rows that may be looked at, shape (n,).
        rng: Chooses the prompts when there are more texts than `MOST_TEXTS`.

    Returns:
        Features, strongest first; no name twice, and of near variants ("context", "contexts") only the first.
    """
    found: dict[str, Feature] = {}
    name = "pairs" if isinstance(table, Pairs) else "responses"
    for contrast in contrasts(table, discovery, rng):
        if len(contrast.texts) == 0:
            continue
        for miner in miners:
            for feature in miner.thing(contrast, name):
                known = stem(feature.details["tokens"][0]) if feature.details["kind"] == "phrase" else feature.name
                found.setdefault(known, feature)
    return tuple(found.values())


def count_variants(measures: Measures, *, pairs: Pairs | None, responses: Responses | None) -> Measures:
    """Say of every near variant in how many texts of each side it stands: the family is tested as one.

    Only texts that have some variant are looked at again.
    """
    texts: dict[str, pl.Series] = {}
    if pairs is not None:
        texts |= {"chosen": pairs.frame["chosen"], "rejected": pairs.frame["rejected"]}
    if responses is not None:
        texts["response"] = responses.frame["response"]

    def counts(feature: Feature, words: tuple[str, ...], table: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for side in (side for side in texts if TABLE_OF[side] == table):
            rows = np.flatnonzero(measures.all_values(side, feature.name) > 0)
            has = texts[side].gather(rows).to_frame("t").select(t=contains(canonical(pl.col("t")), words))["t"]
            if responses is None or side != "response":
                found[side] = int(has.sum())
            else:
                stage = responses.frame["stage"].gather(rows).filter(has)
                found |= {name: int((stage == name).sum()) for name in responses.stages}
        return found

    def counted(feature: Feature) -> Feature:
        if feature.discovered is None or len(feature.details["tokens"]) == 1:
            return feature
        variants = [
            variant | counts(feature, words, feature.discovered)
            for variant, words in zip(feature.details["variants"], feature.details["tokens"], strict=True)
        ]
        return replace(feature, details=MappingProxyType({**feature.details, "variants": variants}))

    return replace(measures, features=tuple(counted(feature) for feature in measures.features))


def contrasts(table: Pairs | Responses, discovery: Bools, rng: np.random.Generator) -> Iterator[Contrast]:
    """The pairs of sides to compare, the headline comparison first, each within the size limits.

    Only the texts that will be mined are copied, so a table of any size costs no more than `MOST_CHARACTERS`.
    """
    rows = np.flatnonzero(discovery)
    if isinstance(table, Pairs):
        kept = _some_prompts(table, ("rejected", "chosen"), rows, rng)
        texts = pl.concat([table.frame["rejected"].gather(kept), table.frame["chosen"].gather(kept)])
        yield Contrast(texts, _ranked(np.tile(table.groups[kept], 2)), np.arange(2 * kept.size) >= kept.size)
        return
    steps = list(pairwise(table.stages))
    if len(table.stages) > 2:
        steps.insert(0, (table.stages[0], table.stages[-1]))
    for early, late in steps:
        sides = [np.intersect1d(rows, table.at(stage), assume_unique=True) for stage in (early, late)]
        # Prompts that one of the stages lacks would compare topics, not stages.
        shared = np.intersect1d(table.groups[sides[0]], table.groups[sides[1]])
        both = np.concatenate(sides)
        kept = _some_prompts(table, ("response",), both[np.isin(table.groups[both], shared)], rng)
        texts = table.frame["response"].gather(kept)
        yield Contrast(texts, _ranked(table.groups[kept]), np.isin(kept, sides[1]))


def _some_prompts(table: Pairs | Responses, columns: tuple[str, ...], rows: Ints, rng: np.random.Generator) -> Ints:
    """Rows of whole prompts, chosen at random, that keep the texts of `columns` within the limits."""
    size = sum(int(table.frame[column].str.len_bytes().gather(rows).sum()) for column in columns)
    share = min(1.0, MOST_TEXTS / max(rows.size * len(columns), 1), MOST_CHARACTERS / max(size, 1))
    if share == 1.0:
        return rows
    prompts = np.unique(table.groups[rows])
    kept = rng.choice(prompts, size=max(1, int(share * prompts.size)), replace=False)
    return rows[np.isin(table.groups[rows], kept)]


def _ranked(groups: Ints) -> Ints:
    """Groups renumbered 0 … g−1."""
    ranks: Ints = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    return ranks


@miners.add("phrases")
def phrases(contrast: Contrast, table: str) -> tuple[Feature, ...]:
    """Maximal phrases of 1 to 12 words, or 2 to 24 Chinese characters, that one side has more often."""
    return tuple(as_feature(phrase, table) for phrase in select(contrast.grams, contrast.prompts))


@miners.add("templates")
def templates(contrast: Contrast, table: str) -> tuple[Feature, ...]:
    """Phrases with a slot that varies, such as "it's not … it's …"."""
    found = select_templates(contrast.grams, contrast.groups, contrast.late, contrast.minimum)
    return tuple(as_feature(template, table) for template in found)


def as_feature(phrase: Phrase, table: str | None) -> Feature:
    """Presence of a phrase, its near variants included, in the response but not in its prompt."""
    words = spoken(phrase.words)
    kind = KINDS[SLOT in words]
    position = POSITIONS[phrase.words[0] == START, phrase.words[-1] == END]
    shown = SHOWN[position].format(readable(words))

    def measure(prompt: pl.Expr, response: pl.Expr) -> pl.Expr:
        said, asked = spelled(response), spelled(prompt)
        here = reduce(or_, (contains(said, variant) for variant in phrase.variants))
        return here & ~reduce(or_, (contains(asked, tuple(spoken(variant))) for variant in phrase.variants))

    details = {
        "kind": kind,
        "position": position,
        "tokens": phrase.variants,
        "variants": [{"phrase": readable(spoken(variant))} for variant in phrase.variants],
        "related": [readable(spoken(related)) for related in phrase.related[:10]],
    }
    return Feature(
        name=f"“{shown}”",
        unit="presence",
        family=kind,
        about=f"A {kind} found in this data; counted once a response, not counted where the prompt has it.",
        measure=measure,
        lang="zh" if any(is_cjk(word) for word in words) else "en",
        highlight="|".join(typed(spoken(variant)) for variant in phrase.variants),
        discovered=table,
        details=MappingProxyType(details),
    )


def contains(text: pl.Expr, words: tuple[str, ...]) -> pl.Expr:
    """Whether canonical texts contain canonical tokens, `SLOT` standing for 1 to `MAX_GAP` of any in the sentence."""
    if SLOT not in words:
        return text.str.contains(f" {' '.join(words)} ", literal=True)
    parts = " ".join(words).split(f" {SLOT} ")
    slot = f" (?:[^ {BREAK}]+ ){{1,{MAX_GAP}}}"
    return text.str.contains(f" {slot.join(re.escape(part) for part in parts)} ")


def typed(words: list[str]) -> str:
    """Regular expression (Python's) of canonical tokens as people type them."""
    pattern, before = "", ""
    for word in words:
        if word == SLOT:
            part = (
                rf"(?:{_SEPARATOR}+[^\s.!?。！？…]+?){{1,{MAX_GAP}}}?"
                if not is_cjk(before)
                else r"[^.!?。！？…\n]{1,12}?"
            )
        elif is_cjk(word):
            part = (f"{_SEPARATOR}*" if before else "") + re.escape(word)
        else:
            part = (f"{_SEPARATOR}+" if before and not is_cjk(before) else r"\b") + word.replace("'", "['’]") + r"\b"
        pattern, before = pattern + part, word
    return f"(?i:{pattern})"
