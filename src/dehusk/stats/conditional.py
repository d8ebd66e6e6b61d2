"""Which stage has a feature more often, however many answers each prompt has: an exact test, prompts as strata."""

from __future__ import annotations

from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

_ROUNDING = 1e-15  # what a Fourier transform leaves of a tail that is smaller still


def permuted_p(late: Ints, present: Ints, late_answers: Ints, answers: Ints) -> Floats:
    """Exact two-sided p of how many later answers have a feature, when labels are permuted within prompts.

    Of the answers to one prompt that have it, the number of later ones is hypergeometric; the sum over prompts is the
    convolution of these (Gart, 1970; as a normal approximation, Mantel and Haenszel, 1959). With one answer of each
    side to a prompt this is McNemar's exact test.

    Args:
        late: Later answers to each prompt that have each feature, shape (g, k).
        present: Answers of both sides that have it, shape (g, k).
        late_answers: Later answers to each prompt, shape (g,).
        answers: Answers of both sides, shape (g,).

    Returns:
        Twice the smaller tail, at most 1, shape (k,).

    >>> permuted_p(np.ones((5, 1), int), np.ones((5, 1), int), np.ones(5, int), np.full(5, 2)).tolist()
    [0.0625]
    """
    found = np.ones(late.shape[1])
    for k in range(late.shape[1]):
        tables, times = np.unique(np.stack([answers, late_answers, present[:, k]]), axis=1, return_counts=True)
        chance = _sum_of_hypergeometrics(tables, times)
        observed = int(late[:, k].sum())
        tails = chance[: observed + 1].sum(), chance[observed:].sum()
        found[k] = min(1.0, 2 * max(min(tails), _ROUNDING))
    return found


def _sum_of_hypergeometrics(tables: Ints, times: Ints) -> Floats:
    """Chance of 0, 1, … later answers with a feature in all, from the distinct prompts (3, t) and how often each is."""
    most = np.minimum(tables[1], tables[2])
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, tables[0].max(initial=0) + 1)))])  # of factorials

    def ways(n: int, x: Ints | int) -> Floats:
        chosen: Floats = logs[n] - logs[x] - logs[n - x]
        return chosen

    size = int((most * times).sum()) + 1
    spectrum = np.ones(size // 2 + 1, dtype=complex)
    turn = np.exp(-2j * np.pi * np.arange(spectrum.size) / size)
    for (answers, late, present), often, top in zip(tables.T.tolist(), times.tolist(), most.tolist(), strict=True):
        x = np.arange(max(0, present - (answers - late)), top + 1)
        chances = np.zeros(top + 1)
        chances[x] = np.exp(ways(late, x) + ways(answers - late, present - x) - ways(answers, present))
        spectrum *= np.polyval(chances[::-1], turn) ** often
    chance: Floats = np.clip(np.fft.irfft(spectrum, size), 0.0, 1.0)
    return chance
