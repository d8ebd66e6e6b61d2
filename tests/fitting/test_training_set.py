"""Pairs as points and features, and the prompts that stand in for each other."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from dehusk.core.errors import NotEnoughData
from dehusk.core.tables import Pairs
from dehusk.features.measuring import declared, measure
from dehusk.fitting.training_set import training_set
from dehusk.text.foreign import NEAR, foreign_rows

FEATURES = [feature for feature in declared() if feature.name in ("characters", "good_question")]


class Lengths:
    """Points are the lengths of prompt and answer."""

    def embed(self, prompts, responses):
        return np.array([[len(p), len(r)] for p, r in zip(prompts, responses, strict=True)], dtype=np.float32)


def table(prompts, **more):
    n = len(prompts)
    columns = {
        "pair_id": [f"p{i}" for i in range(n)],
        "row": list(range(1, n + 1)),
        "prompt": prompts,
        "chosen": ["Good question! " + "a" * i for i in range(n)],
        "rejected": ["b" * (2 * i) for i in range(n)],
        "weight": [1.0] * n,
        "group": prompts,
    }
    return Pairs(pl.DataFrame(columns | more))


def rng():
    return np.random.default_rng(0)


def test_sides_features_and_weights_stay_with_their_pair():
    pairs = table(["why", "how come", "why"], weight=[1.0, 0.5, 0.0])
    data = training_set(pairs, measure(FEATURES, pairs=pairs), Lengths(), ["characters"], rng())
    assert len(data) == 3
    np.testing.assert_array_equal(data.chosen, [[3, 15], [8, 16], [3, 17]])
    np.testing.assert_array_equal(data.rejected, [[3, 0], [8, 2], [3, 4]])
    np.testing.assert_array_equal(data.chosen_features[:, 0], [15, 16, 17])
    np.testing.assert_array_equal(data.rejected_features[:, 0], [0, 2, 4])
    assert data.weight.tolist() == [1, 0.5, 0]
    assert data.groups[0] == data.groups[2] != data.groups[1]
    assert data.margin is None and data.foreign_chosen is None


def test_rows_take_everything_along():
    pairs = table(["why", "how come", "who"], margin=[1.0, 2.0, None])
    data = training_set(pairs, measure(FEATURES, pairs=pairs), Lengths(), ["characters"], rng(), foreign=True)
    some = data.rows(np.array([2, 0, 0]))
    assert some.margin.tolist() == [0, 1, 1]
    for name in ("chosen", "rejected", "foreign_chosen", "foreign_rejected", "chosen_features", "groups"):
        np.testing.assert_array_equal(getattr(some, name), getattr(data, name)[[2, 0, 0]])
    assert some.names == data.names
    assert len(data.rows(np.array([True, False, False]))) == 1


def test_foreign_points_are_of_the_same_answers_under_another_prompt():
    pairs = table(["why", "how come", "and who is it"])
    data = training_set(pairs, measure(FEATURES, pairs=pairs), Lengths(), [], rng(), foreign=True)
    np.testing.assert_array_equal(data.foreign_chosen[:, 1], data.chosen[:, 1])
    assert (data.foreign_chosen[:, 0] != data.chosen[:, 0]).all()
    np.testing.assert_array_equal(data.foreign_chosen[:, 0], data.foreign_rejected[:, 0])


def test_a_feature_of_one_language_is_no_difference_in_the_other():
    pairs = table(["why is that", "为什么会这样", "who is it"])
    data = training_set(pairs, measure(FEATURES, pairs=pairs), Lengths(), ["good_question"], rng())
    assert data.chosen_features[1, 0] == data.rejected_features[1, 0] == pytest.approx(0.5)
    assert data.chosen_features[[0, 2], 0].tolist() == [1, 1]


def test_nothing_to_fit_on_is_refused():
    pairs = Pairs(table(["why"]).frame.clear())
    with pytest.raises(NotEnoughData):
        training_set(pairs, measure(FEATURES, pairs=pairs), Lengths(), [], rng())
    alone = table(["why", "why"])
    with pytest.raises(NotEnoughData, match="2 prompts"):
        training_set(alone, measure(FEATURES, pairs=alone), Lengths(), [], rng(), foreign=True)


def test_foreign_prompts_are_alike_in_length_and_language_and_never_ones_own():
    prompts = ["x" * (i + 1) for i in range(200)] + ["字" * (i + 1) for i in range(50)]
    groups = np.arange(250)
    drawn = np.stack([foreign_rows(prompts, groups, np.random.default_rng(seed)) for seed in range(40)])
    assert (drawn != groups).all()
    assert ((drawn >= 200) == (groups >= 200)).all()
    apart = np.abs(drawn - groups)
    inside = (groups % 200 >= NEAR) & (groups < 200 - NEAR)
    assert apart[:, inside].max() == NEAR // 2
    assert apart.max() <= NEAR
    counts = np.bincount((drawn - groups)[:, inside].ravel() + NEAR, minlength=2 * NEAR + 1)
    near = counts[NEAR - NEAR // 2 : NEAR + NEAR // 2 + 1]
    assert near[NEAR // 2] == 0
    assert (np.delete(near, NEAR // 2) > 0.7 * inside.sum() * 40 / NEAR).all()


def test_prompts_of_one_cluster_and_empty_ones_do_not_stand_in():
    prompts = ["why", "why ", "who", "", "  "]
    groups = np.array([0, 0, 1, 2, 2])
    for seed in range(20):
        drawn = foreign_rows(prompts, groups, np.random.default_rng(seed))
        assert drawn[:2].tolist() == [2, 2]
        assert drawn[2] == 0
        assert set(drawn[3:].tolist()) <= {0, 2}


def test_a_language_with_one_prompt_borrows():
    drawn = foreign_rows(["why", "who", "为什么"], np.arange(3), rng())
    assert drawn[2] in (0, 1)
    assert drawn[:2].tolist() == [1, 0]
