"""What is paid where the targets are equal: planted, null, and against plain least squares."""

from __future__ import annotations

import numpy as np
from contests import World, contest

from dehusk.certification import certify
from dehusk.certification.equal import grown_at_equal_targets


def grown(found):
    return [
        (found.features[one.feature].name, one.before, one.after)
        for one in grown_at_equal_targets(found, np.random.default_rng(0), margin=0.1, level=0.95)
    ]


def hidden(judged):
    return [text.values["feature"] for text in judged.evidence if text.key == "certify.at_equal"]


def test_pressure_that_selection_hides_is_named_and_changes_no_verdict():
    """Total pressure on `second` falls with the target's, while the reward pays more for it at an equal target."""
    world = World(0, correlation=0.8)
    judged = certify(world.contest(world.reward(-0.75, 0.9)), np.random.default_rng(0))
    told = {shift.feature: shift for shift in judged.shifts}
    assert told["second"].state == "held"
    assert hidden(judged) == ["second"]


def test_slopes_are_those_of_least_squares_within_prompts():
    world = World(1, prompts=80, size=6)
    [(name, before, after)] = grown(world.contest(world.reward(0.0, 1.5)))
    assert name == "second"
    target, second = (x - x.mean(axis=1, keepdims=True) for x in (world.values["target"], world.values["second"]))
    x = np.stack([second.ravel(), target.ravel()], axis=1)
    y = (world.old - world.old.mean(axis=1, keepdims=True)).ravel()
    slope = np.linalg.lstsq(x, y / y.std())[0][0] * second.std()
    np.testing.assert_allclose(before, slope, rtol=1e-6)
    assert after > before + 0.1


def test_a_turned_price_of_the_same_size_has_not_grown():
    world = World(2)
    assert grown(world.contest(world.reward(0.0, -0.3))) == []


def test_null_fitted_again_names_nothing():
    """Neither the same likings with other noise, nor a reward freed of both."""
    alarms = 0
    for seed in range(40):
        world = World(seed, prompts=100, size=8)
        alarms += bool(grown(world.contest(world.reward(1.0, 0.3)))) + bool(grown(world.contest(world.reward(0, 0))))
    assert alarms <= 2


def test_a_feature_that_is_the_target_itself_is_left_out():
    world = World(3, prompts=60)
    rng = np.random.default_rng(0)
    values = {"target": world.target, "twin": world.target + 0.01 * rng.normal(size=world.shape)}
    after = world.reward(0.0, 0.0) + 40 * (values["twin"] - values["target"])
    assert grown(contest(values, world.old, after)) == []


def test_padding_and_prompts_without_the_feature_change_nothing():
    world = World(4, prompts=60, size=6)
    whole = world.contest(world.reward(0.0, 1.5))
    pad = np.full((60, 2), np.nan)
    values = {name: np.concatenate([column, pad], axis=1) for name, column in world.values.items()}
    padded = contest(values, *(np.concatenate([one, pad], axis=1) for one in (whole.before, whole.after)))
    np.testing.assert_allclose([one[1:] for one in grown(padded)], [one[1:] for one in grown(whole)])
    more = {name: np.concatenate([column, column[:5]]) for name, column in world.values.items()}
    more["second"][60:] = np.nan
    longer = contest(more, *(np.concatenate([one, one[:5]]) for one in (whole.before, whole.after)))
    [(name, before, _)] = grown(longer)
    assert name == "second" and abs(before - grown(whole)[0][1]) < 0.05
