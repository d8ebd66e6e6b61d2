"""`forecast.amplification`: what is foretold, of whom, and what is not."""

import numpy as np
import pytest
from pool_tables import logistic, pools
from stage_tables import feature

from dehusk.core.errors import NotEnoughData
from dehusk.core.kinds import probes
from dehusk.probes.forecast.amplification import amplification

LENGTH = feature("characters", "characters", "length")


def run(*tables, seed=0, **options):
    """Findings by feature, None for how far the pool can say."""
    return {one.feature: one for one in amplification(*tables, np.random.default_rng(seed), **options)}


def random_pools(rng, *, prompts=100, size=8, k=20):
    habit = np.exp(rng.normal(0, 0.5, (prompts, 1)))
    rates = np.linspace(0.02, 0.6, k)
    values = {f"f{i}": (rng.random((prompts, size)) < rate * habit).astype(float) for i, rate in enumerate(rates)}
    return rng.normal(size=(prompts, size)), values


def planted(rng, *, prompts=200, size=32, bonus=1.5):
    phrase = (rng.random((prompts, size)) < 0.04).astype(float)
    lengths = np.exp(6 + rng.normal(0, 0.5, phrase.shape))
    lists = (rng.random(phrase.shape) < logistic(2 * (np.log(lengths) - 6))).astype(float)
    score = rng.normal(size=phrase.shape) + bonus * phrase + (np.log(lengths) - 6)
    return score, {"phrase": phrase, "list": lists, "characters": lengths}, lengths


def test_is_registered_with_words_for_the_reader():
    assert "trained on this reward" in probes["forecast.amplification"].about


def test_scores_that_mean_nothing_foretell_nothing():
    rng = np.random.default_rng(0)
    runs, p = [], []
    for seed in range(40):
        found = run(*pools(*random_pools(rng, prompts=60)), seed=seed)
        features = [one for name, one in found.items() if name is not None]
        runs.append(any(one.verdict != "pass" for one in features))
        p += [one.estimate.p for one in features]
    assert np.mean(runs) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 40)
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.02)


def test_the_sentence_a_user_reads():
    score, values, lengths = planted(np.random.default_rng(1))
    found = run(*pools(score, values, lengths=lengths, features=[LENGTH]))
    one = found["phrase"]
    assert (one.verdict, one.stage, one.sentence.key) == ("warn", "forecast", "forecast.rose_rate")
    rate = one.details["rate"]
    assert rate.low < rate.value < rate.high
    said = one.sentence.render("en")
    assert f"at 1 nat this model would have it in {rate.value:.1%} [{rate.low:.1%}, {rate.high:.1%}]" in said
    assert f"up from {values['phrase'].mean():.1%}" in said
    assert one.estimate.value == pytest.approx(rate.value - values["phrase"].mean())
    assert one.details["ratio_low"] > 2
    assert one.details["length_matched"].low > 0
    assert one.remedy is not None
    curves = {curve.name: curve for curve in one.details["curves"]}
    assert set(curves) == {"tilt", "best_of_n"}
    assert {curve.axis for curve in curves.values()} == {"nats"}
    assert curves["tilt"].value[0] == pytest.approx(values["phrase"].mean())
    assert curves["tilt"].value[curves["tilt"].x.index(1.0)] == pytest.approx(rate.value)
    assert found["characters"].sentence.key == "forecast.rose_length"
    for each in found.values():
        assert each.sentence.render("en")
        assert each.sentence.render("zh")


def test_an_added_bonus_adds_to_the_log_odds_in_proportion_to_the_strength():
    """Under exp(r/β) a phrase worth b, whatever else is paid for, gains b/β in log odds."""
    rng = np.random.default_rng(2)
    phrase = (rng.random((600, 32)) < 0.1).astype(float)
    score = rng.normal(size=phrase.shape) + 0.8 * phrase
    found = run(*pools(score, {"phrase": phrase}), nats=0.5)
    odds = found["phrase"].details["log_odds_per_nat"]
    expected = 0.8 / found[None].details["beta"] / 0.5
    assert odds.low < expected < odds.high
    assert odds.high - odds.low < 0.5 * expected


