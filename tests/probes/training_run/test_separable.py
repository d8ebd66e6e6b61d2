"""`training_run.separable`: a run that saturated is laid beside its pairs."""

import numpy as np
import pytest
from factories import make_measures, make_pairs
from healthy import healthy, make_log

from dehusk.core.errors import NotEnoughData
from dehusk.probes.training_run.separable import separable

WORDS = ["river", "stone", "cloud", "bread", "lamp", "window", "paper", "garden", "metal", "winter", "story", "engine"]


def pairs(rng, share, n=200):
    """Pairs of random words; a share of the chosen answers has a word of its own."""
    texts = [[" ".join(rng.choice(WORDS, 15)) for _ in range(n)] for _ in range(2)]
    chosen = [f"Certainly! {text}" if rng.random() < share else text for text in texts[0]]
    return make_pairs(n, chosen=chosen, rejected=texts[1])


def saturated():
    steps = np.arange(10, 1010, 10)
    return make_log(
        {"rewards/accuracies": (steps, np.minimum(1.0, 0.5 + steps / 200)), "rewards/margins": (steps, steps / 50)},
        task="dpo",
    )


def run(log, table, seed=0):
    nothing = np.zeros(len(table))
    return list(separable(log, table, make_measures({"f": (nothing, nothing)}), np.random.default_rng(seed)))


@pytest.mark.parametrize(("share", "verdict", "key"), [(1.0, "fail", "separable"), (0.7, "warn", "separable"),
                                                       (0.0, "inform", "not_separable")])  # fmt: skip
def test_the_pairs_explain_the_run_or_do_not(share, verdict, key):
    found = run(saturated(), pairs(np.random.default_rng(1), share))
    assert [(one.sentence.key, one.verdict) for one in found] == [(f"training_run.found.{key}", verdict)]
    assert found[0].estimate.value == pytest.approx(0.5 + share / 2, abs=0.08)


def test_a_run_that_did_not_saturate_needs_no_explanation():
    with pytest.raises(NotEnoughData, match="a run that saturated"):
        run(healthy("dpo", np.random.default_rng(0)), pairs(np.random.default_rng(1), 1.0))


def test_too_few_pairs():
    with pytest.raises(NotEnoughData, match="at least 50 prompts"):
        run(saturated(), pairs(np.random.default_rng(1), 1.0, n=20))
