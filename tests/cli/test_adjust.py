"""`dehusk adjust`: what it makes can be opened again, says what it changed, and mistakes are one line."""

import json
import sys

import numpy as np
import pytest

MODELS = """
import zlib
def noise(p, t, k): return (zlib.crc32(f"{k} {p} {t}".encode()) % 1000) / 500
def worth(sign, prompts, responses):
    return [sign * len(t) / 40 + noise(p, t, sign) + 2 * ("good" in t) for p, t in zip(prompts, responses)]
def long(prompts, responses): return worth(1, prompts, responses)
def short(prompts, responses): return worth(-1, prompts, responses)
def wide(prompts, responses): return [100.0 * score for score in long(prompts, responses)]
def none(prompts, responses): return [None] * len(responses)
def one(prompts, responses): return [1.0] * len(responses)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.delitem(sys.modules, "rm_made", raising=False)
    (tmp_path / "rm_made.py").write_text(MODELS)
    rng = np.random.default_rng(0)

    def answer(good):
        words = rng.choice(["tea", "rain", "lamp", "stone", "river"], rng.integers(2, 25)).tolist()
        return " ".join([*words, "good" if good else "bad"])

    pairs = [
        {"prompt": f"ask {i}", "chosen": answer(rng.random() < 0.8), "rejected": answer(False)} for i in range(420)
    ]
    samples = [{"prompt": f"ask {i % 300}", "response": answer(rng.random() < 0.5)} for i in range(900)]
    for name, rows in (("pairs", pairs), ("samples", samples)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


@pytest.fixture
def adjust(dehusk):
    def run(*words, models=("long",), out="made"):
        named = [word for name in models for word in ("--reward-model", f"{name}=py:rm_made:{name}")]
        return dehusk("adjust", "--pairs", "pairs.jsonl", *named, "--out", out, *words)

    return run


def read(ran):
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def scores(dehusk, spec, file="pairs.jsonl"):
    ran = dehusk("score", "--pairs", file, "--reward-model", spec)
    assert ran.code == 0, ran.err
    return np.array([json.loads(line)["score"] for line in ran.out.splitlines()])


def test_residualise_flattens_the_target_on_held_out_prompts(adjust, dehusk, folder):
    ran = adjust("--method", "residualise", "--target", "characters", "--format", "json")
    found = read(ran)
    assert ran.err == "Use it as --reward-model residual:made?trust=yes\n"
    [target] = found["targets"]
    assert target["name"] == "characters"
    assert target["before"]["value"] > 0.7
    assert abs(target["after"]["value"]) < 0.25
    assert target["change"]["value"] == pytest.approx(target["after"]["value"] - target["before"]["value"])
    assert found["accuracy"]["after"]["value"] > found["accuracy"]["before"]["value"] + 0.1
    assert (found["prompts"], found["before"], found["spec"]) == (126, "long", "residual:made?trust=yes")
    plain, made = scores(dehusk, "py:rm_made:long"), scores(dehusk, "residual:made?trust=yes")
    rows = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]
    lengths = np.array([len(row[side]) for side in ("chosen", "rejected") for row in rows])
    assert np.corrcoef(lengths, plain)[0, 1] > 0.5
    assert abs(np.corrcoef(lengths, made)[0, 1]) < 0.2


def test_residualise_on_a_policys_answers(adjust):
    found = read(adjust("--method", "residualise", "--target", "characters", "--responses", "samples.jsonl",
                        "--format", "json"))  # fmt: skip
    assert abs(found["targets"][0]["after"]["value"]) < 0.25
    [note] = found["notes"]
    answers = int(note.split()[3].replace(",", ""))
    assert 500 < answers < 900  # those to prompts that are held out are not among them


def test_strength_and_the_text_that_is_printed(adjust):
    words = ("--method", "residualise", "--target", "characters", "--option", "strength=0.5", "--option", "knots=4")
    ran = adjust(*words)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("residualise: long before and after, on 126 held-out pairs of 126 prompts.\n")
    assert "length (characters)" in ran.out
    assert "Largest change of another feature: " in ran.out
    assert "Curves fitted on 588 answers to 294 prompts." in ran.out
    assert "调整前" in adjust(*words, "--lang", "zh").out


def test_an_ensemble_cancels_a_price_whose_sign_varies(adjust, dehusk):
    found = read(adjust("--method", "ensemble", "--target", "characters", "--format", "json", models=("long", "short")))
    [target] = found["targets"]
    assert target["before"]["value"] < -0.6  # the last model named
    assert abs(target["after"]["value"]) < 0.3
    assert found["accuracy"]["after"]["value"] > 0.7
    assert found["members"] == ["long", "short"]
    assert found["diversity"]["features"]["characters"]["agreement"] == 0.5
    assert found["diversity"]["margins"]["mean"]["high"] < 0
    assert np.shape(found["diversity"]["errors"]["matrix"]) == (2, 2)
    made, parts = (
        scores(dehusk, "ensemble:made?trust=yes"),
        [scores(dehusk, f"py:rm_made:{name}") for name in ("long", "short")],
    )
    design = np.column_stack([*parts, np.ones(len(made))])
    assert np.abs(design @ np.linalg.lstsq(design, made, rcond=None)[0] - made).max() < 1e-9


@pytest.mark.parametrize("rule", ["worst", "uwo", "median", "rank", "vote"])
def test_every_rule_is_written_and_opened(adjust, dehusk, rule):
    ran = adjust("--method", "ensemble", "--rule", rule, models=("long", "short"), out=f"made/{rule}")
    assert ran.code == 0, ran.err
    assert "Margins of two members correlate" in ran.out
    assert ("across prompts" in ran.out) == (rule in ("rank", "vote"))
    assert np.isfinite(scores(dehusk, f"ensemble:made/{rule}?trust=yes")).all()


def test_par_is_bounded_and_leaves_the_order(adjust, dehusk, folder):
    found = read(adjust("--method", "par", "--option", "scale=2", "--format", "json"))
    assert found["accuracy"]["change"]["value"] == 0
    made = scores(dehusk, "shaped:made?trust=yes")
    assert ((made > 0) & (made < 1)).all()
    (folder / "new.jsonl").write_text(json.dumps({"prompt": "new", "chosen": "a", "rejected": "b"}))
    ran = dehusk("score", "--pairs", "new.jsonl", "--reward-model", "shaped:made?trust=yes")
    assert (ran.code, "no reference answers to the prompt 'new'" in ran.err) == (2, True)
    assert adjust("--method", "par", "--option", "unseen=all", out="all").code == 0
    assert (scores(dehusk, "shaped:all?trust=yes", "new.jsonl") > 0).all()


def test_scores_that_are_no_log_odds_are_said_to_saturate(adjust):
    said = "where σ is 0.98: these scores are no log odds. Try --option scale="
    samples = ("--method", "par", "--responses", "samples.jsonl", "--option", "unseen=all")
    assert said in adjust(*samples, models=("wide",)).out
    assert said not in adjust(*samples).out


def test_the_same_seed_makes_the_same_model(adjust, folder):
    words = ("--method", "residualise", "--target", "characters")
    made = [(adjust(*words, "--seed", seed, out=out).code, (folder / out / "residual.json").read_text())
            for seed, out in ((1, "a"), (1, "b"), (2, "c"))]  # fmt: skip
    assert made[0] == made[1] != made[2]
    assert json.loads(made[0][1])["inner"] == "long=py:rm_made:long"


def test_a_made_model_can_be_adjusted_again_and_moved(adjust, dehusk, folder):
    assert adjust("--method", "residualise", "--target", "characters", out="work/flat").code == 0
    flat = "residual:work/flat?trust=yes"
    again = dehusk("adjust", "--pairs", "pairs.jsonl", "--method", "centre", "--reward-model", flat, "--out",
                   "work/centred")  # fmt: skip
    assert again.code == 0, again.err
    before = scores(dehusk, "shaped:work/centred?trust=yes")
    (folder / "work").rename(folder / "elsewhere")
    np.testing.assert_array_equal(scores(dehusk, "shaped:elsewhere/centred?trust=yes"), before)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--method", "residualize", "--target", "characters"),
            "unknown method 'residualize'; did you mean residualise",
        ),
        ((), "--method: no method; expected one of project, residualise, par"),
        (("--method", "residualise"), "--target: residualise needs a target"),
        (("--method", "residualise", "--target", "charcters"), "did you mean characters"),
        (("--method", "residualise", "--target", "latex"), "it needs a feature that varies"),
        (("--method", "project", "--target", "characters"), "long has no head to change; expected linear:FOLDER"),
        (("--method", "ensemble"), "ensemble takes several reward models, got 1"),
        (("--method", "average"), "average takes several reward models, got 1"),
        (("--method", "par", "--rule", "mean"), "unknown option 'rule'"),
        (("--method", "par", "--option", "unseen=maybe"), "unseen = 'maybe'; expected one of refuse, all"),
        (("--method", "par", "--option", "scale=0"), "scale = 0.0; expected more than 0"),
        (("--method", "residualise", "--target", "characters", "--sample", 100), "at least 500 scored answers"),
        (("--method", "centre", "--sample", 50), "at least 20 prompts with scores of both answers, got 15"),
        (("--method", "par", "--held-out", "1"), "expected a share between 0 and 1"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(adjust, folder, words, said):
    ran = adjust(*words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert not (folder / "made").exists()


def test_mistakes_with_models(adjust, dehusk):
    two = adjust("--method", "par", models=("long", "short"))
    assert "par takes one reward model, got 2. Try: --method ensemble" in two.err
    rule = adjust("--method", "ensemble", "--rule", "means", models=("long", "short"))
    assert "unknown combination 'means'; did you mean mean" in rule.err
    caution = adjust("--method", "ensemble", "--option", "caution=1", models=("long", "short"))
    assert "rule mean has no option 'caution'" in caution.err
    same = adjust("--method", "ensemble", models=("long", "one"))
    assert "it needs scores that differ" in same.err
    failed = adjust("--method", "ensemble", models=("long", "none"))
    assert (failed.code, "no score for text 1" in failed.err) == (3, True)
    assert "no reward model. Try: --reward-model" in dehusk("adjust", "--pairs", "pairs.jsonl", "--out", "x").err
    assert "nowhere to write" in dehusk("adjust", "--pairs", "pairs.jsonl", "--reward-model", "py:rm_made:one").err


@pytest.mark.parametrize("what", ["adjustments", "combinations"])
def test_the_tables_can_be_listed(dehusk, what):
    assert "PAR" in dehusk("list", what).out or "UWO" in dehusk("list", what).out
    assert "。" not in dehusk("list", what).out
    assert dehusk("list", what, "--lang", "zh").code == 0