def test_too_few_answers_are_said_to_be_too_few():
    score, values, lengths = planted(np.random.default_rng(3), prompts=150, size=8)
    found = run(*pools(score, values, lengths=lengths))
    reach = found[None]
    assert (reach.verdict, reach.sentence.key) == ("inform", "forecast.short")
    assert reach.remedy is not None
    at = reach.details["nats"]
    assert at == reach.details["reach"] < 0.6
    assert f"{at:.2f} nats (as far as 8 answers a prompt can tell)" in found["phrase"].sentence.render("en")
    assert max(found["phrase"].details["curves"][0].x) == pytest.approx(at)
    near = run(*pools(score, values, lengths=lengths), nats=0.1)
    assert (near[None].verdict, near[None].sentence.key) == ("pass", "forecast.reaches")
    assert "at 0.1 nats this model" in near["phrase"].sentence.render("en")


def test_a_score_that_saturates_is_said_to():
    rng = np.random.default_rng(4)
    score = (rng.random((60, 8)) < 0.7).astype(float)
    found = run(*pools(score, {"f": score * (rng.random(score.shape) < 0.5)}))
    assert found[None].sentence.key == "forecast.saturated"
    assert found[None].remedy is None
    assert found[None].sentence.render("zh")


def test_what_follows_the_length_is_not_a_warning():
    score, values, lengths = planted(np.random.default_rng(5))
    one = run(*pools(score, values, lengths=lengths))["list"]
    assert one.estimate.low > 0.05
    assert (one.verdict, one.sentence.values["length"].key) == ("inform", "selection.with_length_rate")


def test_what_is_punished_is_foretold_to_fall():
    score, values, lengths = planted(np.random.default_rng(6), bonus=-2)
    one = run(*pools(score, values, lengths=lengths))["phrase"]
    assert one.estimate.high < 0
    assert (one.verdict, one.sentence.key) == ("inform", "forecast.fell_rate")
    assert one.details["rate"].low >= 0


def test_the_first_stage_with_several_scored_answers_is_where_training_starts():
    rng = np.random.default_rng(7)
    score, values = random_pools(rng, prompts=40, size=8, k=1)
    stage = np.tile(np.repeat(["sft", "rl"], 4), 40)
    assert run(*pools(score, values, stage=stage))[None].sentence.values["stage"] == "sft"
    score[:, 3] = np.nan
    assert run(*pools(score, values, stage=stage))[None].sentence.values["stage"] == "rl"


def test_mined_features_are_tested_on_held_out_prompts():
    rng = np.random.default_rng(8)
    score, values = random_pools(rng, prompts=80, k=2)
    held = np.arange(80) % 2 == 0
    mined = feature("f1", family="phrase", discovered="responses")
    found = run(*pools(score, values, features=[mined], held_out=held))
    assert (found["f0"].estimate.n, found["f1"].estimate.n) == (80, 40)
    assert found["f1"].details["levels"]["before"] == pytest.approx(values["f1"][held].mean())


def test_scores_moved_by_prompt_change_nothing():
    rng = np.random.default_rng(9)
    score, values, lengths = planted(rng, prompts=60, size=8)
    first = run(*pools(score, values, lengths=lengths))
    moved = run(*pools(score + rng.normal(size=(60, 1)) * 5, values, lengths=lengths))
    for name, one in first.items():
        assert moved[name].estimate.value == pytest.approx(one.estimate.value)
        assert moved[name].sentence.key == one.sentence.key


def test_refusals():
    rng = np.random.default_rng(10)
    with pytest.raises(NotEnoughData, match="at least 4 scored answers to each of at least 10 prompts, got 0"):
        run(*pools(rng.normal(size=(50, 3)), {"f": np.ones((50, 3))}))
    with pytest.raises(NotEnoughData, match="scores that differ"):
        run(*pools(np.ones((20, 5)), {"f": np.ones((20, 5))}))


def test_hostile_scores_stay_finite():
    rng = np.random.default_rng(11)
    score = rng.choice([0.0, 1e12, -1e12, 1e-9], size=(20, 6))
    values = {"always": np.ones((20, 6)), "once": np.eye(20, 6), "huge": rng.random((20, 6)) * 1e12}
    found = run(*pools(score, values, features=[feature("huge", "characters", "length")]))
    for one in found.values():
        assert np.isfinite([one.estimate.value, one.estimate.low, one.estimate.high]).all()
        assert one.sentence.render("en")
    assert found["always"].verdict == "pass"


def test_what_every_answer_has_alike_does_not_change_by_rounding():
    rng = np.random.default_rng(12)
    found = run(*pools(rng.normal(size=(40, 8)), {"f": np.full((40, 8), 3.7)}, features=[feature("f", "marks")]))
    assert found["f"].estimate.value == 0
    assert [found["f"].estimate.low, found["f"].estimate.high] == pytest.approx([0, 0], abs=1e-12)
