"""Shapings: bounds, centres, order, and the folder they are opened from."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.kinds import adjustments
from dehusk.rewards.shaping import SHAPINGS, Shaping, save_shaped

numbers = st.lists(st.floats(-50, 50), min_size=2, max_size=8)


@pytest.fixture(autouse=True)
def module(folder):
    (folder / "rm_shape.py").write_text("def length(prompts, responses): return [float(len(t)) for t in responses]\n")


def rule(name):
    return adjustments[name].thing


def test_they_are_what_the_sources_say():
    scores, references = np.array([-1.0, 0.0, 3.0]), np.array([0.0, 1.0, 2.0, 5.0])
    expected = {
        "par": [np.mean([expit(score - one) for one in references]) for score in scores],
        "lsc": [np.log(expit(score - np.percentile(references, 85))) for score in scores],
        "clip": np.clip(scores, 2 - references.std(), 2 + references.std()),
        "minmax": [0.0, 0.0, 0.6],
        "centre": [-3.0, -2.0, 1.0],
    }
    assert tuple(expected) == SHAPINGS
    for name, values in expected.items():
        np.testing.assert_allclose(rule(name)(scores, references), values)


@settings(max_examples=100, deadline=None)
@given(numbers, numbers, st.floats(-100, 100))
def test_bounds_order_and_the_level_of_the_model(scores, references, level):
    scores, references = np.array(scores), np.array(references)
    for name in SHAPINGS:
        if name in ("clip", "minmax") and references.std() <= 1e-6:
            continue
        found = rule(name)(scores, references)
        assert np.isfinite(found).all()
        order = np.argsort(scores, kind="stable")
        assert (np.diff(found[order]) >= -1e-9).all()  # no answer overtakes another of its prompt
        if name in ("par", "minmax"):
            assert ((found >= 0) & (found <= 1)).all()
        if name == "lsc":
            assert (found <= 0).all()
        moved = rule(name)(scores + level, references + level) - (level if name == "clip" else 0)
        np.testing.assert_allclose(moved, found, atol=1e-6)  # a constant added to the model changes at most the level


def test_far_from_the_references_nothing_blows_up():
    far = np.array([-1e9, -1e3, 1e3, 1e9])
    assert rule("par")(far, np.zeros(3)).tolist() == [0.0, 0.0, 1.0, 1.0]
    assert rule("lsc")(far, np.zeros(3)).tolist() == [-1e9, -1e3, 0.0, 0.0]


def test_a_reference_answer_is_worth_one_half_of_its_own():
    assert rule("par")(np.array([4.0]), np.array([4.0])).tolist() == [0.5]


def test_each_prompt_has_its_own_references_and_clip_has_all():
    shaping = Shaping("centre", {"a": np.array([1.0]), "b": np.array([3.0])})
    assert shaping.shape(["a", "b", "a"], np.array([1.0, 1.0, 2.0])).tolist() == [0.0, -2.0, 1.0]
    shaping = Shaping("clip", {"a": np.array([1.0]), "b": np.array([3.0])})
    assert shaping.shape(["a", "b", "new"], np.array([0.0, 1.0, 9.0])).tolist() == [1.0, 1.0, 3.0]
    with pytest.raises(NotEnoughData, match="that differ"):
        Shaping("clip", {"a": np.array([1.0])}).shape(["a"], np.ones(1))


def test_a_prompt_without_references_is_an_error_or_gets_those_of_all():
    references = {"a": np.array([1.0]), "b": np.array([3.0])}
    with pytest.raises(InputError, match=r"no reference answers to the prompt 'new'\. Try: \"unseen\": \"all\""):
        Shaping("centre", references).shape(["a", "new"], np.ones(2))
    assert Shaping("centre", references, "all").shape(["a", "new"], np.ones(2)).tolist() == [0.0, -1.0]


def test_the_scale_is_what_counts_as_one():
    a, b = Shaping("par", {"a": np.array([10.0])}, scale=10.0), Shaping("par", {"a": np.array([1.0])})
    np.testing.assert_allclose(a.shape(["a"], np.array([25.0])), b.shape(["a"], np.array([2.5])))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rule": "parr"}, "no shaping 'parr'"),
        ({"references": {}}, "no score of a reference answer"),
        ({"references": {"a": np.array([np.nan])}}, "no score of a reference answer"),
        ({"scale": 0.0}, "scale = 0.0; expected more than 0"),
    ],
)
def test_nothing_to_shape_with(change, said):
    with pytest.raises(InputError, match=said):
        Shaping(**({"rule": "par", "references": {"a": np.ones(1)}} | change))


def test_a_folder_is_opened_as_it_was_saved(folder, opened):
    shaping = Shaping("par", {"问": np.array([2.0, 4.0]), "q": np.array([1.0])}, "all", 2.0)
    save_shaped(folder / "shaped", "py:rm_shape:length?version=1", shaping)
    model = opened("v2=shaped:shaped?trust=yes")
    prompts, answers = ["问", "q", "?"], ["abc", "abc", "abc"]
    np.testing.assert_allclose(model.score(prompts, answers), shaping.shape(prompts, np.full(3, 3.0)))
    other = Shaping("par", {"问": np.array([2.0, 4.0]), "q": np.array([1.5])}, "all", 2.0)
    save_shaped(folder / "other", "py:rm_shape:length?version=1", other)
    assert model.identity is not None
    assert opened("shaped:other?trust=yes").identity != model.identity


@pytest.mark.parametrize("spoil", ["references", "rule", "inner"])
def test_mistakes_in_the_folder_are_one_line(spoil, folder, opened):
    save_shaped(folder / "shaped", "py:rm_shape:length", Shaping("par", {"a": np.ones(1)}))
    if spoil == "references":
        (folder / "shaped/references.parquet").unlink()
    else:
        content = json.loads((folder / "shaped/shaped.json").read_text()) | {spoil: "nothing"}
        (folder / "shaped/shaped.json").write_text(json.dumps(content))
    with pytest.raises(InputError) as mistake:
        opened("shaped:shaped?trust=yes")
    assert "\n" not in str(mistake.value)
