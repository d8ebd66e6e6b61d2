"""`reward_model.plumbing`: one fault at a time in a model that is right otherwise."""

import hashlib
from types import MappingProxyType

import numpy as np
import polars as pl
import pytest
from factories import make_pairs

from dehusk.core.errors import NotEnoughData
from dehusk.core.kinds import TextScorer
from dehusk.core.run import stream
from dehusk.probes.reward_model.plumbing import plumbing


class Sound:
    """Words are tokens; a text scores a sum over words that hangs on the last one; nothing is wrong with it."""

    name, max_length, notes = "rm", 64, ()
    special_ids = MappingProxyType({"bos": 1, "eos": 2, "pad": 3})
    special_texts = MappingProxyType({"bos": "<s>", "eos": "</s>", "pad": "<pad>"})
    read_at = -1  # word of the answer, its end mark left out, that the score hangs on

    def _weight(self, word):
        return int(hashlib.sha256(word.encode()).hexdigest()[:8], 16) / 2**32 - 0.5

    def render(self, prompts, responses):
        return [f"{prompt} <a> {response}</s>" for prompt, response in zip(prompts, responses, strict=True)]

    def token_ids(self, text):
        words = text.replace("</s>", " </s>").split()[: self.max_length]
        return [1, *(2 if word == "</s>" else 10 + int(1e6 * (self._weight(word) + 1)) for word in words)]

    def score_texts(self, texts):
        found = []
        for text in texts:
            words = text.replace("</s>", "").split()[: self.max_length]
            found.append(sum(map(self._weight, words)) / 10 + 3 * self._weight(words[self.read_at]))
        return np.array(found)

    def score(self, prompts, responses):
        return self.score_texts(self.render(prompts, responses))

    def again(self):
        return self


def make(n=60, words=12):
    rng = np.random.default_rng(0)
    texts = [[" ".join(f"w{w}" for w in rng.integers(0, 500, words)) for _ in range(n)] for _ in range(2)]
    return make_pairs(n, chosen=texts[0], rejected=texts[1], prompts=[f"question {at}" for at in range(n)])


def run(model, pairs=None):
    found = plumbing(make() if pairs is None else pairs, model, stream(0, "test"))
    return {finding.details["check"]: finding for finding in found}


def test_a_sound_model_has_no_fault():
    assert isinstance(Sound(), TextScorer)
    found = run(Sound())
    assert {"repeat", "batch", "ending", "load", "start", "padding", "end", "template", "truncation"} <= set(found)
    assert {check: finding.verdict for check, finding in found.items() if finding.verdict in ("warn", "fail")} == {}


class Noisy(Sound):
    def __init__(self):
        self.rng = np.random.default_rng(1)

    def score_texts(self, texts):
        return super().score_texts(texts) + self.rng.normal(0, 0.3, len(texts))


class PadsIn(Sound):
    def score_texts(self, texts):
        longest = max(len(text) for text in texts)
        return super().score_texts(texts) + [0.05 * (longest - len(text)) for text in texts]


class Deaf(Sound):
    read_at = 0

    def score_texts(self, texts):
        return np.array([self._weight(text.split()[3]) for text in texts])


class RandomHead(Sound):
    def again(self):
        other = Sound()
        other.read_at = -2
        return other


class DoubledStart(Sound):
    def token_ids(self, text):
        return [1, *super().token_ids(text)]


class PadIsEnd(Sound):
    special_ids = MappingProxyType({"bos": 1, "eos": 2, "pad": 2})


class LivesOnTheEnd(Sound):
    def score_texts(self, texts):
        return super().score_texts(texts) + [5.0 * text.endswith("</s>") for text in texts]


class Short(Sound):
    """Sees the first words only, but still scores whole texts, so that its scores differ."""

    def token_ids(self, text):
        return super().token_ids(text)[:6]


@pytest.mark.parametrize(
    "model, check, verdict",
    [
        (Noisy(), "repeat", "fail"),
        (PadsIn(), "batch", "fail"),
        (Deaf(), "ending", "fail"),
        (RandomHead(), "load", "fail"),
        (DoubledStart(), "start", "fail"),
        (PadIsEnd(), "padding", "warn"),
        (LivesOnTheEnd(), "end", "inform"),
    ],
)
def test_each_fault_is_found(model, check, verdict):
    finding = run(model)[check]
    assert finding.verdict == verdict
    assert finding.remedy is not None
    assert finding.sentence.key.endswith("fault")


def test_pairs_that_are_cut_until_they_are_the_same():
    assert run(Short())["truncation"].verdict == "pass"
    pairs = make()
    alike = pairs.frame.with_columns(
        pl.format("one two three {}", pl.col(side)).alias(side) for side in ("chosen", "rejected")
    )
    finding = run(Short(), type(pairs)(alike))["truncation"]
    assert finding.verdict == "fail"
    assert finding.estimate.value == 1.0


def test_a_model_whose_tokens_cannot_be_seen_is_asked_what_it_can_be():
    class Closed:
        name = "api"

        def score(self, prompts, responses):
            return Sound().score(prompts, responses)

    assert set(run(Closed())) == {"repeat", "batch"}


def test_what_cannot_be_tried_is_refused():
    with pytest.raises(NotEnoughData, match="10 prompts"):
        run(Sound(), make(5))

    class Constant(Sound):
        def score_texts(self, texts):
            return np.ones(len(texts))

    with pytest.raises(NotEnoughData, match="differ"):
        run(Constant())
