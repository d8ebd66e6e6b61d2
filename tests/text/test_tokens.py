"""Tokens found by table: the same as a regular expression finds, whatever the text and however it is cut up."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dehusk.text import tokens
from dehusk.text.canonical import BREAK, END, START, canonical
from dehusk.text.tokens import CJK, STOPS, characters, hashes

SCRIPT = rf"[\p{{L}}\p{{M}}\p{{N}}--[{CJK}]]"
WORD = rf"[{CJK}]|{SCRIPT}+(?:['’][\p{{L}}\p{{M}}--[{CJK}]]{SCRIPT}*)*"
TEXTS = st.lists(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
    | st.text(st.sampled_from("ab1é'’ .!\n好々カー一，…\u0301\0"), max_size=40),
    max_size=8,
)


def searched(texts, pattern):
    """All matches in each lower-case text."""
    return pl.Series(texts, dtype=pl.String).str.to_lowercase().str.extract_all(pattern).to_list()


def words_of(texts):
    """Hash and first character of each word, and the words of each text, whatever the chunks."""
    lower = pl.Series(texts, dtype=pl.String).str.to_lowercase()
    found = [hashes(some) for some in characters(lower)]
    return [np.concatenate([part[at] for part in found] or [np.zeros(0)]) for at in range(3)]


@pytest.fixture(params=[1, 16, tokens._CHUNK], ids=["a text a chunk", "small chunks", "one chunk"])
def chunk(request, monkeypatch):
    monkeypatch.setattr(tokens, "_CHUNK", request.param)


@pytest.mark.usefixtures("chunk")
@given(TEXTS)
def test_words_are_those_of_a_search(texts):
    hashed, initials, totals = words_of(texts)
    expected = searched(texts, WORD)
    flat = [word for words in expected for word in words]
    assert totals.tolist() == [len(words) for words in expected]
    assert [chr(code) for code in initials] == [word[0] for word in flat]
    assert len(set(zip(flat, hashed.tolist(), strict=True))) == len(set(flat)) == len(set(hashed.tolist()))


@pytest.mark.usefixtures("chunk")
@given(TEXTS)
def test_the_canonical_form_is_that_of_a_search(texts):
    made = pl.DataFrame({"t": texts}, schema={"t": pl.String}).select(canonical(pl.col("t")))["t"].to_list()
    for form, found in zip(made, searched(texts, rf"{WORD}|[{STOPS}]+"), strict=True):
        inner = " ".join(BREAK if token[0] in STOPS else token.replace("’", "'") for token in found)
        assert form == f" {START} {inner.strip(f' {BREAK}')} {END} "


def test_every_code_point_has_the_kind_of_its_class():
    points = [*range(0xD800), *range(0xE000, 0x110000)]
    every = pl.Series([chr(point) for point in points])
    kinds = tokens._kinds()[points]
    classes = {
        tokens._LETTER: rf"[\p{{L}}\p{{M}}--[{CJK}]]",
        tokens._DIGIT: rf"[\p{{N}}--[{CJK}]]",
        tokens._CHARACTER: f"[{CJK}]",
        tokens._STOP: f"[{STOPS}]",
    }
    for kind, pattern in classes.items():
        assert np.array_equal(kinds == kind, every.str.contains(pattern).to_numpy()), pattern


def test_what_a_word_is():
    for text, words in (
        ("It's “o’clock”, rock 'n' roll", ["it's", "o’clock", "rock", "n", "roll"]),
        ("5'10 isn't 2'b00", ["5", "10", "isn't", "2'b00"]),
        ("用Python写3行 don'好", ["用", "python", "写", "3", "行", "don", "好"]),
    ):
        assert searched([text], WORD) == [words]
        assert words_of([text])[2].tolist() == [len(words)]


def test_no_texts_and_empty_ones():
    assert list(characters(pl.Series([], dtype=pl.String))) == []
    assert words_of(["", "a", "", None])[2].tolist() == [0, 1, 0, 0]
