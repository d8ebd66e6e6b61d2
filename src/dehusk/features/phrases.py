"""A short list of phrases, each whole and each once.

Near variants (contractions, inflection) are one phrase, tested together; a phrase whose surplus is carried by a
longer one, all variants taken together, is only mentioned beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dehusk.features.folding import CARRIED, cohesive, is_topical, maximal, strength, typical_drift, z_score
from dehusk.features.ngrams import Grams
from dehusk.text.canonical import END, START, is_cjk

Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]

LEAST_Z, MOST = 2.5, 150  # smallest |z| of a candidate, longest list
_CONTRACTIONS = (("n't", " not"), ("'re", " are"), ("'ll", " will"), ("'ve", " have"), ("'m", " am"), ("'s", " is"))
_ENDINGS = re.compile(r"(?<=\w{3})(?:ing|ed|es|ly|s)$")


@dataclass(frozen=True)
class Phrase:
    """A maximal phrase, the number of texts of each side that have it, and what belongs to it."""

    words: tuple[str, ...]  # canonical tokens, START or END included where the phrase opens or closes a text
    early: int
    late: int
    variants: tuple[tuple[str, ...], ...] = ()  # the same phrase but for contraction or inflection, head included
    related: tuple[tuple[str, ...], ...] = ()  # shorter phrases that this one carries


def select(grams: Grams, prompts: int, *, least_z: float = LEAST_Z, most: int = MOST) -> list[Phrase]:
    """The phrases worth testing on held-out prompts: maximal, not topical, strongest first, in families.

    Args:
        grams: Frequent n-grams of the discovery half.
        prompts: Number of prompts in it.
        least_z: Smallest |z| of a candidate.
        most: Longest list returned.
    """
    power = strength(grams.early, grams.late, typical_drift(grams, len(grams.tokens.offsets) - 1))
    holds = cohesive(grams)
    fit = (
        maximal(grams, holds) & holds & (np.abs(z_score(grams)) >= least_z) & (power > 0) & ~is_topical(grams, prompts)
    )
    candidates = np.flatnonzero(fit)
    weight = _telling(power[candidates], grams.length[candidates])
    candidates = candidates[np.lexsort((-grams.length[candidates], -weight))]
    phrases = []
    for gram in candidates[: 4 * most].tolist():
        words = tuple(grams.words(gram))
        if has_substance(words):
            phrases.append(Phrase(words, int(grams.early[gram]), int(grams.late[gram])))
    return _families(phrases)[:most]


def fewest_prompts(grams: Grams, prompts: int, length: int) -> int | None:
    """Later texts, one a prompt, from which on `select` lists a phrase of `length` tokens that no other text has.

    None where even every prompt is too few, or where the list is full of stronger ones.
    """
    drift = typical_drift(grams, len(grams.tokens.offsets) - 1)
    listed = select(grams, prompts)
    weakest = 0.0
    if len(listed) == MOST:
        early, late, lengths = np.array([(phrase.early, phrase.late, len(phrase.words)) for phrase in listed]).T
        weakest = float(_telling(strength(early, late, drift), lengths).min())
    count = np.arange(1, prompts + 1)
    listable = _telling(strength(np.zeros_like(count), count, drift), np.array(length)) > weakest
    fit = count[listable & (np.sqrt(count) >= LEAST_Z)]
    return int(fit[0]) if fit.size else None


def _telling(power: Floats, length: Ints) -> Floats:
    """Strength that counts for rank: of two about as strong, the longer names the habit rather than a shred of it."""
    weight: Floats = power * (1 + 0.1 * np.minimum(length - 1, 5))
    return weight


def has_substance(words: tuple[str, ...]) -> bool:
    """At least one word of two letters, or two Chinese characters."""
    inner = [word for word in words if any(letter.isalnum() for letter in word)]
    if all(is_cjk(word) for word in inner):
        return len(inner) >= 2
    return any(sum(letter.isalpha() for letter in word) >= 2 for word in inner)


def spoken(words: tuple[str, ...]) -> list[str]:
    """The tokens that a reader sees: START and END left out."""
    return [word for word in words if word not in (START, END)]


def _families(phrases: list[Phrase]) -> list[Phrase]:
    """Merge near variants, and put every phrase that a longer one carries beside it; order of strength is kept."""
    merged: dict[str, Phrase] = {}
    for phrase in phrases:
        key = stem(phrase.words)
        known = merged.get(key)
        if known is None:
            merged[key] = replace(phrase, variants=(phrase.words,))
        else:  # counted together: that no text has two variants is near enough for ranking
            merged[key] = replace(
                known,
                early=known.early + phrase.early,
                late=known.late + phrase.late,
                variants=(*known.variants, phrase.words),
            )
    heads: list[Phrase] = []
    spelled: list[list[str]] = []  # variants of each head, as substrings to look for
    for phrase in merged.values():
        ours = [f" {' '.join(words)} " for words in phrase.variants]
        for index, head in enumerate(heads):
            if _is_carried(phrase, ours[0], head, spelled[index]):
                heads[index] = replace(head, related=(*head.related, phrase.words))
                break
            if _is_carried(head, spelled[index][0], phrase, ours):
                heads[index], spelled[index] = replace(phrase, related=(head.words, *head.related)), ours
                break
        else:
            heads.append(phrase)
            spelled.append(ours)
    return heads


def _is_carried(part: Phrase, spelling: str, whole: Phrase, spellings: list[str]) -> bool:
    """Whether a phrase stands inside every variant of a longer one that has nearly all of its surplus."""
    ours, theirs = part.late - part.early, whole.late - whole.early
    if ours * theirs <= 0 or abs(theirs) < CARRIED * abs(ours) or len(spelling) >= len(spellings[0]):
        return False
    return all(spelling in longer and spelling != longer for longer in spellings)


def stem(words: tuple[str, ...]) -> str:
    """Key under which near variants meet.

    >>> stem(("here's", "a", "comprehensive", "list")) == stem(("here", "is", "a", "comprehensive", "lists"))
    True
    """
    spelled = []
    for word in words:
        for short, full in _CONTRACTIONS:
            if word.endswith(short):
                word = word.removesuffix(short) + full  # noqa: PLW2901 - a word becomes its long form
                break
        spelled += [_ENDINGS.sub("", part) for part in word.split()]
    return " ".join(spelled)
