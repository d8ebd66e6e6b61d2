"""`dehusk certify`, end to end: verdicts, exit codes, files, mistakes, in both languages."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from dehusk.core.certificates import OUTCOMES, Certificate
from dehusk.core.messages import catalogue
from dehusk.report import to_html

DOCS = Path(__file__).parents[2] / "docs"
AUDIT, SCHEMA = (json.loads((DOCS / f"{name}.schema.json").read_text("utf-8")) for name in ("audit", "certificate"))
VALIDATOR = Draft202012Validator(
    SCHEMA, registry=Registry().with_resource("https://dehusk.example/audit.schema.json", Resource.from_contents(AUDIT))
)
WORDS = ("apple", "river", "stone", "cloud", "table", "window", "music", "garden", "bridge", "silver")
MODELS = """
import zlib
def noise(text): return (zlib.crc32(text.encode()) % 1000) / 1000
def words(text): return len(text.split()) / 25
def quality(text): return (text.split()[0] == "Well") * 1.0
def lists(text): return text.count("- ") > 0
def scores(weigh): return lambda prompts, texts: [weigh(text) + noise(text) / 2 for text in texts]
gold = scores(quality)
old = scores(lambda text: quality(text) + 2 * words(text))
same = scores(lambda text: quality(text) + 2 * words(text))
good = scores(quality)
moved = scores(lambda text: quality(text) + 0.8 * lists(text))
shorter = scores(lambda text: quality(text) - 1.5 * words(text))
noisy = scores(lambda text: 0)
def unequal(prompts, texts): return [None if i % 2 else 1.0 * len(text) for i, text in enumerate(texts)]
def constant(prompts, texts): return [1.0] * len(texts)
"""


def answer(rng):
    said = " ".join(WORDS[i] for i in rng.integers(0, 10, rng.integers(4, 40)))
    said = f"Well {said}." if rng.random() < 0.4 else f"So {said}."
    return said + ("\n- one\n- two" if rng.random() < 0.4 else "\nand one\nand two")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("certify"), np.random.default_rng(0)
    (folder / "certify_models.py").write_text(MODELS)
    rows = [{"prompt": f"Question {i}?", "response": answer(rng)} for i in range(160) for _ in range(8)]
    (folder / "pool.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pairs = [(f"Ask {i // 2}?", *sorted((answer(rng), answer(rng)), key=lambda t: t[0] != "W")) for i in range(600)]
    lines = [json.dumps({"prompt": p, "chosen": c, "rejected": r}) for p, c, r in pairs if c != r]
    (folder / "pairs.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture(autouse=True)
def inside(files, monkeypatch, tmp_path):
    monkeypatch.chdir(files)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.delitem(sys.modules, "certify_models", raising=False)


@pytest.fixture
def certify(dehusk):
    def run(after, *words, pool=("--responses", "pool.jsonl"), gold=("--gold", "py:certify_models:gold")):
        models = ("--before", "py:certify_models:old", "--after", f"py:certify_models:{after}")
        return dehusk("certify", *pool, *models, *gold, "--target", "characters", *words)

    return run


@pytest.mark.parametrize(
    ("after", "verdict", "code"),
    [
        ("same", "contamination", 1),
        ("good", "success", 0),
        ("moved", "substitution", 1),
        ("shorter", "over_correction", 1),
        ("noisy", "contamination", 1),
    ],
)
def test_verdicts_and_exit_codes(certify, tmp_path, after, verdict, code):
    ran = certify(after, "--format", "json", "--out", tmp_path / "out", "--detectable", 0.4)
    told = json.loads(ran.out)
    assert (told["verdict"], ran.code) == (verdict, code), (told["sentence"]["text"], ran.err)
    assert not list(VALIDATOR.iter_errors(told))
    assert json.loads((tmp_path / "out" / "certificate.json").read_text("utf-8")) == told
    assert str(tmp_path / "out" / "certificate.html") in ran.err.replace("\n", "")
    assert {row["role"] for row in told["inputs"]} == {"responses", "reward_model"}
    assert all(len(row["sha256"]) == 64 for row in told["inputs"] if row["role"] == "responses")
    certificate = Certificate.from_json(ran.out)
    assert certificate.to_json() + "\n" == ran.out
    assert to_html(certificate) == (tmp_path / "out" / "certificate.html").read_text("utf-8")


def test_fail_on(certify):
    assert certify("same", "--fail-on", "substitution", "over_correction").code == 0
    assert certify("same", "--fail-on", "never").code == 0
    assert certify("same", "--fail-on", "contamination").code == 1


def test_pairs_alone_are_a_pool_of_two(certify):
    ran = certify(
        "good", "--format", "json", "--margin", 0.3, "--detectable", 0.6, pool=("--pairs", "pairs.jsonl"), gold=()
    )
    told = json.loads(ran.out)
    assert told["verdict"] == "success", told["sentence"]["text"]
    assert (told["answers"], told["prompts"]) == (2, 300)
    assert [one["name"] for one in told["qualities"]] == ["accuracy"]
    assert {lift["size"] for shift in told["shifts"] for lift in shift["lifts"]} == {2.0}


def test_pairs_beside_a_pool_guard_the_accuracy(certify):
    ran = certify("noisy", "--pairs", "pairs.jsonl", "--format", "json", gold=())
    told = json.loads(ran.out)
    assert (told["verdict"], told["reason"]) == ("contamination", "gold_lower")
    assert told["qualities"][0]["state"] == "lower"


def test_without_gold_or_pairs_no_success(certify):
    ran = certify("good", "--format", "json", gold=())
    assert (json.loads(ran.out)["reason"], ran.code) == ("no_gold", 1)


def test_a_phrase_as_target_and_a_feature_that_is_wanted(certify):
    ran = certify("moved", "--format", "json", "--wanted", "list", "bullets", "--target", "window garden")
    told = json.loads(ran.out)
    states = {shift["feature"]: (shift["role"], shift["state"]) for shift in told["shifts"]}
    assert states["list"] == ("wanted", "grew")
    roles = {name: role for name, (role, _) in states.items()}
    seen = {*roles, *(one["probe"] for one in told["unseen"])}
    assert "“window garden”" in seen
    assert roles.get("“window garden”", "target") == "target"


def test_the_same_seed_gives_the_same_certificate(certify):
    first, again = (certify("good", "--format", "json", "--seed", 3).out for _ in range(2))
    assert first == again


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_in_words(certify, lang):
    ran = certify("moved", "--lang", lang)
    words = catalogue(lang)
    assert words["certify.verdict.substitution"].upper() in ran.out
    assert words["certify.page.growth"] in ran.out
    assert ("pressure" in ran.out) is (lang == "en")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--responses", "pool.jsonl"), "no reward model before"),
        (("--before", "py:a:b", "--after", "py:a:b", "--target", "characters"), "nothing to choose from"),
        (("--responses", "pool.jsonl", "--before", "py:certify_models:old"), "no reward model after"),
        (
            ("--responses", "pool.jsonl", "--before", "py:certify_models:old", "--after", "py:certify_models:good"),
            "no target",
        ),
        (
            ("--responses", "pool.jsonl", "--before", "pi:x", "--after", "py:certify_models:old", "--target", "words"),
            "--before: unknown kind of reward model 'pi'; did you mean py",
        ),
        (
            ("--responses", "pool.jsonl", "--before", "py:a:b", "--after", "py:a:b", "--target", "charactres"),
            "--target: unknown feature or family 'charactres'; did you mean characters",
        ),
        (("--margin", 0), "--margin: margin = 0; expected more than 0"),
        (("--detectable", 0.05), "--detectable: detectable = 0.05; expected more than --growth (0.1)"),
        (("--level", 1), "--level"),
        (("--nats", -1), "--nats"),
        (("--target", "\udcff ends"), "--target: bytes that are not UTF-8"),
    ],
)
def test_mistakes(dehusk, words, said):
    ran = dehusk("certify", *words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err.replace("\n", " ")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_scores_that_cannot_choose_are_not_enough_data(certify, lang):
    ran = certify("constant", "--lang", lang)
    assert ran.code == 1
    assert catalogue(lang)["certify.verdict.not_enough_data"].upper() in ran.out


def test_a_model_that_fails_is_a_backend_error(certify):
    ran = certify("unequal")
    assert (ran.code, ran.out) == (3, "")


def test_a_gold_column_counts_and_answers_without_it_are_said(certify, files):
    rows = [json.loads(line) for line in (files / "pool.jsonl").read_text("utf-8").splitlines()]
    scored = [row | {"gold": float(row["response"].startswith("Well"))} for row in rows[:1200]] + rows[1200:]
    (files / "gold.jsonl").write_text("\n".join(map(json.dumps, scored)))
    told = json.loads(certify("good", "--format", "json", pool=("--responses", "gold.jsonl"), gold=()).out)
    assert told["models"]["gold"] == "column gold"
    assert told["qualities"][0]["name"] == "gold"
    assert told["prompts"] == 150
    [pool] = [row for row in told["inputs"] if row["role"] == "responses"]
    assert any("80 of 1,280" in note for note in pool["notes"])


def test_every_verdict_has_its_words():
    for lang in ("en", "zh"):
        for name in OUTCOMES:
            assert catalogue(lang)[f"certify.verdict.{name}"] and catalogue(lang)[f"certify.meaning.{name}"]


@pytest.mark.parametrize(
    ("path", "value"),
    [(("verdict",), "fine"), (("shifts", 0, "state"), "?"), (("margins", "pressure"), "0.1"), (("unknown",), 1)],
)
def test_what_is_not_a_certificate_does_not_fit_the_schema(certify, path, value):
    body = json.loads(certify("same", "--format", "json").out)
    place = body
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert list(VALIDATOR.iter_errors(body))
