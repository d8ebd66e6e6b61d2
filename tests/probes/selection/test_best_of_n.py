"""`selection.best_of_n`: what picking is said to do, and what it is not."""

import numpy as np
import pytest
from pool_tables import best_of_truth, logistic, normal_quantiles, pools
from stage_tables import feature

from dehusk.core.errors import NotEnoughData
from dehusk.core.kinds import probes
from dehusk.probes.selection.best_of_n import best_of_n


def run(*tables, seed=0, **options):
    """Findings by feature, None for the one of the score; gold stands under "gold"."""
    found = list(best_of_n(*tables, np.random.default_rng(seed), **options))
    return {"gold" if "peak" in one.details else one.feature: one for one in found}


def random_pools(rng, *, prompts=100, size=8, k=20, low=0.02, high=0.6):
    """Features that have nothing to do with the score; every prompt has habits of its own."""
    habit = np.exp(rng.normal(0, 0.5, (prompts, 1)))
    rates = np.linspace(low, high, k)
    values = {f"f{i}": (rng.random((prompts, size)) < rate * habit).astype(float) for i, rate in enumerate(rates)}
    return rng.normal(size=(prompts, size)), values


def test_is_registered_with_words_for_the_reader():
    assert "best of n" in probes["selection.best_of_n"].about


def test_scores_that_mean_nothing_raise_nothing():
    rng = np.random.default_rng(0)
    runs, p = [], []
    for seed in range(40):
        found = run(*pools(*random_pools(rng)), seed=seed)
        raised = [one.verdict != "pass" for name, one in found.items() if name is not None]
        runs.append(any(raised))
        p += [one.estimate.p for name, one in found.items() if name is not None]
    assert np.mean(runs) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 40)
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.02)


def test_intervals_cover_what_the_best_of_n_would_have():
    z = normal_quantiles()
    rng = np.random.default_rng(1)
    slopes = np.linspace(-1, 1.5, 10)
    truths = [logistic(-2 + slope * z) for slope in slopes]
    covered = {"change": [], "level": []}
    for seed in range(40):
        score = rng.normal(size=(100, 8))
        values = {f"f{i}": (rng.random(score.shape) < logistic(-2 + s * score)) * 1.0 for i, s in enumerate(slopes)}
        found = run(*pools(score, values), seed=seed)
        for i, rate in enumerate(truths):
            one = found[f"f{i}"]
            change = best_of_truth(rate, 8) - rate.mean()
            covered["change"].append(one.estimate.low <= change <= one.estimate.high)
            (curve,) = one.details["curves"]
            assert curve.x == (1, 2, 4, 8)
            covered["level"] += [
                curve.low[at] <= best_of_truth(rate, int(n)) <= curve.high[at] for at, n in enumerate(curve.x)
            ]
    assert np.mean(covered["change"]) == pytest.approx(0.95, abs=0.025)
    assert np.mean(covered["level"]) == pytest.approx(0.95, abs=0.025)


def planted(rng, prompts=300, size=16, bonus=1.5):
    """A phrase in 4 % of the answers, paid for; lists that follow the length, which is paid for too."""
    phrase = (rng.random((prompts, size)) < 0.04).astype(float)
    lengths = np.exp(6 + rng.normal(0, 0.5, phrase.shape))
    lists = (rng.random(phrase.shape) < logistic(2 * (np.log(lengths) - 6))).astype(float)
    score = rng.normal(size=phrase.shape) + bonus * phrase + (np.log(lengths) - 6)
    return score, {"phrase": phrase, "list": lists, "characters": lengths}, lengths


LENGTH = feature("characters", "characters", "length")


def test_a_paid_phrase_is_named_and_what_only_follows_the_length_is_not_blamed():
    score, values, lengths = planted(np.random.default_rng(2))
    found = run(*pools(score, values, lengths=lengths, features=[LENGTH]))
    phrase, lists, characters = found["phrase"], found["list"], found["characters"]
    assert (phrase.verdict, phrase.sentence.key, phrase.stage) == ("warn", "selection.rose_rate", "selection")
    assert phrase.estimate.low > 0.1
    assert phrase.details["length_matched"].low > 0.1
    assert phrase.details["ratio_low"] > 2
    assert phrase.remedy is not None
    assert lists.estimate.low > 0.05
    assert lists.verdict == "inform"
    assert lists.sentence.values["length"].key == "selection.with_length_rate"
    assert (characters.sentence.key, characters.verdict) == ("selection.rose_length", "inform")
    assert "length_matched" not in characters.details
    gain = found[None]
    assert gain.estimate.value == pytest.approx(1.77, abs=0.1)  # mean of the highest of sixteen normals
    assert gain.details["nats"] == pytest.approx(np.log(16) - 15 / 16)
    for lang in ("en", "zh"):
        for one in found.values():
            assert one.sentence.render(lang)
        assert f"{phrase.details['curves'][0].value[-1]:.1%}" in phrase.sentence.render(lang)


