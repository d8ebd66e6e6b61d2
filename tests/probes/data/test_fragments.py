"""Fragments of words: what many words share counts, what one word owns does not."""

import numpy as np
import polars as pl
import pytest
from factories import make_measures, make_pairs

from dehusk.probes.data.fragments import fragments
from dehusk.probes.data.separability import separability
from dehusk.probes.data.terms import bags

LETTERS = list("abcdefghijklmnopqrstuvwxyz")


def words(rng, n, ending=""):
    """n new words of eight random letters."""
    return ["".join(rng.choice(LETTERS, 8)) + ending for _ in range(n)]


def sentences(rng, n, ending=""):
    """n texts in which one word has the ending and every word is new."""
    return [" ".join([*words(rng, 9), *words(rng, 1, ending)]) for _ in range(n)]


def held(texts, most=1000):
    """Fragments of each text of words, by brute numbering of its words."""
    known = sorted({word for text in texts for word in text.split()})
    cells = [(row, known.index(word)) for row, text in enumerate(texts) for word in sorted(set(text.split()))]
    rows, columns = np.array(cells).T
    found_rows, found, names = fragments(rows, columns, known, most=most)
    return [{names[k] for k in found[found_rows == row]} for row in range(len(texts))], names


def test_presence_against_brute_force():
    rng = np.random.default_rng(0)
    stems = ["walk", "talk", "jump", "look"]
    texts = [" ".join(rng.choice(stems) + rng.choice(["ing", "ed", "s", ""]) for _ in range(3)) for _ in range(60)]
    found, names = held(texts)
    assert "·ing" in names
    for text, mine in zip(texts, found, strict=True):
        whole = [f"⊢{word}⊣" for word in text.split()]
        for name in names:
            part = ("" if name[0] == "·" else "⊢") + name.strip("·") + ("" if name[-1] == "·" else "⊣")
            assert (name in mine) == any(part in word and part != word for word in whole), (name, text)


def test_what_one_word_owns_is_that_word():
    _, names = held(["unwound walked", "unwound talked", "unwound", "unwound"])
    assert not {"·oun·", "unw·", "·ound"} & set(names)
    assert "·lked" in names  # and nothing else of the very same words
    assert not {"·alk·", "·ked", "·alked·"} & set(names)


def test_the_most_widespread_are_kept():
    _, names = held(["walked here", "talked there", "jumped where", "raining"], most=1)
    assert names in (["·ed"], ["·ere"])


@pytest.mark.parametrize("texts", [["a b"], ["你 好"], ["a" * 50, "b" * 50], ["😀😀😀 😀😀"], ["ing ed"]])
def test_nothing_to_share(texts):
    found, _ = held(texts)
    assert len(found) == len(texts)


def test_long_runs_are_read_in_bounded_time():
    wall = "".join(chr(0x100 + k % 400) for k in range(200_000))
    bag = bags(pl.Series([wall, wall[7:]]), pl.Series([wall[3:], wall[5:]]), least=1)
    assert len(bag.terms) < 100


def wording(chosen, rejected):
    pairs = make_pairs(len(chosen), chosen=chosen, rejected=rejected)
    measures = make_measures({"constant": (np.zeros(len(pairs)), np.zeros(len(pairs)))})
    found = {f.details["reading"]: f for f in separability(pairs, measures, np.random.default_rng(0))}
    return found["wording"]


def test_a_planted_ending_of_ever_new_words_is_found_and_shown():
    rng = np.random.default_rng(1)
    found = wording(sentences(rng, 300, "ixly"), sentences(rng, 300))
    assert found.verdict == "fail"
    assert "·ixly" in [row["term"] for row in found.details["terms"]][:5]


def test_new_words_without_an_ending_predict_nothing():
    rng = np.random.default_rng(2)
    found = [wording(sentences(rng, 200), sentences(rng, 200)) for _ in range(5)]
    assert np.mean([one.estimate.value for one in found]) == pytest.approx(0.5, abs=0.05)
    assert all(one.verdict == "pass" for one in found)


def test_a_typographic_quote_inside_words_is_told_from_a_plain_one():
    rng = np.random.default_rng(3)
    found = wording(sentences(rng, 200, "’s"), sentences(rng, 200, "'s"))
    weights = {row["term"]: row["weight"] for row in found.details["terms"]}
    assert weights["·’s"] > 0 > weights["·'s"]


def test_a_fragment_weighs_less_than_a_word():
    bag = bags(pl.Series(["walked", "talked"]), pl.Series(["walked", "x"]), least=1)
    terms = {term: bag.values[bag.columns == k][0] for k, term in enumerate(bag.terms)}
    assert terms["·lked"] < terms["talked"]
    np.testing.assert_allclose(np.bincount(bag.rows, bag.values**2), 1.0)
