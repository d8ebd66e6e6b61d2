"""`policy.amplification`: what is called grown, what is not, and how it is told."""

import numpy as np
import pytest
from stage_tables import feature, measures, responses, texts_of, two_stages

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Estimate
from dehusk.core.kinds import probes
from dehusk.probes.policy.amplification import amplification

TAKES_LENGTH = {"base": 0.5, "slope": 2.4, "longer": 0.7}  # the feature of a longer answer, at every stage


def run(values, later, prompts, lengths, features=None, held_out=None):
    """Findings by feature name."""
    columns = {f"f{i}": values[:, i] for i in range(values.shape[1])}
    features = features or [feature(name) for name in columns]
    table = responses(np.where(later, "rl", "sft"), prompts, texts_of(lengths), stages=("sft", "rl"))
    found = amplification(table, measures(columns, features, held_out))
    return {finding.feature: finding for finding in found}


def test_is_registered_with_words_for_the_reader():
    assert "last stage" in probes["policy.amplification"].about


def test_without_an_effect_the_false_discovery_rate_holds():
    rng = np.random.default_rng(0)
    runs, p = [], []
    for _ in range(60):
        found = run(*two_stages(150, rng, k=30, slope=0, samples=2)).values()
        runs.append(any(finding.verdict != "pass" for finding in found))
        p += [finding.details["length_matched"].p for finding in found]
    assert np.mean(runs) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 60)
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.02)


def test_what_only_follows_the_length_is_not_called_grown():
    rng = np.random.default_rng(1)
    found = [finding for _ in range(20) for finding in run(*two_stages(400, rng, k=10, **TAKES_LENGTH)).values()]
    raised = [finding for finding in found if finding.q <= 0.05]
    assert len(raised) > 0.9 * len(found)
    keys = [finding.sentence.values["at_equal_length"].key for finding in raised]
    assert np.mean([key == "policy.beyond_length_rate" for key in keys]) <= 0.05
    told = next(
        finding for finding in raised if finding.sentence.values["at_equal_length"].key.endswith("with_length_rate")
    )
    assert "no more than the length did" in told.sentence.render("en")
    assert told.verdict == "inform"


def test_what_grew_at_equal_length_is_told_with_its_numbers():
    values, later, prompts, lengths = two_stages(400, np.random.default_rng(2), base=0.05, effect=0.25)
    finding = run(values, later, prompts, lengths)["f0"]
    assert (finding.verdict, finding.probe, finding.stage) == ("warn", "policy.amplification", "policy")
    assert finding.estimate.low < 0.25 < finding.estimate.high
    matched, odds = finding.details["length_matched"], finding.details["log_odds"]
    assert isinstance(matched, Estimate)
    assert matched.low < 0.25 < matched.high
    assert odds.low > 0
    assert finding.details["log_odds_length_matched"].unit == "log odds"
    assert finding.details["counts"] == {"sft": int(values[~later].sum()), "rl": int(values[later].sum())}
    assert [row["stage"] for row in finding.details["stages"]] == ["sft", "rl"]
    assert finding.details["stages"][1]["rate"] == pytest.approx(values[later].mean())
    assert all(row["low"] < row["rate"] < row["high"] for row in finding.details["stages"])
    assert finding.remedy is not None
    for lang in ("en", "zh"):
        assert f"{values[later].mean():.1%}" in finding.sentence.render(lang)
        assert finding.remedy.render(lang)


def test_a_small_growth_is_told_without_a_warning():
    finding = run(*two_stages(900, np.random.default_rng(3), base=0.4, effect=0.12, slope=0))["f0"]
    assert (finding.verdict, finding.sentence.key) == ("inform", "policy.grew_rate")
    assert finding.details["ratio_low"] < 2


def test_swapped_stages_fall():
    values, later, prompts, lengths = two_stages(300, np.random.default_rng(4), base=0.05, effect=0.3)
    grew, fell = run(values, later, prompts, lengths)["f0"], run(values, ~later, prompts, lengths)["f0"]
    assert fell.estimate.value == pytest.approx(-grew.estimate.value)
    assert fell.details["length_matched"].low == pytest.approx(-grew.details["length_matched"].high)
    assert fell.details["log_odds"].value == pytest.approx(-grew.details["log_odds"].value)
    assert fell.q == pytest.approx(grew.q)
    assert (fell.verdict, fell.sentence.key) == ("inform", "policy.fell_rate")


def test_order_of_rows_and_copies_of_answers_do_not_matter():
    values, later, prompts, lengths = two_stages(100, np.random.default_rng(5), k=3, effect=0.2, samples=3)
    order = np.random.default_rng(0).permutation(later.size)
    first = run(values, later, prompts, lengths)
    moved = run(values[order], later[order], prompts[order], lengths[order])
    twice = run(*(np.concatenate([part, part]) for part in (values, later, prompts, lengths)))
    for name, finding in first.items():
        assert moved[name].estimate.low == pytest.approx(finding.estimate.low)
        assert moved[name].details["length_matched"].low == pytest.approx(finding.details["length_matched"].low)
        assert twice[name].estimate.high == pytest.approx(finding.estimate.high)
        assert twice[name].q == pytest.approx(finding.q)