def test_what_follows_the_length_is_rarely_called_more():
    rng = np.random.default_rng(3)
    off = []
    for seed in range(40):
        score, values, lengths = planted(rng, prompts=150, size=8)
        beyond = run(*pools(score, values, lengths=lengths), seed=seed)["list"].details["length_matched"]
        off.append(beyond.direction != 0)
    assert np.mean(off) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 40)


def test_what_is_punished_falls():
    score, values, lengths = planted(np.random.default_rng(4), bonus=-2)
    one = run(*pools(score, values, lengths=lengths))["phrase"]
    assert one.estimate.high < 0
    assert (one.verdict, one.sentence.key) == ("inform", "selection.fell_rate")


def same(first, second):
    for name, one in first.items():
        if name is not None:
            assert second[name].estimate.value == pytest.approx(one.estimate.value)
            assert second[name].estimate.p == pytest.approx(one.estimate.p)
            assert second[name].details["curves"][0].value == pytest.approx(one.details["curves"][0].value)


def test_monotone_scores_the_order_of_answers_and_copies_of_prompts_change_no_feature():
    rng = np.random.default_rng(5)
    score, values, lengths = planted(rng, prompts=80)
    first = run(*pools(score, values, lengths=lengths))
    same(first, run(*pools(np.exp(score) - 7, values, lengths=lengths)))
    order = rng.permutation(16)
    same(first, run(*pools(score[:, order], {k: v[:, order] for k, v in values.items()}, lengths=lengths[:, order])))
    twice = run(*pools(np.tile(score, (2, 1)), {k: np.tile(v, (2, 1)) for k, v in values.items()}))
    assert twice["phrase"].estimate.value == pytest.approx(first["phrase"].estimate.value)
    assert twice["phrase"].details["curves"][0].value == pytest.approx(first["phrase"].details["curves"][0].value)


def gold_verdicts(gold, score, **options):
    values = {"f": np.zeros(score.shape)}
    values["f"][0, 0] = 1
    return run(*pools(score, values, gold=gold), **options)["gold"]


def test_gold_that_turns_falls_or_rises_is_told():
    rng = np.random.default_rng(6)
    score = rng.normal(size=(400, 32))
    noise = rng.normal(size=score.shape)
    turns = gold_verdicts(noise - (score - 1.2) ** 2, score)  # highest at the best of 7, then down
    assert (turns.verdict, turns.sentence.key) == ("warn", "selection.gold_turns")
    peak = turns.details["peak"]
    assert peak["low"] <= 7 <= peak["high"] < 20
    assert turns.details["after_peak"].high < 0
    assert {curve.name for curve in turns.details["curves"]} == {"proxy", "gold"}
    assert turns.details["curves"][0].unit == turns.details["curves"][1].unit
    worse = gold_verdicts(noise - score, score)
    assert (worse.verdict, worse.sentence.key) == ("fail", "selection.gold_worse")
    assert worse.estimate.high < 0
    assert worse.remedy.key == "selection.remedy_worse"
    rises = gold_verdicts(noise + score, score)
    assert (rises.verdict, rises.sentence.key) == ("pass", "selection.gold_rises")
    for one in (turns, worse, rises):
        assert one.sentence.render("en")
        assert one.sentence.render("zh")


def test_gold_that_has_nothing_to_do_with_the_score_does_not_turn():
    rng = np.random.default_rng(7)
    found = [
        gold_verdicts(rng.normal(size=(60, 16)), rng.normal(size=(60, 16)), seed=seed).verdict for seed in range(80)
    ]
    assert np.mean([verdict in ("warn", "fail") for verdict in found]) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 80)
    assert found.count("inform") > 60


