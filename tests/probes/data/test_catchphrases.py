"""`data.catchphrases`: tested where it was not found, named, counted."""

import numpy as np
import pytest
from factories import make_feature, make_measures, make_pairs
from scipy import stats

from dehusk.core.errors import NotEnoughData
from dehusk.probes.data.catchphrases import catchphrases

HELD_OUT = np.arange(2000) % 2 == 1
LONGER = np.random.default_rng(99).integers(10, 60, (2000, 2))


def presence(rng, chosen, rejected, n=2000):
    """Presence drawn at two rates."""
    return (rng.random(n) < chosen).astype(float), (rng.random(n) < rejected).astype(float)


def run(values, held_out=HELD_OUT, details=None):
    """Findings by phrase."""
    features = [make_feature(name, "presence", "phrase", "pairs", **(details or {})) for name in values]
    pairs = make_pairs(len(held_out), lengths=LONGER[: len(held_out)])
    return {f.feature: f for f in catchphrases(pairs, make_measures(values, features, held_out))}


def test_planted_phrases_are_confirmed_and_told():
    rng = np.random.default_rng(0)
    details = {"variants": ["it's essential to"], "position": "anywhere", "kind": "phrase"}
    common, rare = presence(rng, 0.06, 0.005), presence(rng, 0.008, 0.0)
    found = run({"it's essential to": common, "rare": rare, "noise": presence(rng, 0.05, 0.05)}, details=details)
    finding = found["it's essential to"]
    assert finding.verdict == "warn"
    assert finding.estimate.unit == "presence"
    assert finding.estimate.value == pytest.approx((common[0] - common[1])[HELD_OUT].mean())
    assert finding.details["counts"] == {"chosen": common[0].sum(), "rejected": common[1].sum(), "pairs": 2000}
    assert finding.details["variants"] == ["it's essential to"]
    assert finding.details["length_conditional"].value == pytest.approx(finding.estimate.value, abs=0.01)
    sentence = finding.sentence.render("en")
    assert sentence.startswith("it's essential to stands in ")
    assert f"{common[0][HELD_OUT].mean():.1%} of chosen" in sentence
    expected = "warn" if found["rare"].estimate.value >= 0.01 else "inform"
    assert (found["rare"].verdict, found["rare"].q <= 0.05) == (expected, True)
    assert (found["noise"].verdict, found["noise"].sentence.key) == ("pass", "data.catchphrases.unconfirmed")


def test_both_directions():
    finding = run({"sorry": presence(np.random.default_rng(1), 0.01, 0.08)})["sorry"]
    assert finding.estimate.high < 0
    assert finding.sentence.key == "data.catchphrases.rejected"
    assert finding.sentence.values["odds"] > 4


def test_what_was_seen_when_mining_does_not_count():
    rng = np.random.default_rng(2)
    chosen, rejected = presence(rng, 0.05, 0.05)
    chosen[~HELD_OUT] = 1.0  # the half it was found on is full of it
    assert run({"lucky": (chosen, rejected)})["lucky"].verdict == "pass"


def test_without_an_effect_the_rate_is_held():
    rng = np.random.default_rng(3)
    confirmed = sum(
        any(
            f.q <= 0.05
            for f in run({f"p{j}": presence(rng, 0.05, 0.05, 600) for j in range(10)}, HELD_OUT[:600]).values()
        )
        for _ in range(100)
    )
    assert confirmed <= 10


def test_intervals_cover_the_planted_difference():
    rng = np.random.default_rng(4)
    found = run({f"p{j}": presence(rng, 0.12, 0.05) for j in range(400)})
    covered = np.mean([f.estimate.low <= 0.07 <= f.estimate.high for f in found.values()])
    assert covered == pytest.approx(0.95, abs=0.025)


def test_the_test_is_exact():
    chosen, rejected = np.repeat([1.0, 0.0, 0.0], [9, 1, 30]), np.repeat([0.0, 1.0, 0.0], [9, 1, 30])
    found = run({"p": (chosen, rejected)}, np.ones(40, dtype=bool))["p"]
    assert found.estimate.p == pytest.approx(stats.binomtest(9, 10).pvalue)


def test_nothing_mined_or_nothing_held_out_is_refused():
    with pytest.raises(NotEnoughData, match="1 phrase"):
        list(catchphrases(make_pairs(50), make_measures({"declared": (np.zeros(50), np.zeros(50))})))
    with pytest.raises(NotEnoughData, match="20 prompts"):
        run({"p": (np.ones(40), np.zeros(40))}, np.arange(40) < 10)
