"""Ranking by meaning: the three readings, the order made of them, and what half of the data then teaches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from planted import TARGETS, differences, measured, planted, reordered, sides, swapped, table
from sklearn.feature_extraction.text import TfidfVectorizer

from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.tables import Pairs
from dehusk.features.measuring import declared, measure
from dehusk.repairs.distances import beyond, content_distance, style_differences, style_distance
from dehusk.repairs.ranking import coupled, rank
from dehusk.repairs.wording import hashed_words
from dehusk.stats.folds import grouped_folds
from dehusk.stats.ranking import auc
from dehusk.stats.regression import paired_logit

WIDE = 12  # dimensions of what an answer says; the first three are what makes it good
REAL = Path(__file__).parents[3] / "shared" / "data" / "preference" / "arena_bench_v1_scored.parquet"


def spoken(rows=1500, seed=0, strength=1.0):
    """Pairs whose label goes by two features and by content, with points that hold content and style mixed."""
    draw = np.random.default_rng([seed, 77])
    answers = [sides(draw, rows) for _ in range(2)]
    said = draw.normal(size=(2, rows, WIDE))
    pull = 1.2 * (said[0] - said[1])[:, :3].sum(axis=1) / np.sqrt(3)
    pull = pull + strength * (
        1.5 * np.tanh((answers[0]["size"] - answers[1]["size"]) / 300)
        + 0.7 * np.sign(answers[0]["marks"] - answers[1]["marks"])
    )
    wins = draw.random(rows) < 1 / (1 + np.exp(-pull))
    order = [np.where(won, 0, 1) for won in (wins, ~wins)]
    frames = [
        pl.DataFrame({name: np.where(side == 0, answers[0][name], answers[1][name]) for name in answers[0]})
        for side in order
    ]
    said = [said[side, np.arange(rows)] for side in order]
    loud = draw.normal(size=(3, WIDE))
    points = tuple(
        (text + 1.5 * styled(frame) @ loud).astype(np.float32) for text, frame in zip(said, frames, strict=True)
    )
    return table(rows, draw), measured(*frames), said[0] - said[1], points


def styled(frame):
    return frame.select("size", "marks", "idle").to_numpy() / [300.0, 2.0, 1.5]


def unit(x):
    return np.tanh(x / np.sqrt((x**2).mean(axis=0)))


def coefficients(x, weight):
    """What a Bradley-Terry model of two targets pays for them."""
    return paired_logit(x, weights=weight, ridge=0.1).beta


@pytest.mark.parametrize("seed", range(3))
def test_half_of_the_pairs_teaches_the_content_and_not_the_features(seed):
    pairs, measures, said, points = spoken(seed=seed)
    plan = rank(pairs, measures, np.random.default_rng(seed), targets=TARGETS, points=points)
    x = unit(differences(measures))
    assert (coefficients(x, np.ones(len(x))) > 0.6).all()
    assert np.abs(coefficients(x, plan.weight)).max() < 0.25
    assert plan.lost == 750 and plan.effective == 750
    # Held out: pairs on which features say nothing about the label, judged by a head on features and content.
    _, fresh, new, _ = spoken(seed=seed + 50, strength=0.0)
    held_out = np.column_stack([unit(differences(fresh)), new])
    accuracy = [
        float((held_out @ paired_logit(np.column_stack([x, said]), weights=weight).beta > 0).mean())
        for weight in (np.ones(len(x)), plan.weight)
    ]
    assert accuracy[1] >= accuracy[0] - 0.005, accuracy


def test_however_many_are_kept_the_features_point_either_way_equally_often():
    pairs, measures, _, points = spoken()
    x = unit(differences(measures))
    for keep in (0.1, 0.25, 0.4, 0.55):
        plan = rank(pairs, measures, np.random.default_rng(0), targets=TARGETS, points=points, keep=keep)
        assert plan.kept.sum() == round(keep * 1500) and not plan.notes
        shortcut = plan.columns["shortcut"][plan.kept]
        assert abs((shortcut > 0).mean() - 0.5) < 0.02
        assert np.abs(x[plan.kept].mean(axis=0)).max() < 0.1
    plan = rank(pairs, measures, np.random.default_rng(0), targets=TARGETS, points=points, keep=0.9)
    assert [note.key for note in plan.notes] == ["repair.rank.unbalanced"]
    assert 0.55 < plan.notes[0].values["share"] < 0.75
    last = np.argsort(plan.columns["rank"])[-150:]
    assert (plan.columns["shortcut"][last] > 0.5).all()  # what is left without a counterpart, the plainest last


def test_the_orders_to_compare_with_do_what_their_names_say():
    pairs, measures, _, points = spoken()
    x = unit(differences(measures))
    found = {
        order: rank(pairs, measures, np.random.default_rng(0), targets=TARGETS, points=points, order=order)
        for order in ("kernel", "balance", "content", "style", "random", "easiest", "hardest")
    }
    pay = {order: coefficients(x, plan.weight) for order, plan in found.items()}
    assert (pay["easiest"] > 1.5 * pay["random"]).all() and (pay["hardest"] < -0.5).all()
    assert np.abs(pay["balance"]).max() < 0.25 and (pay["random"] > 0.5).all()
    mean = {
        order: {name: values[plan.kept].mean() for name, values in plan.columns.items()}
        for order, plan in found.items()
    }
    assert mean["content"]["content_distance"] == max(row["content_distance"] for row in mean.values())
    assert mean["style"]["style_distance"] == min(row["style_distance"] for row in mean.values())
    assert mean["kernel"]["content_distance"] > 1.03 * mean["balance"]["content_distance"]
    assert mean["kernel"]["style_distance"] < 0.95 * mean["balance"]["style_distance"]


def test_without_a_shortcut_every_pair_has_a_counterpart():
    pairs, measures, _, points = spoken(strength=0.0)
    plan = rank(pairs, measures, np.random.default_rng(0), targets=TARGETS, points=points, keep=0.85)
    assert not plan.notes
    assert np.abs(coefficients(unit(differences(measures)), plan.weight)).max() < 0.25
    assert abs((plan.columns["shortcut"] > 0).mean() - 0.5) < 0.06


def test_swapped_sides_get_the_same_plan():
    pairs, measures, _, points = spoken(600)
    plan = rank(pairs, measures, np.random.default_rng(0), targets=TARGETS, points=points)
    mirrored = rank(*swapped(pairs, measures), np.random.default_rng(0), targets=TARGETS, points=points[::-1])
    for name, values in plan.columns.items():
        np.testing.assert_allclose(mirrored.columns[name], values, rtol=1e-4)
    assert (mirrored.weight == plan.weight).all()


def test_rows_in_another_order_get_the_same_plan():
    pairs, measures, _, points = spoken(600)
    order = np.random.default_rng(5).permutation(600)
    plan = rank(pairs, measures, np.random.default_rng(0), targets=TARGETS, points=points)
    moved = tuple(side[order] for side in points)
    again = rank(*reordered(pairs, measures, order), np.random.default_rng(0), targets=TARGETS, points=moved)
    for name, values in plan.columns.items():
        np.testing.assert_allclose(again.columns[name], values[order], rtol=1e-3)


def test_all_are_kept_where_only_the_readings_are_wanted():
    pairs, measures = planted(300)
    plan = rank(pairs, measures, np.random.default_rng(0), keep=1.0)
    assert plan.lost == 0 and plan.reason == (None,) * 300
    assert sorted(plan.columns["rank"].tolist()) == list(range(1, 301))
    assert plan.notes[0].key == "repair.rank.words"


@pytest.mark.parametrize("keep", [0.0, 1.5, -1.0])
def test_a_share_that_cannot_be_is_refused(keep):
    with pytest.raises(InputError, match="keep"):
        rank(*planted(300), np.random.default_rng(0), keep=keep)


def test_too_little_data_is_refused():
    with pytest.raises(NotEnoughData, match="50 prompts"):
        rank(*planted(30), np.random.default_rng(0))
    pairs, measures = planted(300)
    same = (np.ones((300, 4), dtype=np.float32),) * 2
    with pytest.raises(NotEnoughData, match="lie apart"):
        rank(pairs, measures, np.random.default_rng(0), points=same)
    constant = measured(*(pl.DataFrame({"size": np.ones(300)}) for _ in range(2)))
    with pytest.raises(NotEnoughData, match="differs within pairs"):
        rank(pairs, constant, np.random.default_rng(0))
    one = np.where(np.arange(300) < 10, 2.0, 1.0)  # in 10 of 300 pairs
    rare = measured(pl.DataFrame({"size": one}), pl.DataFrame({"size": np.ones(300)}))
    with pytest.raises(NotEnoughData, match="5%"):
        rank(pairs, rare, np.random.default_rng(0))


def test_counterparts_are_of_opposite_signs_equal_strength_and_one_merit():
    draw = np.random.default_rng(0)
    shortcut, worth = draw.normal(0.7, 1.0, 2000), draw.normal(size=2000)
    merit, alone = coupled(shortcut, worth)
    for value in np.unique(merit[~alone]):
        two = np.flatnonzero((merit == value) & ~alone)
        assert two.size == 2 and shortcut[two].prod() < 0
        assert merit[two[0]] == pytest.approx(worth[two].mean())
        assert abs(np.abs(shortcut[two[0]]) - np.abs(shortcut[two[1]])) < 2.5
    small = (~alone) & (np.abs(shortcut) < 2)
    assert abs(worth[small & (shortcut > 0)].mean() - worth[small & (shortcut < 0)].mean()) < 0.1  # neither side's best
    assert (merit[alone] == -shortcut[alone]).all() and (shortcut[alone] > 0).mean() > 0.95
    merit, alone = coupled(np.zeros(5), np.arange(5.0))
    assert not alone.any() and (merit == np.arange(5.0)).all()
    assert not coupled(-shortcut, worth)[1][~coupled(shortcut, worth)[1]].any()


def test_content_is_what_style_does_not_explain():
    """Answers that say the same in two styles lie closer than answers that say different things in one."""
    pairs, measures, _, _ = spoken(1200)
    draw = np.random.default_rng(3)
    other = draw.random(1200) < 0.5
    loud = 3 * draw.normal(size=(3, WIDE))
    base = draw.normal(size=(1200, WIDE))
    said = (base, np.where(other[:, None], draw.normal(size=(1200, WIDE)), base + 0.2 * draw.normal(size=base.shape)))
    points = tuple(
        (text + np.tanh(styled(measures.frames[side])) @ loud).astype(np.float32)
        for text, side in zip(said, ("chosen", "rejected"), strict=True)
    )
    style, folds = style_differences(measures), grouped_folds(pairs.groups, 5, draw)
    found = content_distance(pairs, points, style, folds)
    raw = np.sqrt(((points[0] - points[1]) ** 2).sum(axis=1))
    assert auc(found[other], found[~other]) > 0.95 > auc(raw[other], raw[~other]) + 0.05
    apart = style_distance(pairs, style, folds)
    assert abs(auc(apart[other], apart[~other]) - 0.5) < 0.05


def test_a_size_beyond_the_usual_has_no_unit_and_no_trace_of_what_is_usual():
    draw = np.random.default_rng(0)
    known, own, folds = draw.normal(size=(900, 3)), draw.normal(0, 0.3, 900), draw.integers(0, 5, 900)
    size = np.exp(known @ [1.0, -2.0, 0.0] + 4 + own)
    found = beyond(size, known, folds)
    np.testing.assert_allclose(beyond(7 * size, known, folds), found)
    assert np.corrcoef(np.log(found), own)[0, 1] > 0.97
    assert np.abs(np.corrcoef(np.log(found), known.T)[0, 1:]).max() < 0.1
    assert 0.9 < np.median(found) < 1.1


def test_hashed_words_are_as_alike_as_words_are():
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice([f"word{k}" for k in range(60)], 30)) for _ in range(40)]
    points = hashed_words(pl.Series(texts), 1 << 14)
    oracle = TfidfVectorizer(sublinear_tf=True, smooth_idf=False, norm=None).fit(texts)
    exact = oracle.transform(texts).toarray()
    exact *= np.where(oracle.idf_ > 0, (oracle.idf_ - 1) / oracle.idf_, 0)  # scikit-learn adds 1 to each weight
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    np.testing.assert_allclose(points @ points.T, exact @ exact.T, atol=0.02)
    assert np.linalg.norm(hashed_words(pl.Series(["", "a b", "c"]), 64), axis=1).tolist() == pytest.approx([0, 1, 1])
    few = hashed_words(pl.Series([" ".join(f"w{row}x{k}" for k in range(20)) for row in range(60)]), 32)
    assert abs((few @ few.T)[np.triu_indices(60, 1)].mean()) < 0.02  # words that meet cancel on average
    chinese = hashed_words(pl.Series(["茶很热", "热很茶", "猫睡了", None]))
    assert chinese[0] @ chinese[1] == pytest.approx(1) and abs(chinese[0] @ chinese[2]) < 0.2


@pytest.mark.skipif(not REAL.is_file(), reason="the real preference files are not on this machine")
def test_on_real_pairs_length_is_not_turned_around():
    frame = pl.read_parquet(REAL).sample(600, seed=1).with_row_index("row", offset=1)
    pairs = Pairs(
        frame.select(
            pl.col("row").cast(pl.Int64),
            "prompt",
            "chosen",
            "rejected",
            pair_id="id",
            weight=pl.lit(1.0),
            group="prompt",
        )
    )
    measures = measure([feature for feature in declared("en") if feature.family in ("length", "layout")], pairs=pairs)
    x = unit(differences(measures, ("characters",)))
    plan = rank(pairs, measures, np.random.default_rng(0), targets=("characters",))
    hardest = rank(pairs, measures, np.random.default_rng(0), targets=("characters",), order="hardest")
    assert coefficients(x, np.ones(600))[0] > 1.5
    assert abs(coefficients(x, plan.weight)[0]) < 0.4
    assert coefficients(x, hardest.weight)[0] < -1.5