def test_gold_on_too_few_prompts_is_said_after_everything_else():
    rng = np.random.default_rng(8)
    score, values = random_pools(rng, prompts=30, k=2)
    gold = np.full(score.shape, np.nan)
    gold[:9] = rng.normal(size=(9, 8))
    gold[9:, 1:] = 0
    found = []
    with pytest.raises(NotEnoughData, match="at least 10 prompts with a gold score of every answer, got 9"):
        found.extend(best_of_n(*pools(score, values, gold=gold), rng))
    assert len(found) == 3


def test_the_last_stage_with_several_scored_answers_is_the_pool():
    rng = np.random.default_rng(9)
    score, values = random_pools(rng, prompts=40, size=8, k=1)
    stage = np.tile(np.repeat(["sft", "rl"], 4), 40)
    tables = pools(score, values, stage=stage)
    one = run(*tables)["f0"]
    assert one.sentence.values["stage"] == "rl"
    assert (one.details["n"], one.estimate.n) == (4, 40)
    rl_only = pools(score[:, 4:], {"f0": values["f0"][:, 4:]})
    assert one.estimate.value == pytest.approx(run(*rl_only)["f0"].estimate.value)
    gone = np.where(np.arange(8) > 4, np.nan, score)  # one scored answer of the last stage
    assert run(*pools(gone, values, stage=stage))["f0"].sentence.values["stage"] == "sft"


def test_a_few_prompts_with_fewer_answers_are_left_out():
    rng = np.random.default_rng(10)
    score, values = random_pools(rng, prompts=50, size=6, k=1)
    score[:3, 2:] = np.nan
    score[3:30, 5:] = np.nan
    one = run(*pools(score, values))["f0"]
    assert (one.details["n"], one.details["left_out"], one.estimate.n) == (5, 3, 47)


def test_mined_features_are_tested_on_held_out_prompts_in_a_family_of_their_own():
    rng = np.random.default_rng(11)
    score, values = random_pools(rng, prompts=60, k=2)
    held = np.arange(60) % 2 == 0
    mined = feature("f1", family="phrase", discovered="responses")
    found = run(*pools(score, values, features=[mined], held_out=held))
    alone = run(*pools(score[held], {"f1": values["f1"][held]}))
    assert found["f1"].estimate.value == pytest.approx(alone["f1"].estimate.value)
    assert found["f1"].estimate.n == 30
    for name in ("f0", "f1"):
        assert found[name].q == pytest.approx(min(1, 2 * found[name].estimate.p))


def test_means_are_told_as_means():
    rng = np.random.default_rng(12)
    score = rng.normal(size=(200, 8))
    commas = 5.0 + rng.poisson(np.exp(1 + 0.3 * score))
    one = run(*pools(score, {"commas": commas}, features=[feature("commas", "marks")]))["commas"]
    assert (one.details["reading"], one.estimate.unit) == ("mean", "marks")
    assert one.sentence.key == "selection.rose_mean"
    assert "log_odds" not in one.details
    for lang in ("en", "zh"):
        assert one.sentence.render(lang)


def test_refusals():
    rng = np.random.default_rng(13)
    score, values = random_pools(rng, prompts=9, k=1)
    with pytest.raises(NotEnoughData, match="at least 2 scored answers to each of at least 10 prompts, got 9"):
        run(*pools(score, values))
    with pytest.raises(NotEnoughData, match="at least 10 prompts, got 0"):
        run(*pools(rng.normal(size=(50, 1)), {"f": np.ones((50, 1))}))
    with pytest.raises(NotEnoughData, match="scores that differ between the answers to a prompt"):
        run(*pools(np.ones((20, 4)), {"f": np.ones((20, 4))}))


def test_hostile_values_stay_finite():
    rng = np.random.default_rng(14)
    score = rng.choice([0.0, 1e9, -1e9], size=(20, 4))
    values = {"always": np.ones((20, 4)), "once": np.eye(20, 4), "huge": rng.random((20, 4)) * 1e12}
    features = [feature("huge", "characters", "length")]
    found = run(*pools(score, values, features=features, lengths=np.ones((20, 4))))
    assert set(found) == {None, *values}
    for one in found.values():
        assert np.isfinite([one.estimate.value, one.estimate.low, one.estimate.high]).all()
    assert found["always"].verdict == "pass"
