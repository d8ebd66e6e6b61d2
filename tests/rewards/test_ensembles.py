"""Ensembles as reward models: standardised, opened from a folder, and honest about whose fault an error is."""

import itertools
import json
import sys

import numpy as np
import pytest

from dehusk.core.errors import BackendError, InputError, NotEnoughData, UnknownName
from dehusk.core.kinds import scores_new_texts
from dehusk.core.options import ScoreConfig
from dehusk.rewards import open_models
from dehusk.rewards.ensembles import Ensemble, Recipe, average_heads, save_ensemble, standardised
from dehusk.rewards.heads import LinearHead

MODELS = """
calls = []
def length(prompts, responses):
    calls.append(len(responses))
    return [float(len(text)) for text in responses]
def scaled(prompts, responses): return [7.0 * len(text) - 300 for text in responses]
def shorter(prompts, responses): return [-float(len(text)) for text in responses]
def broken(prompts, responses): raise RuntimeError("out of memory")
"""
PROMPTS = ["q1", "q1", "q2", "q2", "q2", "q3"]
ANSWERS = ["a", "abc", "ab", "abcd", "", "abcdefgh"]


@pytest.fixture(autouse=True)
def module(folder):
    (folder / "rm_parts.py").write_text(MODELS)


def spec(name, version=1):
    return f"{name}=py:rm_parts:{name}" + (f"?version={version}" if version else "")


def built(rule, *specs, centre=None, scale=None):
    members = open_models(ScoreConfig(reward_model=specs))
    recipe = Recipe(
        rule, np.zeros(len(specs)) if centre is None else centre, np.ones(len(specs)) if scale is None else scale
    )
    return Ensemble("both", members, recipe)


def test_an_ensemble_of_one_member_twice_is_the_member():
    twice = built("uwo", "a=py:rm_parts:length", "b=py:rm_parts:length")
    assert twice.score(PROMPTS, ANSWERS).tolist() == [len(text) for text in ANSWERS]


def test_shift_and_scale_of_a_member_change_nothing_once_standardised():
    members = open_models(ScoreConfig(reward_model=(spec("length"), spec("shorter"), spec("scaled"))))
    scores = np.stack([model.score(PROMPTS, ANSWERS) for model in members])
    groups = np.array([0, 0, 1, 1, 1, 2])
    for rule in ("mean", "worst", "uwo", "median"):
        some, others = (standardised(scores[rows], groups, rule) for rows in ([0, 1], [2, 1]))
        np.testing.assert_allclose(some.combine(scores[[0, 1]], groups), others.combine(scores[[2, 1]], groups))


def test_the_scale_is_that_within_prompts():
    scores = np.array([[0.0, 2.0, 100.0, 102.0], [0.0, 4.0, -7.0, -3.0]])
    found = standardised(scores, np.array([0, 0, 1, 1]), "mean")
    assert found.scale.tolist() == pytest.approx([np.sqrt(2), 2 * np.sqrt(2)])
    assert found.centre.tolist() == [51.0, -1.5]
    alone = standardised(scores, np.arange(4), "mean")
    assert alone.scale.tolist() == pytest.approx(scores.std(axis=1))


def test_nothing_to_standardise_by():
    with pytest.raises(NotEnoughData, match="scores that differ"):
        standardised(np.array([[1.0, 1.0], [0.0, 1.0]]), np.zeros(2, int), "mean")
    with pytest.raises(NotEnoughData, match="at least 1 answer"):
        standardised(np.array([[np.nan, 1.0], [0.0, np.nan]]), np.zeros(2, int), "mean")


def test_a_folder_is_opened_as_it_was_saved(folder, opened):
    recipe = Recipe("uwo", np.array([1.0, -2.0]), np.array([2.0, 3.0]), {"caution": 0.1})
    save_ensemble(folder / "both", (spec("length"), spec("shorter")), recipe)
    model = opened("ensemble:both?trust=yes")
    assert model.name == "both"
    a, b = np.array([len(text) for text in ANSWERS]) - 1.0, np.array([-len(text) for text in ANSWERS]) + 2.0
    standard = np.stack([a / 2, b / 3])
    expected = standard.mean(axis=0) - 0.1 * standard.var(axis=0)
    np.testing.assert_allclose(model.score(PROMPTS, ANSWERS), expected)


def test_members_may_be_ensembles_and_lie_beside_the_file(folder, opened, monkeypatch):
    one = Recipe("mean", np.zeros(1), np.ones(1))
    save_ensemble(folder / "in" / "inner", (spec("length"),), one)
    save_ensemble(folder / "in" / "outer", ("ensemble:in/inner",), one)
    assert json.loads((folder / "in/outer/ensemble.json").read_text())["members"] == ["ensemble:../inner"]
    (folder / "in").rename(folder / "moved")
    assert opened("ensemble:moved/outer?trust=yes").score(["q"], ["abc"]).tolist() == [3.0]


def test_identity_is_that_of_the_config_and_of_all_members(folder):
    same, again = (built("mean", spec("length"), spec("shorter")) for _ in range(2))
    assert same.identity == again.identity
    others = [
        built("worst", spec("length"), spec("shorter")),
        built("mean", spec("length", 2), spec("shorter")),
        built("mean", spec("shorter"), spec("length")),
        built("mean", spec("length"), spec("shorter"), scale=np.array([1.0, 2.0])),
    ]
    assert len({same.identity, *(model.identity for model in others)}) == 5
    assert built("mean", spec("length"), spec("shorter", None)).identity is None


