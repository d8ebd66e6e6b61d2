"""`policy.provenance`: the path of what grew, from the labels to the last stage."""

import gc
from weakref import ref

import numpy as np
import pytest
from stage_tables import feature, measures, pairs, responses

from dehusk.probes.policy.amplification import amplification
from dehusk.probes.policy.comparison import Comparison
from dehusk.probes.policy.provenance import provenance

RATES = {"sft": 0.11, "rl": 0.34}


def run(seed, *, rejected=0.02, chosen=0.05, rates=RATES, n=3000, g=800, family="phrase", discovered=None):
    rng = np.random.default_rng(seed)
    stage, prompts = np.repeat(list(rates), g), np.tile(np.arange(g), len(rates))
    said = (rng.random(stage.size) < np.repeat(list(rates.values()), g)).astype(float)
    table = responses(stage, prompts, ["x" * 50] * stage.size, stages=tuple(rates))
    preferences = pairs(np.arange(n) // 2)
    sides = {
        "chosen": {"f": (rng.random(n) < chosen).astype(float)},
        "rejected": {"f": (rng.random(n) < rejected).astype(float)},
    }
    measured = measures({"f": said}, [feature("f", family=family, discovered=discovered)], **sides)
    return list(provenance(table, preferences, measured)), sides


def test_the_line_a_user_must_be_able_to_read():
    (found,), sides = run(0)
    path = found.details["stages"]
    assert [row["stage"] for row in path] == ["rejected", "chosen", "sft", "rl"]
    assert path[1]["rate"] == pytest.approx(sides["chosen"]["f"].mean())
    assert path[1]["n"] == 1500  # prompts, each with two pairs
    for lang in ("en", "zh"):
        line = found.sentence.render(lang)
        assert all(f"{row['rate']:.1%}" in line for row in path)
        assert "sft" in line
        assert "rl" in line
    assert found.sentence.render("en").endswith("The labels prefer it.")
    assert found.estimate.low < 0.03 < found.estimate.high
    assert found.remedy is not None


@pytest.mark.parametrize(("rejected", "chosen", "origin"), [(0.2, 0.05, "dispreferred"), (0.0, 0.0, "neutral")])
def test_what_the_labels_do_not_prefer_is_said_to_come_from_elsewhere(rejected, chosen, origin):
    (found,), _ = run(1, rejected=rejected, chosen=chosen)
    assert found.sentence.values["origin"].key == f"policy.origin_{origin}"
    assert found.remedy is None


def test_swapped_sides_flip_the_sign():
    (one,), _ = run(2, rejected=0.0, chosen=0.3)
    (other,), _ = run(2, rejected=0.3, chosen=0.0)
    assert one.estimate.value > 0.25
    assert other.estimate.value < -0.25


def test_what_did_not_grow_has_no_path():
    assert run(3, rates={"sft": 0.3, "rl": 0.3})[0] == []
    assert run(3, rates={"sft": 0.4, "rl": 0.1})[0] == []


def test_every_stage_is_on_the_path():
    (found,), _ = run(4, rates={"base": 0.01, "sft": 0.1, "dpo": 0.2, "rl": 0.5})
    assert [row["stage"] for row in found.details["stages"][2:]] == ["base", "sft", "dpo", "rl"]
    assert found.sentence.render("en").count("after") == 4


def test_interval_of_the_preference_covers_what_was_planted():
    covered = []
    for seed in range(100):
        (found,), _ = run(seed, rejected=0.2, chosen=0.3, n=400, g=200)
        covered.append(found.estimate.low <= 0.1 <= found.estimate.high)
    assert np.mean(covered) >= 0.90


def test_what_amplification_computed_is_not_computed_again(monkeypatch):
    g = 40
    stage, has = np.repeat(["sft", "rl"], g), np.repeat([0.0, 1.0], g)
    table, seen = responses(stage, np.tile(np.arange(g), 2), ["x"] * stage.size), []
    sides = {"chosen": {"f": np.ones(g)}, "rejected": {"f": np.zeros(g)}}
    measured = measures({"f": has}, [feature("f", family="phrase")], **sides)
    plain = Comparison.changes
    monkeypatch.setattr(Comparison, "changes", lambda *asked: seen.append(asked) or plain(*asked))
    (grown,) = amplification(table, measured)
    (path,) = provenance(table, pairs(np.arange(g)), measured)
    assert len(seen) == 1
    assert grown.feature == path.feature
    other = measures({"f": 1 - has}, [feature("f", family="phrase")], **sides)
    assert list(provenance(table, pairs(np.arange(g)), other)) == []  # other measures of the same answers
    assert list(provenance(table, pairs(np.arange(g)), measured, q=1e-30)) == []  # another rate
    assert len(seen) == 3


def test_nothing_is_kept_longer_than_its_table():
    g = 20
    table = responses(np.repeat(["sft", "rl"], g), np.tile(np.arange(g), 2), ["x"] * 2 * g)
    list(amplification(table, measures({"f": np.repeat([0.0, 1.0], g)}, [feature("f", family="phrase")])))
    gone = ref(table)
    del table
    gc.collect()
    assert gone() is None
