"""Every text once, no batch too large, and beginnings shared only where that pays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dehusk.rewards.batching import A_CALL, plan

TEXTS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=400), min_size=1, max_size=25)


@given(texts=TEXTS, tokens=st.integers(1, 600), share=st.booleans(), data=st.data())
def test_every_text_stands_in_one_batch_and_begins_as_its_group_does(texts, tokens, share, data):
    starts = [data.draw(st.integers(0, len(text) - 1)) for text in texts]
    seen = []
    for shared, batches in plan(texts, starts, tokens, share=share):
        for rows in batches:
            seen += rows.tolist()
            longest = max(len(texts[row]) for row in rows) - shared
            assert len(rows) == 1 or len(rows) * longest <= tokens
            assert all(texts[row][:shared] == texts[rows[0]][:shared] for row in rows)
            assert all(starts[row] >= shared for row in rows)
        assert share or shared == 0
    assert sorted(seen) == list(range(len(texts)))


def test_little_is_padding_when_lengths_differ():
    rng = np.random.default_rng(0)
    texts = [[1] * n for n in rng.integers(20, 1000, size=400)]
    starts = [len(text) - 1 for text in texts]
    padded = sum(
        len(rows) * max(len(texts[row]) for row in rows)
        for _, batches in plan(texts, starts, 4096, share=False)
        for rows in batches
    )
    assert sum(map(len, texts)) / padded > 0.97


def test_answers_to_one_long_prompt_share_it_and_variants_of_one_answer_share_more():
    prompt, answer = list(range(300)), list(range(1000, 1400))
    others = [prompt + [5000 + i] * 100 for i in range(3)]
    variants = [prompt + answer + [7000 + i] for i in range(4)]
    texts = [*others, *variants]
    found = plan(texts, [len(text) - 1 for text in texts], 4096, share=True)
    shared = {int(row): group.shared for group in found for batch in group.batches for row in batch}
    assert [shared[row] for row in range(3, 7)] == [700] * 4
    assert [shared[row] for row in range(3)] == [300] * 3


@pytest.mark.parametrize(("common", "pays"), [(2 * A_CALL, False), (2 * A_CALL + 1, True)])
def test_a_short_beginning_is_not_worth_a_pass_of_its_own(common, pays):
    texts = [[1] * common + [2] * 50, [1] * common + [3] * 50]
    found = plan(texts, [len(text) - 1 for text in texts], 4096, share=True)
    assert any(group.shared for group in found) is pays


def test_what_is_asked_for_is_never_in_the_shared_part():
    text = [1] * 500
    found = plan([text, text, text], [400, 499, 450], 4096, share=True)
    assert max(group.shared for group in found) == 400
