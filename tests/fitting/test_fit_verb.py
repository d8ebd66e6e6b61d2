"""`dehusk fit` end to end on tiny models: what it writes can be opened, and says the same numbers."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from dehusk.core.options import FitConfig, ScoreConfig
from dehusk.core.run import stream
from dehusk.io import read_pairs
from dehusk.rewards import open_models
from dehusk.stats.bounding import bounded
from dehusk.stats.slopes import standardised_slopes
from dehusk.workflow import run_fit

sys.path.insert(0, str(Path(__file__).parents[1] / "rewards" / "models"))

from tiny_models import write_language_model

PAIRS = [
    {"prompt": f"question {i % 20}?", "chosen": f"yes {'good ' * (i % 4)}{i}", "rejected": f"no {'bad ' * (i % 3)}{i}"}
    for i in range(60)
]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return write_language_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, PAIRS)))
    return tmp_path


@pytest.fixture
def fit(dehusk, base):
    def run(*words):
        usual = {"--pairs": "pairs.jsonl", "--embedder": str(base), "--device": "cpu", "--dtype": "float32"}
        given = [word for flag, value in usual.items() if flag not in words for word in (flag, value)]
        return dehusk("fit", *given, "--out", "out", *words)

    return run


def scores(spec):
    [model] = open_models(ScoreConfig(reward_model=(spec,), device="cpu", dtype="float32"))
    return model.score([row["prompt"] for row in PAIRS], [row["chosen"] for row in PAIRS])


def test_a_head_is_written_and_opens(fit, folder):
    ran = fit("--layers", "1", "--target", "characters", "--held-out", "0.25")
    assert ran.code == 0, ran.err
    assert ran.err == "reward model: linear:out\n"
    assert "fitted on 45 pairs, looked at on 15 held-out pairs" in ran.out
    assert "paid for length (characters)" in " ".join(ran.out.split())
    assert "No standard classifier is written: one reads the last layer" in " ".join(ran.out.split())
    assert np.isfinite(scores("linear:out")).all()
    rows = [json.loads(line) for line in (folder / "out" / "monitor.jsonl").read_text().splitlines()]
    assert rows[-1]["eval_accuracy"] > 0.8
    card = (folder / "out" / "README.md").read_text()
    assert card.startswith("---\n") and "characters" in card and str(folder) not in card


def test_last_tokens_become_a_standard_classifier(fit, folder, base):
    ran = fit("--pooling", "last", "--objective", "correlation", "--option", "strength=1", "--l2", "10")
    assert ran.code == 0, ran.err
    assert ran.err.splitlines() == ["reward model: linear:out", "reward model: hf:out/classifier"]
    linear = scores("linear:out")
    np.testing.assert_allclose(scores("hf:out/classifier"), linear, atol=1e-4)  # `mean` in the config is the constant
    where = folder / "out" / "classifier"
    model = AutoModelForSequenceClassification.from_pretrained(where).eval()
    tokenizer = AutoTokenizer.from_pretrained(where)
    assert model.config.num_labels == 1 and model.config.pad_token_id is not None
    plain = []
    for row in PAIRS[:8]:
        turns = [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["chosen"]}]
        with torch.no_grad():
            text = tokenizer.apply_chat_template(turns, tokenize=False)
            plain.append(float(model(**tokenizer(text, return_tensors="pt", add_special_tokens=False)).logits))
    apart = np.array(plain) - linear[:8]
    np.testing.assert_allclose(apart, model.config.mean, atol=1e-4)


def test_members_become_an_ensemble(fit, folder):
    ran = fit("--members", "3", "--format", "json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["models"] == ["ensemble:out"]
    assert len(told["readings"]) == 3
    members = np.stack([scores(f"linear:out/member-{i}") for i in (1, 2, 3)])
    assert np.corrcoef(members)[0, 1] < 0.9999
    assert np.corrcoef(scores("ensemble:out"), members.mean(axis=0))[0, 1] > 0.99
    assert (folder / "out" / "member-2" / "monitor.jsonl").exists()


def test_the_same_seed_gives_the_same_head(fit, folder):
    words = ("--objective", "focal", "--steps", "20")
    heads = []
    for seed in (1, 1, 2):
        assert fit(*words, "--seed", seed).code == 0
        heads.append((folder / "out" / "head.safetensors").read_bytes())
    assert heads[0] == heads[1] != heads[2]


def test_overlong_pairs_are_counted_and_never_dropped_in_silence(fit):
    ran = fit("--max-length", "45", "--objective", "bt")
    assert ran.code == 0, ran.err
    assert "pairs are longer than 45 tokens" in ran.out
    assert "they lost their beginning" in ran.out
    dropped = fit("--max-length", "45", "--overlong", "drop", "--format", "json")
    told = json.loads(dropped.out)
    assert told["pairs"] + told["held_out"] < len(PAIRS)
    assert any("were left out" in note for note in told["notes"])


def test_margins_are_asked_for_only_if_wanted(fit, folder):
    (folder / "pairs.jsonl").write_text("\n".join(json.dumps(row | {"margin": 4.0}) for row in PAIRS))
    found = []
    for words in ((), ("--margins",)):
        assert fit(*words, "--l2", "1").code == 0
        found.append(scores("linear:out").std())
    assert found[1] > 1.2 * found[0]


def test_chinese(fit, folder):
    ran = fit("--lang", "zh", "--layers", "1")
    assert ran.code == 0, ran.err
    assert "对上拟合" in ran.out and "没有写标准分类器" in ran.out
    assert ran.err == "奖励模型：linear:out\n"
    assert "奖励模型" in (folder / "out" / "README.md").read_text("utf-8")


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--objective btt", "unknown objective 'btt'; did you mean bt"),
        ("--option strength=1", "--option: unknown option 'strength'"),
        ("--objective correlation --option strength=x", "strength = 'x'; expected a number"),
        ("--target charactrs", "--target: unknown feature or family 'charactrs'; did you mean characters"),
        ("--objective grm", "it needs a language model that is trained. Try: --train lora"),
        ("--layers 9", "layers [9]; expected 0 to 2"),
        ("--embedder nowhere", "nowhere: no such folder"),
        ("--pairs nowhere.jsonl", "nowhere.jsonl: no such file"),
        ("--members 0", "--members: members = 0; expected more than 0"),
        ("--l2 0", "--l2: l2 = 0; expected more than 0"),
        ("--held-out 1", "--held-out: held_out = 1.0; expected a share between 0 and 1"),
        ("--train lora --members 2", "--members: it is for heads only. Try: --train heads"),
        ("--pooling max", "Choose from"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(fit, folder, words, said, lang):
    ran = fit(*words.split(), "--lang", lang)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("dehusk: ") and ran.err.count("\n") == 1
    assert said in ran.err
    assert not (folder / "out").exists()


def many_pairs(count=120):
    """Of as many prompts, with longer answers chosen as a rule."""
    draw = np.random.default_rng(0)

    def answer(most):
        return " ".join(draw.choice(["good", "bad", "well"], draw.integers(1, most)))

    return [{"prompt": f"q {i}?", "chosen": answer(9), "rejected": answer(6)} for i in range(count)]


@pytest.mark.parametrize(
    "words", [("--l2", "1"), ("--members", "3", "--l2", "1"), ("--train", "full", "--looks", "2")], ids=" ".join
)
def test_what_was_made_is_audited_on_held_out_pairs_and_the_card_says_so(fit, folder, words):
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, many_pairs())))
    ran = fit(*words, "--held-out", "0.4", "--target", "bullets", "--format", "json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    model = open_models(ScoreConfig(reward_model=tuple(told["models"][:1]), device="cpu", dtype="float32"))[0]
    pairs = read_pairs("pairs.jsonl").pairs
    count = int(pairs.groups.max()) + 1
    apart = np.isin(pairs.groups, stream(0, "fit.held_out").permutation(count)[: math.ceil(0.4 * count)])
    assert told["held_out"] == apart.sum() < len(pairs)
    asked, *sides = (pairs.frame[name].filter(apart).to_list() for name in ("prompt", "chosen", "rejected"))
    scores, sizes = ([model.score(asked, side) for side in sides], [np.array([*map(len, side)]) for side in sides])
    more = (sizes[0] - sizes[1]).astype(float)
    paid = standardised_slopes(bounded(more)[:, None], scores[0] - scores[1], pairs.groups[apart])
    length = next(row for row in told["stands_out"] if row["feature"] == "characters")
    assert length["reward_model"]["value"] == pytest.approx(paid.value[0], abs=2e-3)
    assert length["reward_model"]["low"] == pytest.approx(paid.low[0], abs=2e-3)
    if len(told["readings"]) == 1:  # the monitor of one head, or model, says the same
        assert told["readings"][0]["eval_paid/characters"] == pytest.approx(length["reward_model"]["value"])
    assert length["data"]["value"] == pytest.approx(np.sign(more).mean())
    card = (folder / "out" / "README.md").read_text("utf-8").replace("\\", "")
    shown = f"| {100 * np.sign(more).mean():+.1f} (" in card, f"| {length['reward_model']['value']:+.2f} (" in card
    assert all(shown) and "| length (characters) |" in card.split("## Audit")[1]
    assert "paid for length (characters), SD" not in card and "edited" in card  # told once; and what was not looked at


def test_too_few_held_out_prompts_for_an_audit_are_said_in_the_card(fit, folder):
    assert fit("--held-out", "0.25").code == 0
    card = (folder / "out" / "README.md").read_text("utf-8")
    assert "not looked at for: Features that go with being chosen" in card and "| length" not in card


def test_too_few_prompts_for_a_penalty_is_one_line(fit, folder):
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, PAIRS[:4])))
    ran = fit()
    assert ran.code == 2
    assert ran.err == "dehusk: pairs.jsonl: not enough data: it needs at least 5 prompts, got 3\n"


def test_nothing_to_fit_on_and_nowhere_to_write(dehusk, fit):
    assert dehusk("fit").err == "dehusk: nothing to fit on. Try: --pairs FILE\n"
    assert dehusk("fit", "--pairs", "pairs.jsonl").err == "dehusk: nowhere to write. Try: --out FOLDER\n"


def test_a_whole_model_is_trained_and_watched(fit, folder):
    ran = fit("--train", "full", "--learning-rate", "0.003", "--held-out", "0.2", "--looks", "2")
    assert ran.code == 0, ran.err
    assert ran.err.splitlines()[-1] == "reward model: hf:out"
    assert np.isfinite(scores("hf:out")).all()
    rows = [json.loads(line) for line in (folder / "out" / "monitor.jsonl").read_text().splitlines()]
    assert {"eval_accuracy", "eval_paid/characters", "eval_prompt_gain"} <= rows[-1].keys()
    assert (folder / "out" / "README.md").exists()


class Killed(Exception):
    pass


def test_a_run_that_was_killed_goes_on_with_what_was_read_before(fit, folder, base):
    words = ("--train", "lora", "--objective", "correlation", "--held-out", "0.2", "--looks", "3", "--batch", "4")
    assert fit(*words).code == 0
    whole = folder / "out"
    whole.rename(folder / "whole")

    def kill(stage, done, steps):
        if stage == "training" and done == 9:
            raise Killed

    how = {"train": "lora", "objective": "correlation", "held_out": 0.2, "looks": 3, "batch": 4}
    here = {"pairs": "pairs.jsonl", "embedder": str(base), "device": "cpu", "dtype": "float32", "out": "out"}
    with pytest.raises(Killed):
        run_fit(FitConfig(**here, **how), watch=kill)
    assert len((whole / "monitor.jsonl").read_text().splitlines()) == 2  # of 12 steps the 4th and the 8th
    assert "--resume" in fit(*words).err
    ran = fit(*words, "--resume")
    assert ran.code == 0, ran.err
    for name in ("monitor.jsonl", "model.safetensors"):
        assert (whole / name).read_bytes() == (folder / "whole" / name).read_bytes()
