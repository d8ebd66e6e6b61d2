"""Weights of foreign prompts: the one that fits counts most, and nothing is made of nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dehusk.probes.reward_model.relevance import FEWEST, relevance


@pytest.mark.parametrize(
    ("prompts", "answer"),
    [
        (["How do I bake sour bread?", "Which lamp is best?", "Who won in 1996?"], "Knead the bread, then bake it."),
        (["怎么烤面包？", "哪种台灯最好？", "一九九六年谁赢了？"], "先揉面，再把面包放进烤箱里烤。"),
    ],
)
def test_the_prompt_that_shares_rare_words_counts_most(prompts, answer):
    others = [[*prompts[1:], prompts[0]] * 4] * 2
    found = relevance([prompts * 4, *others], [answer, "unrelated text", "其他"])
    assert found.effective[0] >= FEWEST
    fits = [at for at, prompt in enumerate(prompts * 4) if prompt == prompts[0]]
    assert found.weights[0][fits].min() > 2 * np.delete(found.weights[0], fits).max()


def test_too_few_effective_prompts_weigh_the_same():
    prompts = ["bread bread", *[f"word{at}" for at in range(7)]]
    found = relevance([prompts], ["bread"])
    assert found.effective[0] < FEWEST
    assert found.even.tolist() == [True]
    assert found.weights[0] == pytest.approx(1 / 8)


def test_unrelated_prompts_weigh_the_same():
    found = relevance([[f"word{at}" for at in range(8)]] * 3, ["a", "b", ""])
    assert found.effective == pytest.approx(8.0)
    assert not found.even.any()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(), min_size=4, max_size=8), st.text())
def test_it_is_total_and_rows_sum_to_one(prompts, answer):
    found = relevance([prompts, prompts[::-1]], [answer, ""])
    assert np.isfinite(found.weights).all()
    assert found.weights.sum(axis=1) == pytest.approx(1.0)
    assert found.weights[1] == pytest.approx(1 / len(prompts))  # an empty answer fits none
