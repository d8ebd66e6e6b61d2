"""`policy.gain`: how much of a reward gain goes with length or with another feature."""

import numpy as np
import pytest
from stage_tables import feature, measures, responses

from dehusk.core.errors import NotEnoughData
from dehusk.probes.policy.gain import gain


def scored(seed, *, g=150, samples=4, quality=0.0, per_word=0.0, longer=40, habit=0.0, paid=0.0):
    """Responses with scores and one feature: what the later stage does more of, and what is paid for it."""
    rng = np.random.default_rng(seed)
    prompts = np.tile(np.repeat(np.arange(g), samples), 2)
    later = np.repeat([False, True], g * samples)
    words = np.clip(80 + rng.normal(0, 20, g)[prompts] + rng.normal(0, 30, prompts.size) + longer * later, 1, None)
    has = (rng.random(prompts.size) < 0.2 + habit * later).astype(float)
    score = rng.normal(0, 0.3, prompts.size) + quality * later + per_word * words + paid * has
    texts = [" ".join(["word"] * int(count)) for count in words]
    table = responses(np.where(later, "rl", "sft"), prompts, texts, score, stages=("sft", "rl"))
    return table, measures({"f": has, "words": words}, [feature("f"), feature("words", "words", "length")])


def run(*tables, seed=0):
    return list(gain(*tables, np.random.default_rng(seed)))


def test_a_gain_that_is_quality_is_not_put_down_to_length():
    whole, *others = run(*scored(0, quality=0.5))
    assert others == []
    assert whole.estimate.low < 0 < whole.estimate.high
    assert whole.details["within"].low < 0.5 < whole.details["within"].high
    assert (whole.verdict, whole.feature) == ("inform", None)
    assert whole.details["coverage"] > 0.9
    for lang in ("en", "zh"):
        assert f"{whole.details['coverage']:.0%}" in whole.sentence.render(lang)


def test_a_gain_that_is_length_is():
    whole = run(*scored(1, per_word=0.02))[0]
    assert whole.estimate.value == pytest.approx(1, abs=0.1)
    assert whole.details["ratio"] == pytest.approx(0, abs=0.1)
    assert whole.verdict == "warn"
    matched = whole.details["prompt_matched"]
    assert matched["share"].value == pytest.approx(1, abs=0.1)
    assert matched["coverage"] > 0.8


def test_a_feature_that_is_paid_for_is_named_with_its_share():
    whole, named = run(*scored(2, quality=0.3, habit=0.6, paid=0.5))
    assert named.feature == "f"
    assert named.estimate.low < 0.5 < named.estimate.high  # 0.6 more often at 0.5 each, beside a quality of 0.3
    assert named.details["within"].value == pytest.approx(0.3, abs=0.05)
    assert whole.estimate.low < 0 < whole.estimate.high
    assert named.sentence.render("zh")


def test_without_a_gain_there_is_nothing_to_split():
    (whole,) = run(*scored(3))
    assert (whole.verdict, whole.sentence.key) == ("pass", "policy.gain_none")


def test_features_are_named_by_chance_in_few_runs():
    named = [len(run(*scored(seed, g=60, samples=2, quality=0.5), seed=seed)) > 1 for seed in range(100)]
    assert np.mean(named) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 100)


def test_one_answer_a_prompt_has_no_prompt_matched_variant():
    whole = run(*scored(4, samples=1, g=400, quality=0.5))[0]
    assert "prompt_matched" not in whole.details


def test_low_coverage_is_said():
    whole = run(*scored(5, longer=110, per_word=0.01))[0]
    assert whole.details["coverage"] < 0.9
    assert whole.sentence.values["coverage"].key == "policy.coverage_low"


def test_chinese_is_counted_in_characters():
    rng = np.random.default_rng(6)
    later, prompts = np.repeat([False, True], 200), np.tile(np.arange(200), 2)
    length = rng.integers(50, 100, 400) + 30 * later
    texts = ["好" * count for count in length]
    table = responses(np.where(later, "rl", "sft"), prompts, texts, length * 0.01, stages=("sft", "rl"))
    whole = run(table, measures({"f": np.zeros(400)}, [feature("f")]))[0]
    assert whole.estimate.value == pytest.approx(1, abs=0.15)


def test_refusals():
    table, measured = scored(7)
    with pytest.raises(NotEnoughData, match="a score"):
        run(type(table)(table.frame.drop("score"), stages=table.stages), measured)
    one = table.frame.with_columns(score=np.where(table.frame["stage"] == "rl", table.frame["score"], np.nan))
    with pytest.raises(NotEnoughData, match="at least 2 stages, got 1"):
        run(type(table)(one, stages=table.stages), measured)
