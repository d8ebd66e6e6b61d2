"""The exact conditional test: McNemar's, Fisher's, brute force, and uniform where there is no effect."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dehusk.stats.conditional import permuted_p


def test_with_one_answer_a_side_it_is_mcnemars_exact_test():
    rng = np.random.default_rng(0)
    late, early = (rng.random((200, 6)) < np.linspace(0.02, 0.5, 6)).astype(int), (rng.random((200, 6)) < 0.2)
    found = permuted_p(late, late + early, np.ones(200, int), np.full(200, 2))
    for k in range(6):
        gained, lost = int((late[:, k] > early[:, k]).sum()), int((late[:, k] < early[:, k]).sum())
        assert found[k] == pytest.approx(stats.binomtest(gained, gained + lost).pvalue, rel=1e-6)


def test_with_one_prompt_it_is_fishers_exact_test():
    """Twice the smaller tail, as everywhere here."""
    late, early, late_n, early_n = 70, 140, 120, 300
    tails = [
        stats.fisher_exact([[late, late_n - late], [early, early_n - early]], alternative=way).pvalue
        for way in ("less", "greater")
    ]
    found = permuted_p(np.array([[late]]), np.array([[late + early]]), np.array([late_n]), np.array([late_n + early_n]))
    assert found[0] == pytest.approx(2 * min(tails), rel=1e-6)


@given(st.integers(0, 10_000))
def test_it_counts_all_permutations(seed):
    rng = np.random.default_rng(seed)
    answers = rng.integers(2, 5, 3)
    late_n = np.array([rng.integers(1, n) for n in answers])
    has = [rng.integers(0, 2, n) for n in answers]
    sums = [
        [sum(row[list(some)]) for some in combinations(range(n), m)]
        for row, n, m in zip(has, answers, late_n, strict=True)
    ]
    totals = np.array([sum(one) for one in product(*sums)])
    late = np.array([row[:m].sum() for row, m in zip(has, late_n, strict=True)])
    expected = min(1, 2 * min((totals <= late.sum()).mean(), (totals >= late.sum()).mean()))
    found = permuted_p(late[:, None], np.array([[row.sum()] for row in has]), late_n, answers)
    assert found[0] == pytest.approx(expected)


def test_p_is_never_too_small_on_data_without_an_effect():
    rng = np.random.default_rng(1)
    late_n, early_n = np.full(150, 4), np.ones(150, int)
    lean = rng.beta(0.5, 4, size=(150, 1))
    late, early = rng.binomial(4, lean, (150, 3000)), rng.binomial(1, lean, (150, 3000))
    p = permuted_p(late, late + early, late_n, late_n + early_n)
    for level in (0.002, 0.01, 0.05, 0.2):
        assert (p <= level).mean() <= level + 3 * np.sqrt(level / 3000)
    assert (p <= 0.2).mean() > 0.12  # exact, so below the level, but not by much
