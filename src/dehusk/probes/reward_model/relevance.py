"""Which foreign prompts an answer could have been an answer to: weights that stand in for P(prompt | answers)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dehusk.core.tables import Bools, Floats

TEMPERATURE = 0.03  # of the softmax over cosines: at 8 prompts of real pairs, 5 to 7 of them keep counting
FEWEST = 4.0  # effective prompts below which the weights say more of chance than of relevance
_WORD = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]|[^\W\u3400-\u9fff\uf900-\ufaff]+")  # Chinese character by character


class Relevance(NamedTuple):
    """How n pairs weigh k foreign prompts each."""

    weights: Floats  # (n, k), rows sum to 1
    effective: Floats  # (n,): effective number of prompts before the fall-back
    even: Bools  # (n,): too few effective prompts, so all weigh the same


def relevance(prompts: Sequence[Sequence[str]], answers: Sequence[str]) -> Relevance:
    """Weigh foreign prompts by softmax(cosine(prompt, answers) / 0.03), evenly where that leaves fewer than 4 of them.

    The cheap weights of the reconstruction of arXiv 2504.06020 (see `swaps.prompt_free`): cosines of words (Chinese
    characters) weighted by how few of the texts have them. No model is needed.

    Args:
        prompts: Foreign prompts of each pair, n rows of k.
        answers: Both answers of each pair, joined, n of them.
    """
    own = [set(_WORD.findall(answer.lower())) for answer in answers]
    asked = {prompt: set(_WORD.findall(prompt.lower())) for row in prompts for prompt in row}
    rarity = _rarity([*own, *asked.values()])
    sizes = {prompt: _size(words, rarity) for prompt, words in asked.items()}
    cosines = np.array(
        [
            [_size(words & asked[one], rarity) ** 2 / max(_size(words, rarity) * sizes[one], 1e-12) for one in row]
            for words, row in zip(own, prompts, strict=True)
        ]
    )
    weights = np.exp((cosines - cosines.max(axis=1, keepdims=True)) / TEMPERATURE)
    weights /= weights.sum(axis=1, keepdims=True)
    effective: Floats = 1 / (weights**2).sum(axis=1)  # Kish
    even: Bools = effective < FEWEST
    weights[even] = 1 / weights.shape[1]
    return Relevance(weights, effective, even)


def _rarity(texts: Sequence[set[str]]) -> Mapping[str, float]:
    """Squared idf of every word: log(texts / texts that have it), squared."""
    counts = Counter(word for words in texts for word in words)
    return {word: float(np.log(len(texts) / count)) ** 2 for word, count in counts.items()}


def _size(words: set[str], rarity: Mapping[str, float]) -> float:
    return float(np.sqrt(sum(rarity[word] for word in words)))
