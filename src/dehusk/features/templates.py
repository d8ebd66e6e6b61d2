"""Phrases with a gap: "it's not … it's …", 一句…但…的话.

Two or three short n-grams in one sentence, in this order, with one to `MAX_GAP` tokens between them that vary: what
fixed phrases cannot show. Counted like phrases, once a text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dehusk.features.folding import CARRIED, strength, typical_drift, z_score
from dehusk.features.ngrams import NONE, Grams, by_unit, count_units
from dehusk.features.phrases import Phrase, has_substance, spoken
from dehusk.text.canonical import BREAK, START

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

MAX_GAP = 8  # tokens a slot may hold
PARTS = 400  # n-grams tried as parts of a template
MOST_COMMON_FILLER = 0.4  # above this share the slot is no slot but a fixed phrase
LIFT = 3.0  # how much more often than chance the second part must follow the first
SLOT = "…"  # stands between the parts in `Phrase.words`; no canonical token contains it


class _Hits(NamedTuple):
    """Occurrences of a template, or of its beginning, shapes (h,)."""

    key: Ints
    text: Ints
    sentence: Ints
    end: Ints  # first token after it
    filler: Ints  # hash of what its last slot holds
    gap: Ints  # tokens in its last slot


@dataclass(frozen=True)
class _Ground:
    """The token stream seen as parts: `at[n - 1][i]` is the part of n tokens that starts at i, or −1."""

    grams: Grams
    parts: Ints  # n-gram of each part, shape (p,)
    at: tuple[Ints, ...]  # `MAX_GAP` + 1 places longer than the stream
    texts: Ints
    sentences: Ints
    unit_of: Ints
    hashes: Ints  # running sum of one random number a word: the difference of two places tells their words apart


def select_templates(grams: Grams, groups: Ints, late: Bools, minimum: int, *, most: int = 30) -> list[Phrase]:
    """Templates worth testing on held-out prompts, strongest first.

    Args:
        grams: Frequent n-grams of the discovery half, with positions.
        groups: Prompt of each text, shape (n,).
        late: Whether each text is of the later side, shape (n,).
        minimum: Prompts needed, the two sides added up.
        most: Longest list returned.
    """
    ground = _ground(grams, groups, late)
    if not ground.parts.size:
        return []
    drift = typical_drift(grams, len(grams.tokens.offsets) - 1)
    starts = _starts(ground)
    hits = _follow(ground, starts)
    found: list[tuple[float, Phrase, Ints]] = []
    alone = strength(grams.early[ground.parts], grams.late[ground.parts], drift)
    for telling, key, early, later in _strong(ground, starts, hits, minimum, drift, alone, 2 * most):
        two = _phrase(ground, key, early, later)
        phrase, at = _extended(ground, _only(hits, key), two, minimum, drift)
        found.append((telling * len(phrase.words) / len(two.words), phrase, np.unique(at.text)))
    found.sort(key=lambda item: -item[0])
    return _distinct(found)[:most]


def _ground(grams: Grams, groups: Ints, late: Bools) -> _Ground:
    texts, unit_of = by_unit(grams.tokens, groups, late)
    score = np.abs(z_score(grams)) * (grams.length <= len(grams.at))
    order = np.argsort(-score, kind="stable")[: 3 * PARTS]
    fit = [gram for gram in order.tolist() if score[gram] >= 1.5 and _is_part(grams.words(gram))][:PARTS]
    parts = np.array(fit, dtype=np.int64)
    lookup = np.full(grams.last.size + 1, NONE)
    lookup[parts] = np.arange(parts.size)
    beyond = np.full(MAX_GAP + 1, NONE)  # so that looking ahead never leaves the array
    at = tuple(lookup[np.append(found, beyond)] for found in grams.at)  # −1 reads the extra last slot, which is −1
    stops = [i for i, token in enumerate(grams.tokens.vocabulary) if token in (BREAK, START)]
    sentences: Ints = np.cumsum(np.isin(grams.tokens.ids, stops)).astype(np.int64)
    numbers = np.random.default_rng(0).integers(1 << 62, size=len(grams.tokens.vocabulary), dtype=np.int64)
    hashes = np.concatenate([[0], np.cumsum(numbers[grams.tokens.ids])])  # wraps around, which does no harm
    return _Ground(grams, parts, at, texts, sentences, unit_of, hashes)


def _is_part(words: list[str]) -> bool:
    return len(spoken(tuple(words))) == len(words) and any(letter.isalpha() for word in words for letter in word)


def _starts(ground: _Ground) -> _Hits:
    """Every occurrence of a part, as the beginning of a template."""
    pieces = []
    for n, at in enumerate(ground.at, 1):
        where = np.flatnonzero(at != NONE)
        pieces.append(
            _Hits(at[where], ground.texts[where], ground.sentences[where], where + n, where, np.zeros_like(where))
        )
    return _joined(pieces)


def _follow(ground: _Ground, before: _Hits) -> _Hits:
    """Every part that follows a beginning in its sentence after 1 to `MAX_GAP` tokens; key = beginning · p + part."""
    pieces = []
    for gap in range(1, MAX_GAP + 1):
        for n, at in enumerate(ground.at, 1):
            place = before.end + gap
            kept = np.flatnonzero(at[place] != NONE)
            kept = kept[ground.sentences[place[kept] + n - 1] == before.sentence[kept]]
            place = place[kept]
            key = before.key[kept] * ground.parts.size + at[place]
            filler = ground.hashes[place] - ground.hashes[before.end[kept]]
            pieces.append(
                _Hits(key, before.text[kept], before.sentence[kept], place + n, filler, np.full_like(kept, gap))
            )
    return _joined(pieces)


def _joined(pieces: list[_Hits]) -> _Hits:
    return _Hits(*(np.concatenate(column) for column in zip(*pieces, strict=True)))


def _only(hits: _Hits, key: int) -> _Hits:
    where = hits.key == key
    return _Hits(*(column[where] for column in hits))


def _strong(
    ground: _Ground, starts: _Hits, hits: _Hits, minimum: int, drift: float, alone: Floats, most: int
) -> list[tuple[float, int, int, int]]:
    """Templates whose parts go together, and whose difference is significant and more than either part's own.

    Returns:
        How telling each is, its key, and how many texts of the earlier and of the later side have it.
    """
    keys, counts = count_units(hits.key, hits.text, ground.unit_of, minimum)
    if not keys.size:
        return []
    place = np.minimum(np.searchsorted(keys, hits.key), keys.size - 1)
    known = keys[place] == hits.key
    together = np.bincount(place[known], minlength=keys.size)
    gap = np.bincount(place[known], hits.gap[known], keys.size) / np.maximum(together, 1)
    times = np.bincount(starts.key, minlength=ground.parts.size)
    early, late, early_prompts, late_prompts, both = counts
    gained, lost = late_prompts - both, early_prompts - both
    power = strength(early, late, drift)
    first, second = np.divmod(keys, ground.parts.size)
    fit = (np.abs(gained - lost) / np.sqrt(np.maximum(gained + lost, 1)) >= 3) & (first != second)
    surplus, parts = np.abs(late - early), np.abs(ground.grams.late - ground.grams.early)[ground.parts]
    carries = surplus >= CARRIED * np.maximum(parts[first], parts[second])
    fit &= carries | (power > np.maximum(alone[first], alone[second]))
    fit &= together * ground.texts.size >= LIFT * times[first] * times[second] * MAX_GAP
    length = (ground.grams.length[ground.parts[first]] + ground.grams.length[ground.parts[second]]).astype(np.int64)
    fit &= length >= 3
    fit[fit] = _varied(keys[fit], hits) if fit.any() else False
    best: Ints = np.flatnonzero(fit)
    # Of templates about as strong, the one that says more and leaves less open.
    telling = power * (1 + 0.1 * length - 0.05 * gap)
    best = best[np.argsort(-telling[best], kind="stable")][:most]
    return [(float(telling[i]), int(keys[i]), int(early[i]), int(late[i])) for i in best]


def _varied(keys: Ints, hits: _Hits) -> Bools:
    """Whether the last slot of each key varies: no one filler has more than its share. Shape as `keys`, ascending."""
    place = np.minimum(np.searchsorted(keys, hits.key), keys.size - 1)
    here = keys[place] == hits.key
    place, filler = place[here], hits.filler[here]
    order = np.lexsort((filler, place))
    place, filler = place[order], filler[order]
    starts = np.flatnonzero((np.diff(place, prepend=-1) != 0) | (np.diff(filler, prepend=0) != 0))
    most = np.zeros(keys.size, dtype=np.int64)
    np.maximum.at(most, place[starts], np.diff(starts, append=place.size))
    varied: Bools = most <= MOST_COMMON_FILLER * np.bincount(place, minlength=keys.size)
    return varied


def _extended(ground: _Ground, hits: _Hits, phrase: Phrase, minimum: int, drift: float) -> tuple[Phrase, _Hits]:
    """The same template with a third part, when one carries nearly all of its surplus."""
    further = _follow(ground, hits._replace(key=np.zeros_like(hits.key)))
    keys, counts = count_units(further.key, further.text, ground.unit_of, minimum)
    if keys.size:
        early, late = counts[0], counts[1]
        kept = np.abs(late - early) >= CARRIED * abs(phrase.late - phrase.early)
        kept &= (strength(early, late, drift) > 0) & _varied(keys, further)
        if kept.any():
            best = int(np.flatnonzero(kept)[np.argmax(ground.grams.length[ground.parts[keys[kept]]])])
            words = (*phrase.words, SLOT, *ground.grams.words(int(ground.parts[keys[best]])))
            return Phrase(words, int(early[best]), int(late[best]), (words,)), _only(further, int(keys[best]))
    return phrase, hits


def _phrase(ground: _Ground, key: int, early: int, late: int) -> Phrase:
    first, second = (ground.grams.words(int(ground.parts[part])) for part in divmod(key, ground.parts.size))
    words = (*first, SLOT, *second)
    return Phrase(words, early, late, (words,))


def _distinct(found: list[tuple[float, Phrase, Ints]]) -> list[Phrase]:
    """Drop templates that stand in the same texts as a stronger one."""
    kept: list[tuple[Phrase, Ints]] = []
    for _, phrase, texts in found:
        shared = (np.intersect1d(texts, other, assume_unique=True).size for _, other in kept)
        if has_substance(phrase.words) and all(
            count < 0.6 * min(texts.size, other.size) for count, (_, other) in zip(shared, kept, strict=True)
        ):
            kept.append((phrase, texts))
    return [phrase for phrase, _ in kept]
