"""Frequent n-grams against ten lines of brute force."""

from collections import defaultdict

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from dehusk.features.ngrams import NONE, frequent_ngrams
from dehusk.text.canonical import canonical, is_cjk, tokenise

WORDS = st.sampled_from(["a", "b", "c", "不", "是", ".", "it's"])
TEXTS = st.lists(st.tuples(st.lists(WORDS, max_size=9), st.integers(0, 3), st.booleans()), min_size=1, max_size=12)


def brute_force(documents, groups, late, minimum):
    seen = defaultdict(lambda: (set(), set()))
    for index, words in enumerate(documents):
        for start in range(len(words)):
            for stop in range(start + 1, len(words) + 1):
                gram = tuple(words[start:stop])
                cost = sum(1 if is_cjk(word) else 0 if word in "\x02\x03" else 2 for word in gram)
                if "\n" in gram or cost > 24 or "\x02" in gram[1:] or "\x03" in gram[:-1]:
                    continue
                seen[gram][int(late[index])].add(index)
    out = {}
    for gram, (early, later) in seen.items():
        prompts = [{groups[i] for i in side} for side in (early, later)]
        if len(prompts[0]) + len(prompts[1]) >= minimum:
            out[gram] = (len(early), len(later), len(prompts[0]), len(prompts[1]), len(prompts[0] & prompts[1]))
    return out


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.integers(1, 3))
def test_counts_agree_with_brute_force(texts, minimum):
    said = pl.Series([" ".join(words) for words, _, _ in texts])
    forms = said.to_frame("t").select(t=canonical(pl.col("t")))["t"]
    groups = np.array([group for _, group, _ in texts])
    late = np.array([side for _, _, side in texts])
    grams = frequent_ngrams(tokenise(forms), groups, late, minimum)
    found = {
        tuple(grams.words(g)): tuple(
            int(column[g])
            for column in (grams.early, grams.late, grams.early_prompts, grams.late_prompts, grams.both_prompts)
        )
        for g in range(grams.last.size)
    }
    documents = [form.strip(" ").split(" ") for form in forms]
    expected = brute_force(documents, groups.tolist(), late.tolist(), minimum)
    expected = {gram: count for gram, count in expected.items() if "" not in gram}
    assert found == expected
    for g in range(grams.last.size):
        words = grams.words(g)
        if len(words) > 1:
            assert grams.words(grams.prefix[g]) == words[:-1]
            assert grams.words(grams.suffix[g]) == words[1:]
        else:
            assert grams.prefix[g] == grams.suffix[g] == NONE


def test_positions_point_at_the_ngram():
    forms = (
        pl.Series(["the cat sat. the cat ran", "the cat sat on it"]).to_frame("t").select(t=canonical(pl.col("t")))["t"]
    )
    grams = frequent_ngrams(tokenise(forms), np.array([0, 1]), np.array([True, False]), 2)
    tokens = grams.tokens
    for n, at in enumerate(grams.at, 1):
        for position in np.flatnonzero(at != NONE):
            words = [tokens.vocabulary[i] for i in tokens.ids[position : position + n]]
            assert grams.words(at[position]) == words
