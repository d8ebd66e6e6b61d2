"""Frequent n-grams of two groups of texts, counted once a prompt and side, level by level.

An n-gram can be frequent only if both (n − 1)-grams inside it are (Agrawal and Srikant, 1994), so each level looks
only at positions where the level below survived. All counting is sorting of integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dehusk.text.canonical import BREAK, END, START, Tokens, is_cjk

Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

WORD_COST, CJK_COST, MAX_COST = 2, 1, 24  # at most 12 words, or 24 Chinese characters, or a mix
NONE = -1


@dataclass(frozen=True)
class Grams:
    """Frequent n-grams, shapes (g,), shorter ones first.

    `early` and `late` count the texts of each side that have the n-gram; `early_prompts`, `late_prompts` and
    `both_prompts` count the prompts in which some text of the side (of both sides) has it. `first` and `last` are
    token ids; `prefix` and `suffix` are the n-grams without the last and the first token (−1 for single tokens).
    `at[n - 1][i]` is the n-gram that starts at token i, or −1.
    """

    tokens: Tokens
    length: Ints
    first: Ints
    last: Ints
    prefix: Ints
    suffix: Ints
    early: Ints
    late: Ints
    early_prompts: Ints
    late_prompts: Ints
    both_prompts: Ints
    at: tuple[Ints, ...]

    def words(self, gram: int) -> list[str]:
        """Canonical tokens of one n-gram."""
        found: list[str] = []
        while gram != NONE:
            found.append(self.tokens.vocabulary[int(self.last[gram])])
            gram = int(self.prefix[gram])
        return found[::-1]


@dataclass(frozen=True)
class _Level:
    first: Ints
    last: Ints
    prefix: Ints
    suffix: Ints
    counts: tuple[Ints, ...]  # early, late, early_prompts, late_prompts, both_prompts


def frequent_ngrams(tokens: Tokens, groups: Ints, late: Bools, minimum: int, *, keep_positions: int = 4) -> Grams:
    """Find every n-gram that stands in at least `minimum` prompts on one side.

    Args:
        tokens: n tokenised texts.
        groups: Prompt of each text, shape (n,), 0 … g−1.
        late: Whether each text is of the later (chosen) side, shape (n,).
        minimum: Prompts needed, the two sides added up.
        keep_positions: Levels for which `at` is kept, for templates.
    """
    texts, unit_of = by_unit(tokens, groups, late)
    cost, blocked, start, end = _token_kinds(tokens.vocabulary)
    levels: list[_Level] = []
    kept: list[Ints] = []
    base, gram_cost = 0, cost
    here = np.flatnonzero(~blocked[tokens.ids])  # where an n-gram of this level may start
    keys = prefixes = suffixes = tokens.ids[here]
    at = np.full(len(tokens.ids) + 1, NONE)  # n-gram of the current level at each position
    while True:
        frequent, counts = count_units(keys, texts[here], unit_of, minimum)
        if not frequent.size:
            break
        n = len(levels) + 1
        rank = np.minimum(np.searchsorted(frequent, keys), frequent.size - 1)
        survived = np.flatnonzero(frequent[rank] == keys)
        ids = rank[survived]
        first = np.empty(frequent.size, dtype=np.int64)  # where each n-gram stands first
        first[ids[::-1]] = survived[::-1]
        last = tokens.ids[here[first] + n - 1]
        opening = tokens.ids[here[first]]
        here = here[survived]
        root = np.full(frequent.size, NONE)
        levels.append(
            _Level(opening, last, root if n == 1 else prefixes[first], root if n == 1 else suffixes[first], counts)
        )
        gram_cost = cost[last] if n == 1 else gram_cost[levels[-1].prefix - (base - levels[-2].last.size)] + cost[last]
        at[:] = NONE
        at[here] = ids
        if n <= keep_positions:
            kept.append(np.where(at[:-1] == NONE, NONE, at[:-1] + base))
        # An (n + 1)-gram needs both of its n-grams, must stay in its text, and must not be too long.
        going = (at[here + 1] != NONE) & (tokens.ids[here] != end)
        here, ids = here[going], ids[going]
        added = tokens.ids[here + n]
        fits = (added != start) & (gram_cost[ids] + cost[added] <= MAX_COST)
        here, ids, added = here[fits], ids[fits], added[fits]
        keys, prefixes, suffixes = ids * cost.size + added, ids + base, at[here + 1] + base
        base += frequent.size
    return _gather(tokens, levels, tuple(kept))


def _token_kinds(vocabulary: list[str]) -> tuple[Ints, Bools, int, int]:
    """Cost of each token, whether it can stand in no phrase, and the ids of START and END."""
    cost = np.array([CJK_COST if is_cjk(token) else 0 if token in (START, END) else WORD_COST for token in vocabulary])
    blocked = np.array([token in (BREAK, "") for token in vocabulary], dtype=bool)
    ids = {token: index for index, token in enumerate(vocabulary)}
    return cost.astype(np.int64), blocked, ids.get(START, NONE), ids.get(END, NONE)


def by_unit(tokens: Tokens, groups: Ints, late: Bools) -> tuple[Ints, Ints]:
    """Renumber texts so that those of one prompt and side are neighbours.

    Returns:
        New text number of each token, shape (t,), and the unit (prompt and side) of each text, ascending, shape (n,).
    """
    unit = groups * 2 + late
    order = np.argsort(unit, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    return place[tokens.documents], unit[order]


def count_units(keys: Ints, texts: Ints, unit_of: Ints, minimum: int) -> tuple[Ints, tuple[Ints, ...]]:
    """Keys that occur in at least `minimum` units (prompt and side), ascending, with the five counts of `Grams`.

    Args:
        keys: Key of each occurrence, shape (t,).
        texts: Text of each occurrence, numbered in the order of their units, shape (t,).
        unit_of: Unit of each text, ascending, shape (n,).
        minimum: Units needed.
    """
    bits = unit_of.size.bit_length()
    combined = (keys << bits) | texts
    combined.sort()
    combined = combined[np.diff(combined, prepend=-1) != 0]
    keys, unit = combined >> bits, unit_of[combined & ((1 << bits) - 1)]
    new_key = np.diff(keys, prepend=-1) != 0
    new_unit = new_key | (np.diff(unit, prepend=-1) != 0)
    starts, places = np.flatnonzero(new_key), np.flatnonzero(new_unit)  # of each key, of each unit that has it
    if not starts.size:
        return starts, (starts,) * 5
    held = unit[places]
    # A prompt's early side stands right before its late side, if it has the key at all.
    twin = (held & 1 == 1) & ~new_key[places] & (np.diff(held, prepend=-1) == 1)
    firsts = np.searchsorted(places, starts)
    total, units = np.diff(starts, append=keys.size), np.diff(firsts, append=places.size)
    late_texts, late_units = np.add.reduceat(unit & 1, starts), np.add.reduceat(held & 1, firsts)
    both = np.add.reduceat(twin.astype(np.int64), firsts)
    counts = (total - late_texts, late_texts, units - late_units, late_units, both)
    frequent = units >= minimum
    return keys[starts][frequent], tuple(count[frequent] for count in counts)


def _gather(tokens: Tokens, levels: list[_Level], at: tuple[Ints, ...]) -> Grams:
    def joined(parts: list[Ints]) -> Ints:
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)

    early, late, early_prompts, late_prompts, both_prompts = (
        joined([level.counts[index] for level in levels]) for index in range(5)
    )
    return Grams(
        tokens=tokens,
        length=joined([np.full(level.last.size, n) for n, level in enumerate(levels, 1)]),
        first=joined([level.first for level in levels]),
        last=joined([level.last for level in levels]),
        prefix=joined([level.prefix for level in levels]),
        suffix=joined([level.suffix for level in levels]),
        early=early,
        late=late,
        early_prompts=early_prompts,
        late_prompts=late_prompts,
        both_prompts=both_prompts,
        at=at,
    )
