"""`reward_model.prompt_use`: models that read all, some or nothing of the prompt, and their checkpoints."""

from itertools import islice
from zlib import crc32

import numpy as np
import polars as pl
import pytest
from factories import make_measures, make_pairs
from hypothesis import given, settings
from hypothesis import strategies as st
from score_tables import make_scores

from dehusk.core.errors import NotEnoughData
from dehusk.core.run import stream
from dehusk.probes.reward_model.prompt_use import prompt_use
from dehusk.probes.reward_model.swaps import mix, prompt_free, response_share


class Model:
    """Scores by the words shared with the prompt, by a mark that only good answers have, and by noise of the text."""

    def __init__(self, name, *, topic=0.0, mark=0.0, noise=0.5):
        self.name, self.topic, self.mark, self.noise = name, topic, mark, noise

    def score(self, prompts, responses):
        return np.array([self._one(*both) for both in zip(prompts, responses, strict=True)])

    def _one(self, prompt, response):
        shared = len(set(prompt.split()) & set(response.split()))
        own = (crc32((prompt + response).encode()) / 2**32 - 0.5) * 12**0.5  # of standard deviation 1
        return self.topic * shared + self.mark * ("!" in response) + self.noise * own


def make(n=120, seed=0):
    """Answers of six words; the chosen one shares three with its prompt and always has a mark."""
    rng = np.random.default_rng(seed)
    words = [[f"w{rng.integers(10_000)}" for _ in range(6)] for _ in range(n)]
    other = [[f"v{rng.integers(10_000)}" for _ in range(6)] for _ in range(n)]
    prompts = [" ".join(row) for row in words]
    chosen = [" ".join(row[:3] + off[:3]) + " !" for row, off in zip(words, other, strict=True)]
    return make_pairs(n, prompts=prompts, chosen=chosen, rejected=[" ".join(off) for off in other])


def run(*models, pairs=None, seed=0, **options):
    """What is said of swapped prompts, which comes first; `test_answers_alone.py` tests the rest."""
    pairs = make() if pairs is None else pairs
    measures = make_measures({"constant": (np.zeros(len(pairs)),) * 2})
    scores = make_scores(*np.random.default_rng(seed).normal(size=(2, len(pairs))))
    found = prompt_use(pairs, measures, scores, models, stream(seed, "test"), **options)
    return list(islice(found, min(len(models), 2)))


def test_a_model_that_reads_the_prompt_gains_by_it():
    (finding,) = run(Model("rm", topic=1.0))
    assert finding.verdict == "pass"
    assert finding.estimate.value > 0.35
    assert finding.details["accuracy_foreign"].value == pytest.approx(0.5, abs=0.06)
    assert finding.details["response_share"].value < 0.2
    curve = finding.details["curves"][0]
    assert curve.x == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert list(curve.value) == sorted(curve.value)
    assert finding.details["prompt_related_gap"].value > 10 * abs(finding.details["prompt_free_gap"].value)


def test_a_model_that_reads_the_answer_alone_fails():
    (finding,) = run(Model("rm", mark=2.0))
    assert finding.verdict == "fail"
    assert finding.estimate.low <= 0 <= finding.estimate.high
    assert finding.details["prompt_free_gap"].value == pytest.approx(2.0, abs=0.2)


def test_a_model_of_the_answer_alone_has_all_its_variance_there():
    rng = np.random.default_rng(1)
    answer = rng.normal(size=(200, 1))
    assert response_share(np.repeat(answer, 8, axis=1)) == 1.0
    assert response_share(rng.normal(size=(2000, 8))) == pytest.approx(0.0, abs=0.02)
    assert response_share(answer + rng.normal(size=(200, 8))) == pytest.approx(0.5, abs=0.1)


def test_checkpoints_have_their_numbers_in_a_table():
    change = run(Model("a", topic=0.3), Model("b", topic=1.0))[1]
    early, late = change.details["checkpoints"]
    assert (early["model"], late["model"]) == ("a", "b")
    assert late["prompt_gain"].value > early["prompt_gain"].value
    assert late["response_share"].value < 0.2


def test_a_model_that_only_matches_prompt_and_answer_has_no_prompt_free_part():
    (finding,) = run(Model("rm", topic=1.0, noise=0.0))
    assert abs(finding.details["prompt_free_gap"].value) < 0.01
    assert finding.details["prompt_related_gap"].value == pytest.approx(3.0, abs=0.01)


