"""`reward_model.scale` and `.spread`: each question answered on scores made to answer it."""

import numpy as np
import polars as pl
import pytest
from factories import make_pairs
from score_tables import make_scores

from dehusk.core.errors import NotEnoughData
from dehusk.core.tables import Responses, Scores
from dehusk.probes.reward_model.scale import scale, spread


def run(pairs, scores):
    return {(finding.details["model"], finding.details["reading"]): finding for finding in scale(pairs, scores)}


def draw(seed, n=400, *, gap=1.0, level=0.0, size=1.0):
    rng = np.random.default_rng(seed)
    return make_pairs(n), make_scores(level + size * (rng.normal(size=n) + gap), level + size * rng.normal(size=n))


def test_agreement_is_accuracy_with_ties_as_halves():
    found = run(make_pairs(40), make_scores([1.0] * 20 + [0.0] * 20, [0.0] * 40))["rm", "agreement"]
    assert found.estimate.value == pytest.approx(0.75)
    assert found.verdict == "inform"
    assert "normal" in found.sentence.render()


def test_chance_agreement_is_a_warning_held_at_the_level():
    warned = [run(*draw(seed, 100, gap=0.0))["rm", "agreement"].verdict == "warn" for seed in range(100)]
    assert np.mean(warned) > 0.95
    assert run(*draw(0))["rm", "agreement"].verdict == "inform"


def test_answers_that_score_alike_are_found():
    rng = np.random.default_rng(1)
    level = rng.normal(size=300)
    pairs = make_pairs(300)
    assert run(pairs, make_scores(level, level + rng.normal(0, 0.02, 300)))["rm", "discrimination"].verdict == "fail"
    assert run(*draw(2))["rm", "discrimination"].verdict == "pass"
    assert run(pairs, make_scores(np.ones(300), np.ones(300)))["rm", "discrimination"].verdict == "fail"


def test_where_scores_lie_is_information_until_it_is_far():
    negative = run(*draw(3, level=-3.0))["rm", "place"]
    assert negative.verdict == "inform"
    assert "negative ones included" in negative.sentence.render()
    assert run(*draw(3, level=50.0))["rm", "place"].verdict == "warn"


def test_saturation_is_margins_that_leave_no_loss():
    assert run(*draw(4, gap=12.0))["rm", "saturation"].verdict == "warn"
    assert run(*draw(4, gap=1.0))["rm", "saturation"].verdict == "pass"


def test_drift_is_of_the_last_checkpoint_against_the_first():
    pairs, first = draw(5)
    frames = {side: frame.with_columns(late=pl.col("rm") + 40) for side, frame in first.frames.items()}
    found = run(pairs, Scores(("rm", "late"), frames))
    assert found["late", "drift"].verdict == "warn"
    assert found["late", "drift"].estimate.value > 20
    assert ("rm", "agreement") in found
    assert ("late", "agreement") in found


def test_too_few_scores_are_refused():
    with pytest.raises(NotEnoughData, match="20 prompts"):
        list(scale(*draw(6, 10)))


def samples(between, within, prompts=60, each=6):
    rng = np.random.default_rng(7)
    groups = np.repeat(np.arange(prompts), each)
    values = between * rng.normal(size=prompts)[groups] + within * rng.normal(size=prompts * each)
    frame = pl.DataFrame(
        {
            "response_id": [str(i) for i in range(len(groups))],
            "row": np.arange(len(groups)),
            "prompt": [str(g) for g in groups],
            "response": ["x"] * len(groups),
            "stage": ["rl"] * len(groups),
            "group": [str(g) for g in groups],
        }
    )
    return Responses(frame), Scores(("rm",), {"response": pl.DataFrame({"rm": values})})


def test_spread_is_the_share_of_variance_within_prompts():
    (even,) = spread(*samples(1.0, 1.0, prompts=3000))
    assert even.estimate.value == pytest.approx(0.5, abs=0.03)
    (weak,) = spread(*samples(1.0, 0.05))
    assert weak.verdict == "warn"
    (fine,) = spread(*samples(1.0, 1.0))
    assert fine.verdict == "pass"
    with pytest.raises(NotEnoughData):
        next(spread(*samples(1.0, 1.0, each=1)))
