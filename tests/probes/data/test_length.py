"""Longer wins, shorter wins, neither; in every part of the data."""

import numpy as np
import pytest
from factories import make_feature, make_measures, make_pairs, needs_real_data, real_pairs, turned

from dehusk.probes.data.association import association

# P(chosen longer) among pairs of unequal length, as the table beside the files has it.
PUBLISHED = {
    "alpaca_eval_other_judges": 0.80,
    "alpaca_eval_vs_davinci003": 0.83,
    "alpaca_eval_vs_gpt4turbo": 0.85,
    "alpacafarm_pairs_gpt4_repeated": 0.58,
    "arena_bench_v1_scored": 0.64,
    "chatbot_arena_jargon": 0.67,
    "dpo_en_demo": 0.44,
    "dpo_zh_500": 0.58,
    "dpo_zh_demo": 0.62,
    "expo_zephyr_vs_gpt4turbo": 0.92,
    "hh_rlhf_harmless_test": 0.44,
    "llmbar_processed_human": 0.65,
    "oasst_zh_ranked": 0.76,
    "pandalm_human": 0.66,
    "rm_bon16_choices": 0.62,
    "tulu13b_samples_vs_gpt35": 0.62,
    "ultrafeedback_sample": 0.56,
}
SHORTER_WINS = {"hh_rlhf_harmless_test", "dpo_en_demo"}


def findings(pairs, values=None, features=()):
    """Findings of the length rule, the whole data first."""
    measures = make_measures(values or {"constant": (np.zeros(len(pairs)), np.zeros(len(pairs)))}, features)
    return [f for f in association(pairs, measures) if f.details.get("reading") == "longer_wins"]


def lengths(n, share, ties=0):
    """`share` of the pairs of unequal length have a longer chosen answer."""
    longer = np.arange(n) < round(share * n)
    unequal = np.where(longer[:, None], [20, 10], [10, 20])
    return np.concatenate([unequal, np.full((ties, 2), 15)])


@pytest.mark.parametrize(
    ("share", "n", "verdict", "key"),
    [
        (0.80, 200, "fail", "longer"),
        (0.65, 200, "warn", "longer"),
        (0.58, 400, "inform", "longer"),
        (0.52, 200, "pass", "even"),
        (0.20, 200, "fail", "shorter"),
        (0.35, 200, "warn", "shorter"),
        (0.80, 60, "inform", "longer"),  # too few for more
    ],
)
def test_verdicts_both_ways(share, n, verdict, key):
    (finding,) = findings(make_pairs(n + 10, lengths=lengths(n, share, ties=10)))
    assert finding.verdict == verdict
    assert finding.sentence.key == f"data.length.{key}"
    assert finding.estimate.value == pytest.approx(share)
    assert finding.sentence.values["share"] == pytest.approx(1 - share if key == "shorter" else share)
    assert finding.sentence.values["low"] < finding.sentence.values["share"] < finding.sentence.values["high"]
    assert (finding.details["pairs"], finding.details["ties"]) == (n, 10)
    assert (finding.remedy is not None) == (verdict in ("warn", "fail"))


def test_turning_pairs_around_mirrors_it():
    pairs = make_pairs(200, lengths=lengths(200, 0.8))
    (there,), (back,) = findings(pairs), findings(turned(pairs))
    assert back.estimate.value == pytest.approx(1 - there.estimate.value)
    assert (back.estimate.low, back.estimate.high) == pytest.approx((1 - there.estimate.high, 1 - there.estimate.low))
    assert (there.sentence.key, back.sentence.key) == ("data.length.longer", "data.length.shorter")


def test_one_prompt_many_times_is_no_evidence():
    few = make_pairs(300, lengths=lengths(300, 0.65), groups=np.random.default_rng(0).integers(0, 21, 300))
    lumpy = make_pairs(300, lengths=lengths(300, 0.65), groups=np.arange(300) // 14)
    assert findings(few)[0].verdict == "warn"
    assert findings(lumpy)[0].verdict in ("pass", "inform")


def test_a_part_that_stands_out_is_told_apart():
    sizes = np.concatenate([lengths(300, 0.5), lengths(300, 0.5), lengths(100, 0.1)])
    subset = ["calm"] * 300 + ["also calm"] * 300 + ["terse"] * 100
    whole, part = findings(make_pairs(700, lengths=sizes, subset=subset))
    assert whole.verdict in ("pass", "inform")
    assert [one["level"] for one in whole.details["by"]] == ["also calm", "calm", "terse"]
    assert part.details["part"] == {"column": "subset", "level": "terse"}
    assert (part.verdict, part.sentence.key) == ("fail", "data.length.shorter")
    assert "terse" in part.sentence.render("en")
    assert "terse" in part.sentence.render("zh")


def test_words_are_asked_as_well():
    chosen, rejected = np.repeat([5.0, 2.0], [170, 30]), np.repeat([2.0, 5.0], [170, 30])
    characters, words = findings(
        make_pairs(200, lengths=lengths(200, 0.5)),
        {"words": (chosen, rejected)},
        [make_feature("words", "words", "length")],
    )
    assert (characters.feature, characters.verdict) == ("characters", "pass")
    assert (words.feature, words.verdict) == ("words", "fail")


@needs_real_data
@pytest.mark.parametrize("name", PUBLISHED)
def test_real_files_give_the_published_share_and_the_right_direction(name):
    pairs = real_pairs(name)
    finding = findings(pairs)[0]
    assert round(finding.estimate.value, 2) == PUBLISHED[name]
    assert (finding.estimate.value < 0.5) == (name in SHORTER_WINS)
    if finding.verdict != "pass":
        assert finding.sentence.key == f"data.length.{'shorter' if name in SHORTER_WINS else 'longer'}"
    assert (
        finding.estimate.n
        == pairs.frame.filter(pairs.frame["chosen"].str.len_chars() != pairs.frame["rejected"].str.len_chars())[
            "prompt"
        ].n_unique()
    )
