"""`dehusk validate` promises what its own plantings show, where it can promise anything."""

from __future__ import annotations

import numpy as np
import pytest
from tables import Speaker, answers, pairs, write

from dehusk.core.options import ValidateConfig
from dehusk.core.run import stream
from dehusk.io import read_pairs
from dehusk.workflow.validating import PHRASES, places, plant, run_validate

SPEAKER = Speaker(2)
EN, ZH = SPEAKER.prose, SPEAKER.chinese_prose
BILINGUAL = pairs(260, EN) + pairs(240, ZH, "第{}个问题".format)
RUNS = 20


def check(found, runs: int = RUNS) -> None:
    """At a recall of 80 %, fewer than 11 of 20 runs have a probability of 0.003."""
    assert found.smallest is not None
    assert found.smallest.found * runs >= 11
    [half] = found.recall
    assert half.found < 0.5  # and the rate is not announced too large


def test_in_one_of_two_languages(tmp_path):
    """Counting the answers of both would announce half of the rate that is needed."""
    path = write(tmp_path / "pairs.jsonl", BILINGUAL)
    found = run_validate(ValidateConfig(pairs=str(path), rates=(0.05,), repeats=RUNS))
    assert found.answers == 260
    check(found)


def test_where_the_screen_of_the_miner_asks_for_more_than_the_test_does(tmp_path):
    """Later answers are four times as long: every phrase of theirs has to stand out from what length brings."""
    rows = [{"stage": "sft", **row} for row in answers(250, lambda: EN(12))]
    rows += [{"stage": "rl", **row} for row in answers(250, lambda: EN(90))]
    path = write(tmp_path / "stages.jsonl", rows)
    check(run_validate(ValidateConfig(responses=(str(path),), rates=(0.05,), repeats=RUNS)))


def test_with_four_answers_against_one(tmp_path):
    early, late = (write(tmp_path / f"{name}.jsonl", rows) for name, rows in (
        ("sft", answers(150, EN)), ("rl", [row for _ in range(4) for row in answers(150, EN)])))  # fmt: skip
    found = run_validate(ValidateConfig(responses=(f"sft={early}", f"rl={late}"), rates=(0.02,), repeats=RUNS))
    assert found.alarms <= 4  # more has a probability of 0.003
    check(found)


@pytest.mark.parametrize("count", [1, 12, 30])
def test_too_few_prompts_are_said_to_be(tmp_path, count):
    """Thirty are enough for the miner and for the test, but not for the probe, which wants twenty held out."""
    path = write(tmp_path / "pairs.jsonl", pairs(count, EN))
    found = run_validate(ValidateConfig(pairs=str(path), rates=(1.0,), repeats=1))
    assert found.smallest is None
    assert found.recall[0].found == 0
    assert "validate.no_rate" in {text.key for text in found.sentences()}


def test_answers_of_one_length_give_no_shift_rather_than_none(tmp_path):
    path = write(tmp_path / "pairs.jsonl", pairs(60, lambda: SPEAKER.letter() * 9))
    assert run_validate(ValidateConfig(pairs=str(path), rates=(), repeats=1)).smallest_shift is None


@pytest.mark.parametrize(("lang", "count"), [("en", 260), ("zh", 240)])
def test_a_phrase_is_planted_in_answers_of_its_language(tmp_path, lang, count):
    table = read_pairs(str(write(tmp_path / "pairs.jsonl", BILINGUAL))).pairs
    phrase = PHRASES[lang][0]
    planted = plant(table, phrase, 0.5, stream(0, "plant"))
    has = np.flatnonzero(planted.frame["chosen"].str.contains(phrase, literal=True).to_numpy())
    assert has.size == count / 2
    assert np.isin(has, places(table, phrase)).all()