def test_members_are_stored_one_by_one(folder):
    options = ScoreConfig(reward_model=("ensemble:both?trust=yes",), store="kept")
    save_ensemble(folder / "both", (spec("length"), spec("shorter")), Recipe("mean", np.zeros(2), np.ones(2)))
    first = open_models(options)[0].score(PROMPTS, ANSWERS)
    calls = sys.modules["rm_parts"].calls
    before = len(calls)
    save_ensemble(folder / "both", (spec("length"), spec("shorter")), Recipe("worst", np.zeros(2), np.ones(2)))
    second = open_models(options)[0].score(PROMPTS, ANSWERS)
    assert len(calls) == before
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("rule", ["rank", "vote"])
def test_a_rule_within_prompts_gets_them_and_is_asked_about_no_new_text(rule, folder, opened):
    save_ensemble(folder / "both", (spec("length"), spec("scaled")), Recipe(rule, np.zeros(2), np.ones(2)))
    model = opened("ensemble:both?trust=yes")
    assert not scores_new_texts(model)
    expected = {"rank": [0.0, 1.0, 0.5, 1.0, 0.0, 0.5], "vote": [-1.0, 1.0, 0.0, 1.0, -1.0, 0.0]}
    assert model.score(PROMPTS, ANSWERS).tolist() == expected[rule]


def test_a_text_that_a_member_does_not_know_has_no_score():
    recipe = Recipe("vote", np.zeros(2), np.ones(2))
    scores = np.array([[1.0, np.nan, 3.0], [1.0, 2.0, 3.0]])
    found = recipe.combine(scores, np.zeros(3, int))
    assert found[[0, 2]].tolist() == [-1.0, 1.0]
    assert np.isnan(found[1])


def test_a_member_that_fails_is_named():
    model = built("mean", spec("length"), "bad=py:rm_parts:broken")
    with pytest.raises(BackendError, match=r"both: its member bad: py:rm_parts:broken: raised RuntimeError"):
        model.score(PROMPTS, ANSWERS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "another format"),
        ({"format": 2}, "another format"),
        ({"format": 1, "rule": "mean"}, "no 'members'"),
        ({"rule": "means"}, "unknown combination 'means'; did you mean mean"),
        ({"centre": [0]}, "that do not fit"),
        ({"scale": [1, 0]}, "that do not fit"),
        ({"centre": ["a", 0]}, "not an ensemble"),
        ({"options": {"caution": 1}}, "rule mean has no option 'caution'; expected none"),
        ({"members": ["py:rm_parts:length"]}, "1 members and 2 centres"),
        ({"members": ["pi:rm_parts:length", "py:rm_parts:length"]}, "unknown kind of reward model 'pi'"),
        ({"members": ["ensemble:.", "py:rm_parts:length"]}, "contains itself"),
    ],
)
def test_mistakes_in_the_file_are_one_line(content, said, folder, opened):
    (folder / "both").mkdir()
    if isinstance(content, dict) and "format" not in content:
        whole = {
            "format": 1,
            "rule": "mean",
            "members": [spec("length"), spec("scaled")],
            "centre": [0, 0],
            "scale": [1, 1],
        }
        content = whole | content
    (folder / "both/ensemble.json").write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InputError) as mistake:
        opened("ensemble:both?trust=yes")
    assert said in str(mistake.value)
    assert "\n" not in str(mistake.value)


def head(rng, *widths, size=6):
    sizes = [size, *widths, 1]
    weights = tuple(rng.normal(size=(out, into)) for into, out in itertools.pairwise(sizes))
    return LinearHead(
        rng.normal(size=size), rng.uniform(0.5, 2, size), weights, tuple(rng.normal(size=len(w)) for w in weights)
    )


def test_averaged_linear_heads_give_the_mean_reward():
    rng = np.random.default_rng(0)
    heads, points = [head(rng) for _ in range(4)], rng.normal(size=(50, 6))
    expected = np.mean([one.rewards(points) for one in heads], axis=0)
    np.testing.assert_allclose(average_heads(heads).rewards(points), expected)


def test_one_deep_head_averaged_with_itself_is_itself():
    rng = np.random.default_rng(1)
    one, points = head(rng, 5, 3), rng.normal(size=(50, 6))
    np.testing.assert_allclose(average_heads([one] * 3).rewards(points), one.rewards(points))


def test_heads_of_different_shapes_are_not_averaged():
    rng = np.random.default_rng(2)
    with pytest.raises(InputError, match=r"heads of shapes .* expected one shape. Try: --method ensemble"):
        average_heads([head(rng), head(rng, 5)])
    with pytest.raises(NotEnoughData):
        average_heads([])


def test_a_rule_that_is_not_there():
    with pytest.raises(UnknownName, match="did you mean worst"):
        Recipe("worse", np.zeros(1), np.ones(1))


def test_a_file_does_not_run_programs_unless_its_user_says_so(folder, opened):
    """Neither for itself nor, through a folder inside it, for another file."""
    save_ensemble(folder / "both", [spec("length"), spec("scaled")], Recipe("mean", np.zeros(2), np.ones(2)))
    with pytest.raises(
        InputError, match=r"names length=py:rm_parts:length\?version=1, which runs code .* Try: …:both\?trust=yes"
    ):
        opened("ensemble:both")
    (folder / "outer").mkdir()
    inner = json.loads((folder / "both" / "ensemble.json").read_text())
    inner |= {"members": ["a=ensemble:../both?trust=yes", "b=ensemble:../both?trust=yes"]}
    (folder / "outer" / "ensemble.json").write_text(json.dumps(inner))
    with pytest.raises(InputError, match="runs code or sends texts elsewhere"):
        opened("ensemble:outer")
    assert opened("ensemble:outer?trust=yes").score(["q"], ["abc"]).shape == (1,)
