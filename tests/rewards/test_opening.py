"""From words to reward models: names, kinds, settings, and the mistakes people make in them."""

import pytest

from dehusk.core.errors import InputError
from dehusk.core.kinds import reward_models, scores_new_texts
from dehusk.core.options import ScoreConfig
from dehusk.rewards import ScoreFile, open_models
from dehusk.rewards.opening import parse_model, split_settings
from dehusk.rewards.stored import Stored


@pytest.fixture(autouse=True)
def files(folder):
    (folder / "rm_len.py").write_text("def score(prompts, responses):\n    return [len(text) for text in responses]\n")
    (folder / "scores.jsonl").write_text('{"prompt": "q", "response": "a", "score": 1}\n')
    (folder / "checkpoint").mkdir()
    return folder


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("py:rm:score", (None, "py", "rm:score")),
        (" late = py : rm:score ", ("late", "py", "rm:score")),
        ("http://host:5000/get_reward?a=b", (None, "http", "//host:5000/get_reward?a=b")),
        ("v2=https://host/get_reward", ("v2", "https", "//host/get_reward")),
        ("scores:a=b.jsonl?text=score", (None, "scores", "a=b.jsonl?text=score")),
        ("cmd:python rm.py --x=y:z", (None, "cmd", "python rm.py --x=y:z")),
    ],
)
def test_a_model_is_name_kind_and_place(spec, parts):
    assert parse_model(spec) == parts


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("pyy:rm:score", "unknown kind of reward model 'pyy'; did you mean py"),
        ("py:", "'py:'; expected [NAME=]KIND:WHERE with a kind of "),
        ("=py:rm:score", "'=py:rm:score'; expected [NAME=]KIND:WHERE"),
        ("", "''; expected [NAME=]KIND:WHERE"),
        ("scores.jsonl", "Try: scores:scores.jsonl"),
        ("mine=scores.jsonl", "Try: mine=scores:scores.jsonl"),
        ("checkpoint", "Try: hf:checkpoint"),
        ("some/model", "Try: hf:some/model"),
        ("localhost:5000/get_reward", "Try: http://localhost:5000/get_reward"),
        ("10.0.0.1:80", "Try: http://10.0.0.1:80"),
    ],
)
def test_a_mistake_is_one_line_with_what_was_meant(spec, said):
    with pytest.raises(InputError) as mistake:
        open_models(ScoreConfig(reward_model=(spec,)))
    assert str(mistake.value).startswith("--reward-model: ")
    assert said in str(mistake.value)
    assert "\n" not in str(mistake.value)


def test_models_keep_their_order_and_their_names_are_different():
    models = open_models(ScoreConfig(reward_model=("b=py:rm_len:score", "a=py:rm_len:score", "scores:scores.jsonl")))
    assert [model.name for model in models] == ["b", "a", "scores"]
    with pytest.raises(InputError, match="'rm_len:score' twice; expected each name once"):
        open_models(ScoreConfig(reward_model=("py:rm_len:score", "py:rm_len:score")))


def test_what_can_score_new_texts_comes_behind_the_store_and_a_file_of_scores_does_not():
    model, file = open_models(ScoreConfig(reward_model=("py:rm_len:score", "scores:scores.jsonl")))
    assert isinstance(model, Stored)
    assert scores_new_texts(model)
    assert isinstance(file, ScoreFile)
    assert not scores_new_texts(file)


def test_a_store_is_made_only_for_a_model_that_is_sure_of_itself(files):
    open_models(ScoreConfig(reward_model=("py:rm_len:score", "scores:scores.jsonl"), store="kept"))
    assert not (files / "kept").exists()
    [model] = open_models(ScoreConfig(reward_model=("py:rm_len:score?version=3",), store="kept"))
    assert (files / "kept").exists()
    assert model.identity == "py:rm_len:score?version=3"
    with pytest.raises(InputError, match=r"scores\.jsonl: cannot be used as a store: file is not a database"):
        open_models(ScoreConfig(reward_model=("py:rm_len:score?version=3",), store="scores.jsonl"))


@pytest.mark.parametrize(
    ("where", "rest", "settings"),
    [
        ("a", "a", {}),
        ("a?x=1", "a", {"x": "1"}),
        ("a?x=1&q=2", "a?q=2", {"x": "1"}),
        ("a?q&x=", "a?q", {"x": ""}),
        ("a?x=b%26c%3Fd", "a", {"x": "b&c?d"}),
        ("a?x=b=c?d", "a", {"x": "b=c?d"}),
        ("a?", "a", {}),
    ],
)
def test_settings_are_taken_out_and_the_rest_stays(where, rest, settings):
    assert split_settings(where, ["x"]) == (rest, settings)


def test_every_kind_says_what_it_is():
    for row in reward_models:
        assert len(row.about) > 20
        assert row.about.endswith(".")
