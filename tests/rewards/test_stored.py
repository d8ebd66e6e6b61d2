"""Behind the store nothing is scored twice, and a killed run loses the slice in flight at most."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest

from dehusk.core.errors import BackendError
from dehusk.rewards.store import Store
from dehusk.rewards.stored import SLICE, Stored

PROMPTS = [f"question {i % 7}" for i in range(300)]
ANSWERS = [f"{'word ' * (i * 37 % 50)}answer {i % 150}" for i in range(300)]


class Counting:
    """Scores by length and remembers what it was asked."""

    name = "counting"

    def __init__(self, identity="v1", say=lambda scores: scores):
        self.identity, self.say, self.calls = identity, say, []

    def score(self, prompts, responses):
        self.calls.append(list(zip(prompts, responses, strict=True)))
        return self.say([len(prompt) + 100.0 * len(response) for prompt, response in self.calls[-1]])

    @property
    def asked(self):
        return [pair for call in self.calls for pair in call]


def expected(prompts=PROMPTS, answers=ANSWERS):
    return np.array(Counting().score(prompts, answers))


@pytest.mark.parametrize("identity", ["v1", None])
def test_scores_are_those_of_the_model_and_equal_texts_are_scored_once(identity):
    model = Counting(identity)
    scores = Stored(model, Store(":memory:")).score(PROMPTS, ANSWERS)
    assert scores.dtype == np.float64
    np.testing.assert_array_equal(scores, expected())
    assert Counter(model.asked) == Counter(set(zip(PROMPTS, ANSWERS, strict=True)))


def test_no_texts():
    model = Counting()
    assert Stored(model, Store(":memory:")).score([], []).shape == (0,)
    assert not model.calls


def test_slices_are_of_similar_lengths_and_the_longest_comes_first():
    model = Counting()
    Stored(model).score(PROMPTS, ANSWERS)
    lengths = [len(prompt) + len(response) for prompt, response in model.asked]
    assert lengths == sorted(lengths, reverse=True)
    assert {len(call) for call in model.calls[:-1]} == {SLICE}
    assert len(model.calls[-1]) <= SLICE


@pytest.mark.parametrize(("wanted", "calls"), [(None, 1), (1000, 1), (100, 3)])
def test_a_model_may_ask_for_larger_slices(wanted, calls):
    model = Counting()
    model.texts_a_call = wanted
    Stored(model).score(PROMPTS, [f"{i}" for i in range(300)])
    assert len(model.calls) == calls


def test_the_store_outlives_the_model(tmp_path):
    first, second, other, unnamed = Counting(), Counting(), Counting("v2"), Counting(None)
    half = len(PROMPTS) // 2
    Stored(first, Store(tmp_path / "s")).score(PROMPTS[:half], ANSWERS[:half])
    for model in (second, other, unnamed):
        np.testing.assert_array_equal(Stored(model, Store(tmp_path / "s")).score(PROMPTS, ANSWERS), expected())
    assert not set(first.asked) & set(second.asked)
    assert set(first.asked) <= set(other.asked)
    assert set(first.asked) <= set(unnamed.asked)
    again = Counting()
    np.testing.assert_array_equal(Stored(again, Store(tmp_path / "s")).score(PROMPTS, ANSWERS), expected())
    assert not again.calls


def test_the_prompt_counts():
    model = Counting()
    stored = Stored(model, Store(":memory:"))
    assert stored.score(["a", "bb"], ["x", "x"]).tolist() == [101.0, 102.0]
    assert stored.score(["bb"], ["x"]).tolist() == [102.0]
    assert len(model.asked) == 2


def test_what_was_scored_before_a_failure_is_kept(tmp_path):
    def say(scores):
        if len(failing.calls) == 3:
            raise BackendError("out of order")
        return scores

    failing = Counting(say=say)
    with pytest.raises(BackendError, match="out of order"):
        Stored(failing, Store(tmp_path / "s")).score(PROMPTS, ANSWERS)
    model = Counting()
    np.testing.assert_array_equal(Stored(model, Store(tmp_path / "s")).score(PROMPTS, ANSWERS), expected())
    assert not set(model.asked) & {pair for call in failing.calls[:2] for pair in call}


@pytest.mark.parametrize(
    ("say", "said"),
    [
        (lambda scores: scores[:-1], "counting: answered 63 scores for 64 texts"),
        (lambda scores: [*scores[:9], float("nan"), *scores[10:]], "counting: no score for text 10 of 64, but nan"),
        (lambda scores: [*scores[:9], None, *scores[10:]], "counting: no score for text 10 of 64, but None"),
        (lambda scores: 1.0, "counting: answered 1.0; expected 64 scores"),
    ],
)
def test_what_is_no_score_is_an_error_and_is_not_kept(say, said, tmp_path):
    with pytest.raises(BackendError) as failure:
        Stored(Counting(say=say), Store(tmp_path / "s")).score(PROMPTS, ANSWERS)
    assert str(failure.value) == said
    model = Counting()
    Stored(model, Store(tmp_path / "s")).score(PROMPTS, ANSWERS)
    assert len(set(model.asked)) == len(set(zip(PROMPTS, ANSWERS, strict=True)))


def test_a_damaged_score_is_computed_again(tmp_path):
    store = Store(tmp_path / "s")
    Stored(Counting(), store).score(PROMPTS, ANSWERS)
    store._connection.execute("UPDATE dehusk_values SET value = zeroblob(13) WHERE rowid = 5")
    model = Counting()
    np.testing.assert_array_equal(Stored(model, Store(tmp_path / "s")).score(PROMPTS, ANSWERS), expected())
    assert len(model.asked) == 1


def test_progress_counts_different_texts():
    seen = []
    stored = Stored(Counting(), Store(":memory:"))
    stored.progress = lambda done, total: seen.append((done, total))
    stored.score(PROMPTS[:100], ANSWERS[:100])
    stored.score(PROMPTS, ANSWERS)
    different = len(set(zip(PROMPTS, ANSWERS, strict=True)))
    assert seen[:3] == [(0, 100), (64, 100), (100, 100)]
    assert seen[3] == (100, different)
    assert seen[-1] == (different, different)
    assert [done for done, _ in seen[3:]] == sorted(done for done, _ in seen[3:])


def test_the_model_itself_is_within_reach():
    model = Counting()
    assert Stored(model).model is model


# A model that notes every text in a file before it answers, and can be told to stop there.
NOTING = """
import os, sys, time
def score(prompts, responses):
    with open("asked", "a") as file:
        file.write("".join(text + "\\n" for text in responses))
    lines = sum(1 for _ in open("asked"))
    if lines > int(os.environ.get("STOP_AFTER", 1_000_000)):
        print("ready", flush=True)
        time.sleep(60)
    time.sleep(float(os.environ.get("PAUSE", 0)))
    return [float(len(text)) for text in responses]
