"""Which of thousands of overlapping n-grams are phrases, and how strongly each tells the sides apart.

An n-gram is *folded* into a longer one when the longer one carries its surplus (later − earlier texts): "it's
essential" into "it's essential to". What is left is maximal; it must also hold together and not be a topic.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dehusk.features.ngrams import NONE, Grams
from dehusk.text.canonical import END, START, is_cjk

Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

CARRIED = 0.8  # share of a phrase's surplus that a longer phrase must carry to swallow it
CJK_LIFT, WORD_LIFT = 1.0, 0.25  # how much more often than chance an end must meet the rest (Latin words are whole)
RELATED = 0.7  # share of the head's surplus that a longer phrase must carry to be its relative


def strength(early: Ints, late: Ints, drift: float = 0.0) -> Floats:
    """How surely a presence multiplied: the 90 % lower bound of |log ratio of odds|, 0 where it covers 0, shape (g,).

    It ranks "2 → 37" above "380 → 566": a catchphrase is what multiplied, not what is common. `drift` is what
    happened to a typical word, because the texts grew or shrank; it can weaken a phrase, never strengthen it.
    """
    log_ratio = np.log((late + 0.5) / (early + 0.5))
    noise = np.sqrt(1 / (late + 0.5) + 1 / (early + 0.5))
    explained = np.clip(drift * np.sign(log_ratio), 0, None)
    bound: Floats = np.maximum(np.abs(log_ratio) - explained - 1.645 * noise, 0)
    return bound


def z_score(grams: Grams) -> Floats:
    """McNemar's statistic on prompts: in how many only the later side has the n-gram, and only the earlier. (g,)."""
    gained, lost = grams.late_prompts - grams.both_prompts, grams.early_prompts - grams.both_prompts
    z: Floats = (gained - lost) / np.sqrt(np.maximum(gained + lost, 1))
    return z


def typical_drift(grams: Grams, texts: int) -> float:
    """Median log ratio of the presences of single words that are neither rare nor everywhere."""
    total = grams.early + grams.late
    middling = (grams.length == 1) & (total >= 20) & (total <= 0.5 * texts)
    if middling.sum() < 30:
        return 0.0
    return float(np.median(np.log((grams.late[middling] + 0.5) / (grams.early[middling] + 0.5))))


def cohesive(grams: Grams) -> Bools:
    """Which n-grams hold together at both ends, shape (g,).

    The first and the last token must go with the rest more than chance would have it, by presence in texts:
    that is how a Chinese phrase is told from characters that happen to meet, without a dictionary.
    """
    total = (grams.early + grams.late).astype(np.float64)
    texts = len(grams.tokens.offsets) - 1
    vocabulary = grams.tokens.vocabulary
    needed = np.array([0.0 if word in (START, END) else CJK_LIFT if is_cjk(word) else WORD_LIFT for word in vocabulary])
    single = np.zeros(len(vocabulary))
    alone = grams.length == 1
    single[grams.last[alone]] = total[alone]
    holds: Bools = np.ones(grams.last.size, dtype=bool)
    at = np.flatnonzero(~alone)
    for rest, token in ((grams.prefix[at], grams.last[at]), (grams.suffix[at], grams.first[at])):
        holds[at] &= total[at] * texts >= needed[token] * total[rest] * single[token]
    return holds


def maximal(grams: Grams, holds: Bools) -> Bools:
    """Which n-grams are maximal: no longer cohesive one of the same direction carries their surplus. Shape (g,).

    From the longest down, each n-gram is weighed against what its extensions were folded into, so that a chain of
    small losses ("difficult to say" → … → "it is difficult to say definitively") does not swallow its beginning.
    """
    surplus, total = grams.late - grams.early, grams.late + grams.early
    size = np.abs(surplus)
    kept: Bools = np.ones(grams.last.size, dtype=bool)
    carried = size.copy()  # surplus of the phrase that stands for each n-gram
    for n in range(int(grams.length.max(initial=1)), 1, -1):
        longer = np.flatnonzero(grams.length == n)
        longer = longer[holds[longer] | ~kept[longer]]
        longer = np.concatenate([longer, longer])
        inside = np.concatenate([part[longer[: longer.size // 2]] for part in (grams.prefix, grams.suffix)])
        rest, noise = size[inside] - carried[longer], np.sqrt(np.maximum(total[inside] - total[longer], 1))
        folds = carried[longer] >= CARRIED * size[inside]
        # Or the longer one carries most, and what it leaves over is no more than chance.
        folds |= (carried[longer] >= RELATED * size[inside]) & (rest < 2 * noise) & (total[longer] < total[inside] / 2)
        folds &= np.sign(surplus[longer]) == np.sign(surplus[inside])
        longer, inside = longer[folds], inside[folds]
        kept[inside] = False
        carried[inside] = 0
        np.maximum.at(carried, inside, carried[longer])
    return kept


def is_topical(grams: Grams, prompts: int) -> Bools:
    """Whether presence goes with the prompt rather than with the side, shape (g,).

    A topic word stands in both answers to one prompt far more often than chance; a catchphrase does not.
    """
    both, vocabulary = grams.both_prompts, grams.tokens.vocabulary
    either = np.maximum(grams.early_prompts + grams.late_prompts - both, 1)
    lift = both * prompts / np.maximum(grams.early_prompts * grams.late_prompts, 1)
    topical: Bools = (both / either > 0.25) & (lift > 5)
    # A phrase that opens or closes a text is about a topic if it is so without that.
    for anchor, ends, inner in ((START, grams.first, grams.suffix), (END, grams.last, grams.prefix)):
        anchored = (inner != NONE) & np.isin(ends, [vocabulary.index(anchor)] if anchor in vocabulary else [])
        topical[anchored] = topical[inner[anchored]]
    return topical
