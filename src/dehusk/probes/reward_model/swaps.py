"""Pairs under other prompts: swapped ones, mixed ones, none; and the score differences they get."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.kinds import RewardModel
from dehusk.core.tables import Floats, Ints, Pairs

KEPT = (0.25, 0.5, 0.75)  # shares of the prompt between a swapped one (0) and its own (1)
BIN = 12  # prompts nearest in length, one of which takes the place of another
_TOKEN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]|[^\s\u3400-\u9fff\uf900-\ufaff]+\s*|\s+")


class Trial(NamedTuple):
    """n pairs and the prompts they are scored under."""

    rows: Ints  # (n,) rows of the pairs, one a prompt
    swapped: list[list[str]]  # (n, k) prompts of other pairs, alike in length and language
    mixed: list[list[str]]  # (n, len(KEPT)) own prompt with some words taken from a swapped one


class Gaps(NamedTuple):
    """Score differences chosen − rejected of n pairs."""

    own: Floats  # (n,)
    swapped: Floats  # (n, k)
    mixed: Floats  # (n, len(KEPT))
    empty: Floats  # (n,)


def trial(pairs: Pairs, rng: np.random.Generator, *, texts: int, swaps: int, least: int) -> Trial:
    """Choose one pair of each of `texts` prompts, and the prompts to put in the place of its own.

    Raises:
        NotEnoughData: with fewer than `least` prompts that have another like them.
    """
    prompts = pairs.frame["prompt"].to_list()
    langs = pairs.frame["lang"].to_list() if "lang" in pairs.frame.columns else [None] * len(prompts)
    order = rng.permutation(len(pairs))
    rows = order[np.unique(pairs.groups[order], return_index=True)[1]]  # a random pair of every prompt
    rows = rng.permutation(np.array([row for row in rows if prompts[row].strip()], dtype=np.int64))
    kept, swapped = [], []
    for row in rows[:texts]:
        others = [other for other in rows if other != row and langs[other] == langs[row]]
        others.sort(key=lambda other: abs(len(prompts[other]) - len(prompts[row])))
        near = others[: max(BIN, 2 * swaps)]
        if near:
            kept.append(row)
            swapped.append([prompts[int(at)] for at in rng.choice(near, size=swaps, replace=len(near) < swaps)])
    if len(kept) < least:
        raise NotEnoughData(f"at least {least} prompts with others alike in length and language, got {len(kept)}")
    mixed = [
        [mix(prompts[row], others[0], share, rng) for share in KEPT] for row, others in zip(kept, swapped, strict=True)
    ]
    return Trial(np.array(kept), swapped, mixed)


def mix(own: str, other: str, share: float, rng: np.random.Generator) -> str:
    """A prompt of which a share of the words (or Chinese characters) is its own and the rest another prompt's.

    >>> mix("a b c d", "w x y z", 0.5, np.random.default_rng(0))
    'w b y d'
    """
    ours, theirs = _TOKEN.findall(own), _TOKEN.findall(other) or [""]
    replaced = set(rng.permutation(len(ours))[: round((1 - share) * len(ours))].tolist())
    return "".join(theirs[at % len(theirs)] if at in replaced else token for at, token in enumerate(ours))


def gaps(model: RewardModel, pairs: Pairs, chosen: Trial) -> Gaps:
    """Score every pair under every prompt, in one call so that batches are full.

    Raises:
        BackendError: the model did not answer.
    """
    own = pairs.frame["prompt"].gather(chosen.rows).to_list()
    sides = [pairs.frame[side].gather(chosen.rows).to_list() for side in ("chosen", "rejected")]
    columns: list[Sequence[str]] = [own, [""] * len(own)]
    columns += list(zip(*chosen.swapped, strict=True)) + list(zip(*chosen.mixed, strict=True))
    prompts = [prompt for column in columns for prompt in column]
    scores = [model.score(prompts, side * len(columns)) for side in sides]
    found = (scores[0] - scores[1]).reshape(len(columns), len(own)).T
    swaps = len(chosen.swapped[0])
    return Gaps(found[:, 0], found[:, 2 : 2 + swaps], found[:, 2 + swaps :], found[:, 1])


def wins(gap: Floats) -> Floats:
    """1 where the chosen answer scores higher, 0 where lower, a half where equal, same shape."""
    result: Floats = (np.sign(gap) + 1) / 2
    return result


def prompt_free(gap: Floats, weights: Floats | None = None) -> Floats:
    """The part of a pair's gap that any prompt would give it, shape (n,), from gaps under other prompts, shape (n, k).

    The c with sum_k weight_k · sigma(gap_k − c) = 1/2, by bisection: under prompts that these could be answers to, what
    is left favours neither answer. This is our reconstruction of the decomposition of arXiv 2504.06020, whose exact
    equation we could not read.

    Args:
        gap: Chosen − rejected, shape (n, k).
        weights: Of the prompts (see `relevance`), shape (n, k), rows sum to 1; equal when absent.

    >>> prompt_free(np.array([[1.0, 1.0], [-1.0, 3.0]])).round(6).tolist()
    [1.0, 1.0]
    """
    weights = np.full(gap.shape, 1 / gap.shape[1]) if weights is None else weights
    low, high = gap.min(axis=1), gap.max(axis=1)
    for _ in range(60):
        middle = (low + high) / 2
        above = (weights * np.tanh((gap - middle[:, None]) / 2)).sum(axis=1) > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    result: Floats = (low + high) / 2
    return result


def response_share(gap: Floats) -> float:
    """Share of the variance of gaps (n, k) that stays whatever the prompt: 1 for a model that reads the answer alone.

    Analysis of variance with the pair as a random effect, so that k draws of a prompt do not pass for the pair.
    """
    k = gap.shape[1]
    inside = float(gap.var(axis=1, ddof=1).mean())
    between = max(float(gap.mean(axis=1).var(ddof=1)) - inside / k, 0.0)
    return between / (between + inside) if between + inside > 0 else float("nan")
