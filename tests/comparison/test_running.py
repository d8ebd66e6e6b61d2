"""Methods on planted data: the plain model pays for length, repairs that know it do not, and nobody is told a lie."""

from dataclasses import replace

import numpy as np
import pytest
from planted_pairs import bench_of, planted

from dehusk.comparison.methods import KINDS, MONOTONE, methods
from dehusk.comparison.readings import PoolPoints, accuracy, readings
from dehusk.comparison.running import compared
from dehusk.core.errors import NotEnoughData, UnknownName
from dehusk.core.kinds import adjustments, combinations, objectives, repairs


def tried(bench, *names, splits=5):
    return {row.method: row for row in compared(bench, methods(names), splits=splits, held_out=0.3)}


def test_every_table_has_its_rows():
    every = [method.name for method in methods()]
    names = {name.removeprefix("ensemble-") for name in every}
    assert len(set(every)) == len(every)
    everything = {row.name for table in (repairs, objectives, combinations, adjustments) for row in table}
    assert everything - names == {"bt", "grm", "select", *MONOTONE}
    assert {method.kind for method in methods()} == {"plain", *KINDS}


def test_a_misspelt_method_is_named():
    with pytest.raises(UnknownName, match="did you mean residualise"):
        methods(["residualize"])


def test_repairs_of_one_target_have_a_row_for_each():
    names = [one.name for one in methods(["flip", "match"], ["characters", "exclamations"])]
    assert names == ["plain", "flip-characters", "flip-exclamations", "match"]
    assert [one.name for one in methods(["drop-bold"], ["bold", "lists"])] == ["plain", "drop-bold"]
    assert [one.name for one in methods(["flip"], ["characters"])] == ["plain", "flip"]


def test_each_row_repairs_its_own_target(bench):
    both = replace(bench, targets=("characters", "exclamations"))
    tries = methods(["drop"], both.targets)
    rows = {row.method: row for row in compared(both, tries, splits=2, held_out=0.3)}
    assert list(rows) == ["plain", "drop-characters", "drop-exclamations"]
    assert rows["drop-characters"].lost > 2 * rows["drop-exclamations"].lost  # only length was paid for
    one = compared(replace(bench, targets=("characters",)), methods(["drop"]), splits=2, held_out=0.3)[1]
    assert rows["drop-characters"].readings["accuracy"] == one.readings["accuracy"]


def test_kinds_choose_their_methods():
    assert {one.kind for one in methods(["combination"])} == {"plain", "combination"}


def test_planted_pressure_is_seen_and_taken_out(bench):
    rows = tried(bench, "residualise", "reweight", "correlation")
    plain = rows["plain"].readings["coefficient:characters"]
    assert plain.low > 0.1
    for name in ("residualise", "reweight", "correlation"):
        row = rows[name]
        assert abs(row.readings["coefficient:characters"].value) < plain.value / 2
        assert row.against["coefficient:characters"].high < 0
        assert row.readings["accuracy"].value > 0.6
    assert rows["reweight"].effective < rows["plain"].effective


def test_null_nothing_is_paid_for_what_nobody_paid():
    rows = tried(bench_of(planted(200, 0.0, seed=3)), "residualise")
    assert rows["plain"].readings["coefficient:characters"].direction == 0
    assert not rows["residualise"].grown_sure


def test_a_method_that_cannot_says_why(bench):
    rows = tried(bench, "project", "match", splits=2)
    assert rows["match"].readings
    assert rows["match"].lost > 0
    assert bool(rows["project"].readings) != bool(rows["project"].refusal)


def test_the_same_seed_gives_the_same_numbers(bench):
    one, two = (tried(bench, "odin", "ensemble-uwo", splits=2) for _ in range(2))
    for name, row in one.items():
        assert row.readings == two[name].readings


def test_too_few_prompts_are_refused():
    with pytest.raises(NotEnoughData, match="67 prompts, got 40"):
        compared(bench_of(planted(40, 0.3)), methods()[:1], splits=2, held_out=0.3)


def test_a_pool_is_picked_from(bench):
    data = bench.data
    points = np.concatenate([data.chosen, data.rejected])[:400]
    features = np.concatenate([data.chosen_features, data.rejected_features])[:400]
    gold = points[:, 0].astype(float)
    pool = PoolPoints(points, features, np.arange(400).reshape(50, 8), gold)
    held = bench.held(np.arange(60))
    held = type(held)(held.test, held.targets, {}, pool)
    perfect, _ = readings(lambda p, f, g: p[:, 0].astype(float), held)
    longest, _ = readings(lambda p, f, g: p[:, 1].astype(float), held)
    assert pool.draws == [1, 2, 4, 8]
    assert pool.best_of == 8
    assert not perfect["gold:1"].any()  # exactly: what rounding leaves of 0 would be called sure
    assert perfect["gold:8"].mean() > perfect["gold:2"].mean() > 0.3
    assert (perfect["gold:8"] >= 0).all()
    assert longest["lift:characters"].mean() > 1
    assert abs(longest["gold:8"].mean()) < 0.5


def test_the_same_rows_elsewhere_have_the_same_accuracy(bench):
    held = bench.held(np.arange(60))
    found, _ = readings(by_good_words, type(held)(held.test, held.targets, {"same": held.test}))
    assert found["accuracy:same"].mean() == pytest.approx(found["accuracy"])
    assert len(found["accuracy:same"]) == len(np.unique(held.test.groups)) < 60


def by_good_words(points, features, groups):
    return points[:, 0].astype(float)


def test_groups_reach_rules_that_compare_within_a_prompt(bench):
    votes, _ = readings(
        lambda p, f, g: np.unique(g, return_counts=True)[1][g] * p[:, 0].astype(float), bench.held(np.arange(40))
    )
    plain, _ = readings(lambda p, f, g: 2 * p[:, 0].astype(float), bench.held(np.arange(40)))
    assert votes["accuracy"] == plain["accuracy"]


def test_ties_are_half_right():
    assert accuracy(np.array([1.0, 0.0, -1.0, 0.0])) == 0.5