def test_a_model_of_the_answer_alone_has_no_prompt_related_part():
    class Deaf(Model):
        def _one(self, prompt, response):
            return super()._one("", response)

    (finding,) = run(Deaf("rm", mark=1.0))
    assert finding.details["response_share"].value == pytest.approx(1.0)
    assert finding.details["prompt_related_gap"].value == pytest.approx(0.0, abs=1e-9)
    assert finding.estimate.value == 0.0


def test_a_model_that_guesses_is_not_accused():
    found = [run(Model("rm"), seed=seed, pairs=make(60, seed), swaps=4)[0] for seed in range(40)]
    assert all(finding.verdict == "inform" for finding in found if finding.details["accuracy_own"].low <= 0.5)
    clear = [finding.estimate.low > 0 or finding.estimate.high < 0 for finding in found]
    assert np.mean(clear) <= 0.15  # 5 %, with room for chance in 40 runs


def test_the_gain_is_covered():
    truth = run(Model("rm", topic=0.5, mark=0.5), pairs=make(2500, 99), texts=2500, swaps=4)[0].estimate.value
    covered = []
    for seed in range(100):
        (finding,) = run(Model("rm", topic=0.5, mark=0.5), pairs=make(60, seed), seed=seed, swaps=4)
        covered.append(finding.estimate.low <= truth <= finding.estimate.high)
    assert np.mean(covered) >= 0.89


def test_late_training_that_leaves_the_prompt_raises_the_alarm():
    early, late = Model("early", topic=1.0, noise=1.2), Model("late", topic=0.1, mark=3.0)
    alarm = run(early, late)[1]
    assert alarm.verdict == "warn"
    assert alarm.estimate.high < 0
    assert "early" in alarm.remedy.render()
    assert run(Model("a", topic=0.3), Model("b", topic=1.0))[1].verdict == "pass"


def test_prompts_come_from_pairs_alike_in_length_and_language():
    prompts = ["short words here", "a rather longer prompt than the others are"] * 30 + ["中文的问题"] * 5
    prompts = [f"{prompt} {at}" for at, prompt in enumerate(prompts)]
    pairs = make_pairs(65, prompts=prompts)
    frame = pairs.frame.with_columns(lang=pl.Series(["en"] * 60 + ["zh"] * 5))
    asked = []

    class Listener(Model):
        def score(self, prompts, responses):
            asked.append(prompts)
            return super().score(prompts, responses)

    run(Listener("rm"), pairs=type(pairs)(frame), swaps=3)
    own, columns = asked[0][:65], [asked[0][65 * at : 65 * (at + 1)] for at in range(2, 5)]
    for column in columns:
        for mine, theirs in zip(own, column, strict=True):
            assert mine != theirs
            assert ("中文" in mine) == ("中文" in theirs)
            assert abs(len(mine) - len(theirs)) < 10


def test_too_few_prompts_are_refused():
    with pytest.raises(NotEnoughData, match="20 prompts"):
        run(Model("rm"), pairs=make(10))


@settings(max_examples=60, deadline=None)
@given(st.text(), st.text(), st.sampled_from([0.0, 0.5, 1.0]))
def test_mixing_is_total_and_its_ends_are_the_prompts(own, other, share):
    rng = np.random.default_rng(0)
    mixed = mix(own, other, share, rng)
    assert isinstance(mixed, str)
    if share == 1.0:
        assert mixed == own


def test_the_prompt_free_part_goes_by_the_weight_of_prompts():
    gap = np.array([[0.0, 4.0, 4.0]])
    weights = np.array([[1.0, 0.0, 0.0]])
    assert prompt_free(gap, weights) == pytest.approx(0.0, abs=1e-9)
    assert prompt_free(gap, weights[:, ::-1]) == pytest.approx(4.0)
    assert prompt_free(gap, np.full((1, 3), 1 / 3)) == pytest.approx(prompt_free(gap))
    assert prompt_free(gap, np.array([[0.5, 0.25, 0.25]])) == pytest.approx(2.0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-20, 20), min_size=2, max_size=8), st.floats(-5, 5))
def test_the_prompt_free_part_moves_with_the_gaps(gaps, shift):
    row = np.array([gaps])
    assert prompt_free(row + shift) == pytest.approx(prompt_free(row) + shift, abs=1e-6)
    assert prompt_free(-row) == pytest.approx(-prompt_free(row), abs=1e-6)
