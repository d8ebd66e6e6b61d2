"""Near-identity against the textbook table."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dehusk.io.edit_distance import edit_distance, nearly_equal, shared_prefix


def by_the_book(first: str, second: str) -> int:
    row = list(range(len(second) + 1))
    for place, a in enumerate(first, 1):
        left, row[0] = row[0], place
        for other, b in enumerate(second, 1):
            left, row[other] = row[other], min(row[other] + 1, row[other - 1] + 1, left + (a != b))
    return row[-1]


words = st.text(alphabet="ab你 ", max_size=30)


@given(words, words)
@settings(max_examples=300, deadline=None)
def test_distance_is_levenshtein(first: str, second: str) -> None:
    assert edit_distance(first, second) == by_the_book(first, second) == edit_distance(second, first)


@given(words, words)
def test_shared_prefix(first: str, second: str) -> None:
    length = shared_prefix(first, second)
    assert first[:length] == second[:length]
    assert length == min(len(first), len(second)) or first[length] != second[length]


@pytest.mark.parametrize("seed", range(40))
def test_nearly_equal_agrees_with_the_book(seed: int) -> None:
    rng = random.Random(seed)
    first = "".join(rng.choices("abcdefg 你好", k=rng.randint(40, 400)))
    text = list(first)
    for _ in range(rng.randint(0, 12)):
        place = rng.randrange(len(text))
        text[place : place + rng.randint(0, 1)] = rng.choices("abcdefg 你好", k=rng.randint(0, 2))
    second = "".join(text)
    wanted = by_the_book(first, second) < 0.02 * max(len(first), len(second))
    assert nearly_equal(first, second) == wanted == nearly_equal(second, first)


def test_huge_texts_are_settled_quickly() -> None:
    text = "".join(random.Random(0).choices("abcdefghij ", k=300_000))
    assert nearly_equal(text, text[:150_000] + "!" + text[150_000:])
    assert not nearly_equal(text, text[::-1])