def test_mined_features_are_tested_on_held_out_prompts_and_in_a_family_of_their_own():
    values, later, prompts, lengths = two_stages(200, np.random.default_rng(6), k=2, effect=0.15)
    held = prompts % 2 == 0
    features = [feature("f0"), feature("f1", family="phrase", discovered="responses")]
    found = run(values, later, prompts, lengths, features, held)
    alone = run(values[held], later[held], prompts[held], lengths[held])["f1"]
    assert found["f1"].estimate.low == pytest.approx(alone.estimate.low)
    assert found["f1"].details["length_matched"].low == pytest.approx(alone.details["length_matched"].low)
    assert found["f1"].details["stages"][0]["n"] == 100
    assert found["f1"].details["counts"]["rl"] == values[later, 1].sum()  # all answers, for the reader
    assert found["f1"].details["left_out"] == 0  # the other half is not missing, it was used to find the phrase
    for name in ("f0", "f1"):  # alone in its family, which has half of the rate
        assert found[name].q == pytest.approx(min(1, 2 * found[name].estimate.p))


def test_prompts_that_lack_a_stage_are_left_out_and_counted():
    values, later, prompts, lengths = two_stages(60, np.random.default_rng(7), effect=0.3)
    kept = ~(later & (prompts < 5)) & ~(~later & (prompts >= 58))
    found = run(values[kept], later[kept], prompts[kept], lengths[kept])["f0"]
    whole = np.isin(prompts, np.arange(5, 58))
    assert found.details["left_out"] == 7
    assert found.estimate == run(values[whole], later[whole], prompts[whole], lengths[whole])["f0"].estimate


def test_three_stages_are_compared_end_to_end_and_step_by_step():
    rng = np.random.default_rng(8)
    g, rates = 300, {"base": 0.02, "sft": 0.1, "rl": 0.4}
    stage, prompts = np.repeat(list(rates), g), np.tile(np.arange(g), 3)
    values = (rng.random(3 * g) < np.repeat(list(rates.values()), g)).astype(float)
    table = responses(stage, prompts, texts_of(rng.lognormal(6, 0.5, 3 * g)), stages=tuple(rates))
    (found,) = amplification(table, measures({"f": values}, [feature("f")]))
    assert found.estimate.value == pytest.approx(values[stage == "rl"].mean() - values[stage == "base"].mean())
    steps = found.details["steps"]
    assert [(step["earlier"], step["later"]) for step in steps] == [("base", "sft"), ("sft", "rl")]
    assert sum(step["estimate"].value for step in steps) == pytest.approx(found.estimate.value)
    assert steps[1]["length_matched"].low > 0
    assert [row["stage"] for row in found.details["stages"]] == list(rates)


def test_how_features_are_read():
    rng = np.random.default_rng(9)
    g = 200
    later, prompts, lengths = np.repeat([False, True], g), np.tile(np.arange(g), 2), rng.lognormal(6, 0.5, 2 * g)
    columns = {
        "never": np.zeros(2 * g),
        "lines": rng.poisson(1 + later),
        "commas": 5.0 + rng.poisson(5, 2 * g) + 3 * later,
        "characters": lengths * (1 + later),
        "leaning": rng.normal(0, 1, 2 * g) + later,
    }
    features = [
        feature("never"),
        feature("lines", "lines", "layout"),
        feature("commas", "marks"),
        feature("characters", "characters", "length"),
        feature("leaning", "score"),
    ]
    table = responses(np.where(later, "rl", "sft"), prompts, texts_of(lengths), stages=("sft", "rl"))
    found = {finding.feature: finding for finding in amplification(table, measures(columns, features))}
    assert set(found) == set(columns) - {"never"}
    readings = {name: finding.details["reading"] for name, finding in found.items()}
    assert readings == {"lines": "rate", "commas": "mean", "characters": "mean", "leaning": "mean"}
    lines = found["lines"]
    assert lines.estimate.value == pytest.approx(
        (columns["lines"] > 0)[later].mean() - (columns["lines"] > 0)[~later].mean()
    )
    assert lines.details["mean"].value == pytest.approx(
        columns["lines"][later].mean() - columns["lines"][~later].mean()
    )
    assert lines.details["mean"].unit == "lines"
    assert found["commas"].estimate.low < 3 < found["commas"].estimate.high
    assert "length_matched" not in found["characters"].details
    assert found["characters"].sentence.key == "policy.grew_length"


def test_lengths_that_do_not_meet_are_said_to():
    values, later, prompts, _ = two_stages(100, np.random.default_rng(10), effect=0.4)
    finding = run(values, later, prompts, np.where(later, 5000, 20))["f0"]
    assert finding.verdict == "inform"
    assert finding.sentence.values["at_equal_length"].key == "policy.no_equal_length"
    assert finding.details["matching"]["coverage"] == 0


def test_refusals():
    values, later, prompts, lengths = two_stages(9, np.random.default_rng(11), effect=0.4)
    with pytest.raises(NotEnoughData, match="at least 10 prompts answered by the first and the last stage, got 9"):
        run(values, later, prompts, lengths)
    one = responses(["sft"] * 20, range(20), ["x"] * 20)
    with pytest.raises(NotEnoughData, match="at least 2 stages"):
        list(amplification(one, measures({"f": np.ones(20)}, [feature("f")])))


def test_constant_and_hostile_answers():
    n = 40
    texts = ["", "\x00", "\u200f\u202eשלום", "😀" * 3] * (n // 4)
    table = responses(["a"] * (n // 2) + ["b"] * (n // 2), list(range(n // 2)) * 2, texts)
    found = list(
        amplification(
            table,
            measures({"f": np.ones(n), "g": np.r_[np.ones(n // 2), np.zeros(n // 2)]}, [feature("f"), feature("g")]),
        )
    )
    assert [finding.verdict for finding in found] == ["pass", "inform"]
    assert found[0].estimate.value == 0
    assert all(np.isfinite([finding.estimate.low, finding.estimate.high, finding.q]).all() for finding in found)
    assert found[1].estimate.value == pytest.approx(-1)
