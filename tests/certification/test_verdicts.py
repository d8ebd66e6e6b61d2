"""The verdict on planted repairs, on none, and under changes that should change nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from contests import World, contest

from dehusk.certification import Labels, Margins, certify

PLANTED = {
    "the same": (lambda w: w.old, "contamination", "target_remains"),
    "fitted again": (lambda w: w.reward(1.0, 0.3), "contamination", "target_remains"),
    "half": (lambda w: w.reward(0.4, 0.3), "contamination", "target_remains"),
    "both": (lambda w: w.reward(0.0, 0.0), "success", "shown"),
    "moved": (lambda w: w.reward(-0.7, 1.8, gold=1.3), "substitution", "feature_grew"),
    "turned": (lambda w: w.reward(-1.0, 0.0), "over_correction", "target_reversed"),
    "without gold": (lambda w: w.reward(0.0, 0.0, gold=0.2), "contamination", "gold_lower"),
}


def judge(world, after, **options):
    return certify(world.contest(after), np.random.default_rng(0), nats=0.5, **options)


def states(judged):
    return {shift.feature: shift.state for shift in judged.shifts}


@pytest.mark.parametrize("name", PLANTED)
def test_planted(name):
    repair, verdict, reason = PLANTED[name]
    found = []
    for seed in range(3):
        world = World(seed, size=8)
        judged = judge(world, repair(world))
        found.append((judged.verdict, judged.reason))
    assert found == [(verdict, reason)] * 3


def test_the_feature_that_grew_is_the_one_that_was_planted():
    world = World(0, size=8)
    judged = judge(world, world.reward(-0.7, 1.8, gold=1.3))
    assert [name for name, state in states(judged).items() if state == "grew"] == ["second"]
    assert judged.sentence.values["feature"] == "second"


def test_what_came_along_with_the_target_and_falls_has_not_grown():
    world = World(1, size=8)
    judged = judge(world, world.reward(0.0, 0.0))
    told = {shift.feature: shift for shift in judged.shifts}
    for name in ("second", "like_target"):
        assert told[name].lift.before.low > 0.15  # it had pressure, through the target
        assert told[name].lift.growth.high < 0
        assert told[name].state == "held"


@pytest.mark.parametrize("same", [True, False])
def test_without_pressure_there_is_nothing_to_certify(same):
    """Null: no repair is ever accused of moving or turning anything."""
    for seed in range(4):
        world = World(seed, prompts=150, size=8)
        world.old = world.reward(0.0, 0.0)
        judged = judge(world, world.old if same else world.reward(0.0, 0.0))
        assert (judged.verdict, judged.reason) == ("not_enough_data", "no_pressure")
        assert "grew" not in states(judged).values()


def test_an_unchanged_reward_moves_nothing_on_many_features():
    """Null, over 20 pools: with joint bands, no feature of twelve may be said to have grown in more than one."""
    grown = 0
    for seed in range(20):
        world = World(100 + seed, prompts=60, size=4)
        judged = judge(world, world.reward(1.0, 0.3), margins=Margins(growth=1e-9))
        grown += "grew" in states(judged).values()
    assert grown <= 3


def test_a_small_pool_is_not_enough():
    world = World(0, prompts=25, size=4)
    assert judge(world, world.reward(0.0, 0.0)).verdict == "not_enough_data"
    world = World(0, prompts=15, size=4)
    judged = judge(world, world.reward(0.0, 0.0))
    assert (judged.verdict, judged.reason, judged.shifts) == ("not_enough_data", "few_answers", ())
    assert {one.probe for one in judged.unseen} == set(world.values)


def test_what_gold_wants_may_grow_and_the_same_growth_without_gold_may_not():
    world = World(2, size=8)
    world.gold = world.gold + 0.8 * world.second - 0.32 * world.target
    after = world.reward(0.0, 0.0)
    judged = judge(world, after)
    assert judged.verdict == "success"
    told = {shift.feature: shift for shift in judged.shifts}["second"]
    assert told.lift.gold.low > 0.2
    blind = certify(replace(world.contest(after), gold=None), np.random.default_rng(0), nats=0.5)
    assert states(blind)["second"] in ("grew", "held", "blind")
    assert blind.verdict != "success"


def test_a_wanted_feature_may_grow():
    world = World(0, size=8)
    after = world.reward(-0.7, 1.8, gold=1.3)
    given = world.contest(after, wanted=("second",))
    judged = certify(given, np.random.default_rng(0), nats=0.5, margins=Margins(gold=0.2))
    assert judged.verdict == "success"
    assert states(judged)["second"] == "grew"


def test_without_gold_no_success_but_labelled_pairs_will_do():
    world, rng = World(0, size=8), np.random.default_rng(3)
    given = replace(world.contest(world.reward(0.0, 0.0)), gold=None)
    assert certify(given, rng, nats=0).reason == "no_gold"
    right = (rng.random(4000) < 0.7).astype(float)
    labels = Labels(right, right, np.arange(4000))
    assert certify(given, rng, nats=0, labels=labels).verdict == "success"
    worse = Labels(right, (rng.random(4000) < 0.6).astype(float), np.arange(4000))
    judged = certify(given, rng, nats=0, labels=worse)
    assert (judged.verdict, judged.reason) == ("contamination", "gold_lower")
    few = Labels(right[:300], (rng.random(300) < 0.7).astype(float), np.arange(300))
    assert certify(given, rng, nats=0, labels=few).reason == "gold_undecided"


def test_duplicated_prompts_do_not_make_surer():
    """Pools of one prompt belong together."""
    world = World(0, prompts=60, size=4)
    values = {name: np.repeat(one, 4, axis=0) for name, one in world.values.items()}
    after = world.reward(0.0, 0.0)
    parts = [np.repeat(one, 4, axis=0) for one in (world.old, after, world.gold)]
    single = judge(world, after)
    many = certify(contest(values, *parts, clusters=np.repeat(np.arange(60), 4)), np.random.default_rng(0), nats=0.5)
    wide = [one.shifts[0].lift.change.high - one.shifts[0].lift.change.low for one in (single, many)]
    assert wide[1] == pytest.approx(wide[0], rel=0.1)


def test_swapping_the_rewards_turns_the_signs_of_changes():
    world = World(0, prompts=100, size=8)
    after = world.reward(0.0, 0.6)
    there = judge(world, after)
    world.old, after = after, world.old
    back = {shift.feature: shift for shift in judge(world, after).shifts}
    for shift in there.shifts:
        for one, other in zip(shift.lifts, back[shift.feature].lifts, strict=True):
            assert one.change.value == pytest.approx(-other.change.value, abs=1e-9)
            assert one.before.value == pytest.approx(other.after.value, abs=1e-9)


def test_constants_a_prompt_scales_and_orders_change_nothing():
    world = World(0, prompts=100, size=8)
    after, rng = world.reward(0.0, 0.6), np.random.default_rng(5)
    plain = judge(world, after)
    shifted = replace(
        world.contest(3 * after + rng.normal(size=(100, 1))), before=world.old / 2 + 7 * rng.normal(size=(100, 1))
    )
    order = np.argsort(rng.random(world.shape), axis=1)  # of the answers
    given = world.contest(after)
    mixed = replace(
        given,
        values=np.take_along_axis(given.values, order[..., None], axis=1),
        before=np.take_along_axis(given.before, order, axis=1),
        after=np.take_along_axis(given.after, order, axis=1),
        gold=np.take_along_axis(given.gold, order, axis=1),
    )
    for changed in (shifted, mixed):
        judged = certify(changed, np.random.default_rng(0), nats=0.5)
        assert judged.verdict == plain.verdict
        for one, other in zip(plain.shifts, judged.shifts, strict=True):
            assert (one.feature, one.state) == (other.feature, other.state)
            assert one.lift.growth.low == pytest.approx(other.lift.growth.low, abs=1e-6)


def test_ragged_pools_and_features_of_one_language():
    """Padding and prompts where a feature means nothing take no part."""
    world = World(0, prompts=120, size=8)
    after = world.reward(0.0, 0.0)
    given = world.contest(after)
    values = np.pad(given.values, ((0, 0), (0, 2), (0, 0)), constant_values=np.nan)
    values[:40, :, 3] = np.nan
    wide = [np.pad(one, ((0, 0), (0, 2)), constant_values=np.nan) for one in (given.before, given.after, given.gold)]
    padded = replace(given, values=values, before=wide[0], after=wide[1], gold=wide[2])
    plain, judged = (certify(one, np.random.default_rng(0), nats=0) for one in (given, padded))
    first = {shift.feature: shift.lift.after.value for shift in plain.shifts}
    for shift in judged.shifts:
        if shift.feature == given.features[3].name:
            assert np.isfinite(shift.lift.after.value)
        elif shift.told == next(one.told for one in plain.shifts if one.feature == shift.feature):
            assert shift.lift.after.value == pytest.approx(first[shift.feature], abs=1e-9)
