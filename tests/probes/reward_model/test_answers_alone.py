"""What a model of the answers alone reproduces of a reward model: all, some, nothing, or more than it knows."""

import numpy as np
import polars as pl
import pytest
from factories import make_measures, make_pairs, turned

from dehusk.core.errors import NotEnoughData
from dehusk.core.run import stream
from dehusk.core.tables import Scores
from dehusk.probes.reward_model.answers_alone import answers_alone
from dehusk.probes.reward_model.prompt_use import prompt_use

WORDS = np.array([f"word{at}" for at in range(60)])


def make(n, seed):
    """Pairs of random words, with a feature that is measured; labels are random."""
    rng = np.random.default_rng(seed)
    chosen, rejected = ([" ".join(rng.choice(WORDS, 12)) for _ in range(n)] for _ in range(2))
    lines = rng.poisson(3, (2, n)).astype(float)
    return make_pairs(n, chosen=chosen, rejected=rejected), make_measures({"lines": lines}), lines, rng


def table(**models):
    """Scores of both sides from `name=(chosen, rejected)`."""
    frames = {
        side: pl.DataFrame({name: both[k] for name, both in models.items()})
        for k, side in enumerate(("chosen", "rejected"))
    }
    return Scores(tuple(models), frames)


def run(pairs, measures, seed=0, **models):
    return answers_alone(pairs, measures, table(**models), stream(seed, "test"))


def word_score(pairs):
    """A reward that is a sum over the words of an answer."""
    weights = dict(zip(WORDS, np.random.default_rng(7).normal(size=len(WORDS)), strict=True))
    return [
        np.array([sum(weights[w] for w in text.split()) for text in pairs.frame[side]])
        for side in ("chosen", "rejected")
    ]


def test_a_reward_of_words_is_reproduced_and_warned_of():
    pairs, measures, *_ = make(500, 0)
    found = run(pairs, measures, rm=word_score(pairs))
    assert found.verdict == "warn"
    assert found.estimate.low > 0.85
    assert found.details["reproduced"].value > 0.8


def test_a_reward_of_a_feature_is_reproduced():
    pairs, measures, lines, _ = make(500, 1)
    found = run(pairs, measures, rm=lines)
    assert found.details["reproduced"].low > 0.6
    assert found.estimate.value > 0.85


def test_of_a_reward_that_the_answers_do_not_hold_nothing_is_reproduced():
    found = []
    for seed in range(30):
        pairs, measures, _, rng = make(120, seed)
        found.append(run(pairs, measures, seed, rm=rng.normal(size=(2, 120))))
    assert np.mean([one.estimate.value for one in found]) == pytest.approx(0.5, abs=0.03)
    assert np.mean([one.details["reproduced"].value for one in found]) < 0.02
    assert sum(one.verdict != "pass" for one in found) <= 5
    ahead = [one.details["ahead_of_answers_alone"].direction for one in found]
    assert np.count_nonzero(ahead) <= 5


def test_half_of_the_variance_is_covered():
    """A margin of which a feature makes up half; the fit is linear, so it can reach it."""
    shares = []
    for seed in range(10):
        pairs, measures, lines, rng = make(400, seed)
        feature = np.tanh((lines[0] - lines[1]) / np.sqrt(np.mean((lines[0] - lines[1]) ** 2)))
        noise = rng.normal(size=400) * feature.std()
        shares.append(run(pairs, measures, rm=(feature + noise, np.zeros(400))).details["reproduced"].value)
    assert np.mean(shares) == pytest.approx(0.5, abs=0.08)


def test_turning_every_pair_around_changes_nothing():
    pairs, measures, _, rng = make(150, 3)
    scores = word_score(pairs) + rng.normal(size=(2, 150)) * 3
    there = run(pairs, measures, rm=scores)
    around = make_measures({"lines": tuple(measures.values(side, "lines") for side in ("rejected", "chosen"))})
    back = run(turned(pairs), around, rm=scores[::-1])
    assert back.estimate.value == pytest.approx(there.estimate.value, abs=0.02)
    assert back.details["reproduced"].value == pytest.approx(there.details["reproduced"].value, abs=0.02)


def test_a_model_behind_the_words_is_told():
    pairs, measures, _, rng = make(400, 4)
    marked = pairs.frame.with_columns(chosen=pl.col("chosen") + " indeed")
    found = run(type(pairs)(marked), measures, rm=rng.normal(size=(2, 400)))
    assert found.verdict == "warn"
    assert found.details["accuracy_answers_alone"].value > 0.95
    assert found.details["ahead_of_answers_alone"].high < 0
    assert found.remedy is not None


def test_several_checkpoints_stand_in_a_table_and_the_last_is_told_of():
    pairs, measures, lines, rng = make(200, 5)
    found = run(pairs, measures, early=rng.normal(size=(2, 200)), late=lines)
    assert [row["model"] for row in found.details["checkpoints"]] == ["early", "late"]
    assert found.details["model"] == "late"
    assert (
        found.details["checkpoints"][0]["reproduced"].value < 0.1 < found.details["checkpoints"][1]["reproduced"].value
    )


def test_too_few_scores_or_equal_ones_are_refused():
    pairs, measures, lines, _ = make(60, 6)
    with pytest.raises(NotEnoughData, match="scores that differ"):
        run(pairs, measures, rm=np.ones((2, 60)))
    missing = np.where(np.arange(60) < 49, lines, np.nan)
    with pytest.raises(NotEnoughData, match="50 prompts"):
        run(pairs, measures, rm=missing)


def test_closed_scores_are_enough_for_it():
    pairs, measures, lines, _ = make(60, 8)

    class File:
        name, closed = "rm", True

    found = prompt_use(pairs, measures, table(rm=lines), (File(),), stream(0, "test"))
    assert next(found).details["reading"] == "answers_alone"
    with pytest.raises(NotEnoughData, match="reward_model"):
        next(found)
