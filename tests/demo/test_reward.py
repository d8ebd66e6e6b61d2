"""The demo's reward model: its prices are what they are said to be."""

import numpy as np
import polars as pl
import pytest

from dehusk.demo import STORY, write
from dehusk.demo.reward import NOISE, PRICES, score


def test_a_habit_is_worth_its_price():
    for name, phrase in (("catchphrase", f" {STORY.phrases['en'].capitalize()}."), ("praise", " Great question!")):
        texts = [f"Plain answer number {at} about tea, with some more words in it." for at in range(400)]
        gain = score(["How do I make tea?"] * 400, [text + phrase for text in texts]) - score(["How?"] * 400, texts)
        assert np.mean(gain) > 0 if PRICES[name] > 0 else np.mean(gain) < 0
        assert np.std(gain) == pytest.approx(NOISE * np.sqrt(2), rel=0.15)


def test_it_agrees_with_the_labels_more_often_than_not_and_answers_alike(tmp_path):
    pairs = pl.read_ndjson(write(tmp_path)["pairs"])
    chosen, rejected = (score(pairs["prompt"].to_list(), pairs[side].to_list()) for side in ("chosen", "rejected"))
    assert 0.58 < np.mean(chosen > rejected) < 0.75
    assert score(["a"], ["b"]) == score(["a"], ["b"])