"""
COMMAND = [sys.executable, "-m", "dehusk", "score", "--reward-model", "py:rm_noting:score?version=1"]


@pytest.fixture
def answers(folder):
    """300 answers, all different, and a model that notes them."""
    (folder / "rm_noting.py").write_text(NOTING)
    texts = [f"answer {i} {'word ' * (i % 40)}" for i in range(300)]
    (folder / "a.jsonl").write_text(
        "\n".join(json.dumps({"prompt": f"q{i}", "response": text}) for i, text in enumerate(texts))
    )
    return texts


def started(*words, **environment):
    return subprocess.Popen(
        [*COMMAND, "--responses", "a.jsonl", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUTF8": "1", **environment},
        encoding="utf-8",
    )


def test_kill_9_in_the_middle_loses_the_slice_in_flight_at_most(folder, answers):
    killed = started(STOP_AFTER="150")
    assert killed.stdout.readline() == "ready\n"
    killed.send_signal(signal.SIGKILL)
    assert killed.communicate(timeout=20) == ("", "")
    before = (folder / "asked").read_text().splitlines()
    assert len(before) == 3 * SLICE

    again = started("--out", "scores.jsonl")
    _, said = again.communicate(timeout=60)
    assert again.returncode == 0, said
    times = Counter((folder / "asked").read_text().splitlines())
    assert set(times) == set(answers)  # nothing is lost
    assert {text for text, count in times.items() if count > 1} == set(before[2 * SLICE :])  # nothing else is repeated
    assert max(times.values()) == 2
    rows = [json.loads(line) for line in (folder / "scores.jsonl").read_text().splitlines()]
    assert [row["score"] for row in rows] == [len(text) for text in answers]

    third = started()
    printed, _ = third.communicate(timeout=60)
    assert len(printed.splitlines()) == 300
    assert len((folder / "asked").read_text().splitlines()) == sum(times.values())  # nothing was asked again


def test_two_processes_share_a_store(folder, answers):
    processes = [started("--out", f"{name}.jsonl", PAUSE="0.05") for name in "ab"]
    for process in processes:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    first, second = ((folder / f"{name}.jsonl").read_text() for name in "ab")
    assert first == second
    assert [json.loads(line)["score"] for line in first.splitlines()] == [len(text) for text in answers]
    asked = len((folder / "asked").read_text().splitlines())
    start = time.monotonic()
    third = started("--out", "c.jsonl", PAUSE="60")
    _, said = third.communicate(timeout=50)
    assert (third.returncode, time.monotonic() - start < 50) == (0, True), said
    assert (folder / "c.jsonl").read_text() == first
    assert len((folder / "asked").read_text().splitlines()) == asked
