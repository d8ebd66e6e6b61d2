"""Templates: a phrase with a slot that varies is found as one, a fixed phrase is not called a template."""

import numpy as np
import pytest
from corpora import HAN, WORDS, pairs, texts

from dehusk.core.run import stream
from dehusk.features.mining import mine


def templates(late: list[str], early: list[str]) -> list[str]:
    table = pairs(late, early)
    found = mine(table, np.ones(len(table), dtype=bool), stream(0, "mine"))
    return [feature.name.strip("“”") for feature in found if feature.family == "template"]


def with_slots(said: list[str], pattern: str, rate: float, rng: np.random.Generator, fillers: list[str]) -> list[str]:
    done = list(said)
    for i in rng.choice(len(said), size=round(rate * len(said)), replace=False).tolist():
        filled = pattern
        while "_" in filled:
            filled = filled.replace("_", str(rng.choice(fillers)), 1)
        done[i] = f"{filled}. {done[i]}" if pattern.isascii() else f"{filled}。{done[i]}"
    return done


@pytest.mark.parametrize(
    ("pattern", "zh", "expected"),
    [
        ("Truly it's not about _, it's about _", False, "it's not about … it's about"),
        ("我说这不是_而是_呀", True, "不是…而是"),
        ("送你一句_但_的话呀", True, "一句…但…的话"),
    ],
)
def test_a_planted_template_is_found(pattern, zh, expected):
    rng = np.random.default_rng(11)
    fillers = [a + b for a in HAN[:40] for b in HAN[40:60]] if zh else WORDS
    late = with_slots(texts(rng, 600, zh=zh), pattern, 0.08, rng, fillers)
    found = [name.replace(" ", "") for name in templates(late, texts(rng, 600, zh=zh))]
    assert any(expected.replace(" ", "") in name for name in found), found


def test_a_fixed_phrase_is_no_template():
    rng = np.random.default_rng(12)
    late = with_slots(texts(rng, 500), "it's not fear that counts it's hope", 0.1, rng, ["x"])
    assert templates(late, texts(rng, 500)) == []


def test_nothing_is_found_in_nothing():
    rng = np.random.default_rng(13)
    assert sum(len(templates(texts(rng, 400), texts(rng, 400))) for _ in range(3)) <= 3
