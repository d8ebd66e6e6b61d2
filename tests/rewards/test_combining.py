"""Rules of combination against brute force, and what must not matter to any of them."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import dehusk.rewards  # noqa: F401 - fills the table
from dehusk.core.kinds import combinations

RULES = [row.name for row in combinations]
WITHIN = [row.name for row in combinations if row.options["within"]]


def scores_of(seed, m=4, n=40, prompts=9, ties=True):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(m, n))
    return (np.round(scores) if ties else scores), rng.integers(0, prompts, n)


def test_the_rules_that_were_promised():
    assert RULES == ["mean", "worst", "uwo", "median", "rank", "vote"]
    assert WITHIN == ["rank", "vote"]


def test_rules_of_one_answer_are_what_they_say():
    scores, groups = scores_of(0)
    members = scores.tolist()
    columns = list(zip(*members, strict=True))
    expected = {
        "mean": [sum(column) / 4 for column in columns],
        "worst": [min(column) for column in columns],
        "uwo": [np.mean(column) - 0.5 * np.mean((np.array(column) - np.mean(column)) ** 2) for column in columns],
        "median": [sorted(column)[1] / 2 + sorted(column)[2] / 2 for column in columns],
    }
    for rule, values in expected.items():
        np.testing.assert_allclose(combinations[rule].thing(scores, groups), values)


def test_ranks_are_those_of_scipy_within_prompts():
    scores, groups = scores_of(1)
    found = combinations["rank"].thing(scores, groups)
    for prompt in np.unique(groups):
        rows = groups == prompt
        size = rows.sum()
        ranks = np.mean([stats.rankdata(row[rows]) - 1 for row in scores], axis=0)
        np.testing.assert_allclose(found[rows], ranks / (size - 1) if size > 1 else 0.5)


def test_votes_are_counted_answer_by_answer():
    scores, groups = scores_of(2, m=3)
    found = combinations["vote"].thing(scores, groups)
    for i in range(len(groups)):
        others = [j for j in range(len(groups)) if groups[j] == groups[i] and j != i]
        won = [np.sign(sum(np.sign(row[i] - row[j]) for row in scores)) for j in others]
        assert found[i] == pytest.approx(np.mean(won) if won else 0.0)


@pytest.mark.parametrize("signs", list(itertools.product([-1, 0, 1], repeat=3)))
def test_of_two_answers_a_vote_is_the_sign_of_the_majority(signs):
    scores = np.array([[sign, 0.0] for sign in signs], dtype=float) * np.array([[1.0], [100.0], [0.01]])
    found = combinations["vote"].thing(scores, np.zeros(2, dtype=int))
    assert found.tolist() == [np.sign(sum(signs)), -np.sign(sum(signs))]


def test_caution_is_for_what_members_disagree_on():
    same, apart = np.array([[1.0], [1.0]]), np.array([[0.0], [2.0]])
    uwo = combinations["uwo"].thing
    assert uwo(same, np.zeros(1)) == 1.0
    assert uwo(apart, np.zeros(1)) == 0.5
    assert uwo(apart, np.zeros(1), caution=2.0) == -1.0


def in_order(values, groups):
    """Signs of all differences within prompts."""
    return np.sign(values[:, None] - values[None, :]) * (groups[:, None] == groups[None, :])


@pytest.mark.parametrize("rule", RULES)
def test_members_that_are_one_and_the_same_order_answers_as_it_does(rule):
    scores, groups = scores_of(3, m=1)
    found = combinations[rule].thing(np.repeat(scores, 5, axis=0), groups)
    np.testing.assert_array_equal(in_order(found, groups), in_order(scores[0], groups))
    if rule not in WITHIN:
        np.testing.assert_allclose(found, scores[0])


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), m=st.integers(1, 5))
def test_the_order_of_rows_and_members_does_not_matter(rule, seed, m):
    scores, groups = scores_of(seed, m=m, n=15, prompts=4)
    rng = np.random.default_rng(seed)
    rows, members = rng.permutation(15), rng.permutation(m)
    found = combinations[rule].thing(scores, groups)
    again = combinations[rule].thing(scores[np.ix_(members, rows)], groups[rows])
    np.testing.assert_allclose(again, found[rows], atol=1e-12)


@pytest.mark.parametrize("rule", WITHIN)
def test_only_order_within_the_prompt_matters_to_ranks_and_votes(rule):
    scores, groups = scores_of(4)
    moved = np.exp(scores) * np.array([[1.0], [3.0], [0.1], [7.0]]) + 100 * groups
    np.testing.assert_allclose(
        combinations[rule].thing(moved, groups), combinations[rule].thing(scores, groups), atol=1e-12
    )
