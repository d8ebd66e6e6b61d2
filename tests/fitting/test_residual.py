"""`residual:`: what is taken off, that it is the same once saved, and that it is flat on other prompts."""

import json
import sys

import numpy as np
import pytest

import dehusk.workflow  # noqa: F401 - adds the kind to the table
from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.options import ScoreConfig
from dehusk.features.intents import phrase_feature
from dehusk.features.measuring import declared
from dehusk.fitting.residual import Correction, Residual, features_of, residualise, save_residual
from dehusk.inputs import parse_model
from dehusk.rewards import open_models

MODELS = """
import zlib
def noise(text): return (zlib.crc32(text.encode()) % 1000) / 1000
def bent(prompts, responses):
    return [min(len(t), 150) / 50 + noise(t) + 3 * noise(p) for p, t in zip(prompts, responses)]
"""
LENGTH = tuple(feature for feature in declared() if feature.name in ("characters", "questions"))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.delitem(sys.modules, "rm_bent", raising=False)
    (tmp_path / "rm_bent.py").write_text(MODELS)
    return tmp_path


def answers(seed, prompts=300):
    rng = np.random.default_rng(seed)
    texts = ["".join(rng.choice(list("abcde fgh?"), size=rng.integers(1, 300))) for _ in range(2 * prompts)]
    return [f"{seed}, {i // 2}" for i in range(2 * prompts)], texts


def opened(spec):
    [model] = open_models(ScoreConfig(reward_model=(spec,)))
    return model


def fitted(strength=1.0, features=LENGTH):
    prompts, texts = answers(0)
    scores = opened("py:rm_bent:bent").score(prompts, texts)
    x = features_of(features, prompts, texts)
    curves = residualise(scores, x, np.unique(prompts, return_inverse=True)[1])
    return Correction(features, curves, strength)


def inside(values):
    return values[::2] - values[1::2]


def test_the_kind_is_known_to_whoever_reads_a_specification():
    assert parse_model("a=residual:folder") == ("a", "residual", "folder")


def test_length_is_worth_nothing_on_prompts_it_was_not_fitted_on():
    model = opened("py:rm_bent:bent?version=1")
    prompts, texts = answers(1)
    lengths = inside(np.array([min(len(text), 150) for text in texts], dtype=float))
    before = model.score(prompts, texts)
    after = Residual("r", model, fitted()).score(prompts, texts)
    assert np.corrcoef(lengths, inside(before))[0, 1] > 0.8
    assert abs(np.corrcoef(lengths, inside(after))[0, 1]) < 0.12
    half = Residual("r", model, fitted(0.5)).score(prompts, texts)
    np.testing.assert_allclose(half, (before + after) / 2, atol=1e-12)


def test_it_is_opened_as_it_was_saved(folder):
    correction = fitted(0.8)
    save_residual(folder / "flat", "py:rm_bent:bent?version=1", correction)
    prompts, texts = answers(2, 20)
    model = opened("residual:flat?trust=yes")
    expected = Residual("flat", opened("py:rm_bent:bent?version=1"), correction)
    np.testing.assert_allclose(model.score(prompts, texts), expected.score(prompts, texts), atol=1e-12)
    assert model.identity == expected.identity
    assert Residual("r", opened("py:rm_bent:bent?version=1"), fitted(0.7)).identity != expected.identity
    assert Residual("r", opened("py:rm_bent:bent"), correction).identity is None


def test_features_are_measured_as_tables_are():
    found = features_of(LENGTH, ["q", "q"], ["four", "what? why?"])
    assert found.tolist() == [[4.0, 0.0], [10.0, 2.0]]
    assert features_of(LENGTH, [], []).shape == (0, 2)


def test_a_phrase_is_a_feature_too(folder):
    phrase = (phrase_feature("face bad"),)
    prompts, texts = answers(3)
    texts = [text + " face bad" * (i % 3 == 0) for i, text in enumerate(texts)]
    scores = np.array([2.0 * ("face bad" in text) for text in texts])
    curves = residualise(scores, features_of(phrase, prompts, texts), np.arange(600) // 2)
    save_residual(folder / "flat", "py:rm_bent:bent", Correction(phrase, curves))
    taken = opened("py:rm_bent:bent").score(["q"] * 2, texts[:2]) - opened("residual:flat?trust=yes").score(
        ["q"] * 2, texts[:2]
    )
    assert taken[0] - taken[1] == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"features": ["charactres", "questions"]}, "unknown feature or family 'charactres'; did you mean characters"),
        ({"features": ["length", "questions"]}, "names that are not those of single features"),
        ({"features": ["characters"]}, "features and curves that do not fit"),
        ({"low": [0]}, "features and curves that do not fit"),
        ({"coefficients": [[1], [1]]}, "features and curves that do not fit"),
        ({"knots": "none"}, "not a residual model"),
        ({"inner": "rm.py"}, "'rm.py'; expected [NAME=]KIND:WHERE"),
    ],
)
def test_mistakes_in_the_file_are_one_line(change, said, folder):
    save_residual(folder / "flat", "py:rm_bent:bent", fitted())
    file = folder / "flat/residual.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InputError) as mistake:
        opened("residual:flat?trust=yes")
    assert said in str(mistake.value)
    assert "\n" not in str(mistake.value)


def test_five_hundred_answers_are_the_least():
    prompts, texts = answers(4, 249)
    x = features_of(LENGTH, prompts, texts)
    with pytest.raises(NotEnoughData, match="at least 500"):
        residualise(np.zeros(498), x, np.arange(498))
