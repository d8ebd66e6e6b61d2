"""The canonical form: what folds together, what stays apart, and that it never fails."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dehusk.text.canonical import BREAK, END, START, canonical, is_cjk, readable, tokenise


def form(text: str) -> str:
    return pl.select(canonical(pl.lit(text))).item()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It's essential to", "it’s ESSENTIAL, to"),
        ("**Great** question", "great — question"),
        ("一句狠但真实的话", "一句狠,但真实的话"),
        ("Let me know!", "let me know"),
    ],
)
def test_typing_does_not_matter(one, other):
    assert form(one) == form(other)


@pytest.mark.parametrize(
    ("one", "other"), [("its", "it's"), ("a b", "ab"), ("end. start", "end start"), ("不是", "不 . 是")]
)
def test_meaningful_differences_stay(one, other):
    assert form(one) != form(other)


@given(st.text(max_size=60))
def test_total_and_framed(text):
    text = text.encode("utf-8", "replace").decode()
    made = form(text)
    assert made.startswith(f" {START} ")
    assert made.endswith(f" {END} ")
    tokens = tokenise(pl.Series([made]))
    words = [tokens.vocabulary[i] for i in tokens.ids]
    assert words[0] == START
    assert words[-1] == END
    assert START not in words[1:]
    assert f" {' '.join(words)} " == made


@given(st.lists(st.text(max_size=20), max_size=5))
def test_idempotent_on_its_own_words(texts):
    for text in texts:
        inner = form(text).strip(" ").strip(START + END + " ")
        assert form(inner) == form(text)


def test_chinese_and_latin_mix():
    assert form("用Python写 3 行").split() == [START, "用", "python", "写", "3", "行", END]
    assert is_cjk("写") and not is_cjk("python") and not is_cjk(BREAK)
    assert readable(["用", "python", "写"]) == "用 python 写"
