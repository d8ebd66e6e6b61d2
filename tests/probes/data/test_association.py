"""`data.association`: no effect, planted effects, what must not matter, and how it is told."""

import numpy as np
import polars as pl
import pytest
from factories import make_feature, make_measures, make_pairs, turned
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Audit, Estimate
from dehusk.core.kinds import probes
from dehusk.core.messages import Text
from dehusk.core.run import RunRecord
from dehusk.probes.data.association import association

READINGS = ("win_rate", "standardised", "length_conditional", "adjusted")


def run(pairs, measures, reading="association", **options):
    """Findings of one reading by feature."""
    return {f.feature: f for f in association(pairs, measures, **options) if f.details.get("reading") == reading}


def draw(rng, n, effects, *, of_length=0.0, same=0.0, groups=None):
    """Two answers each with Poisson features and a length; the label follows `effects` and `of_length`."""
    k = len(effects)
    lengths = np.exp(rng.normal(5, 0.5, (n, 2)))
    features = rng.poisson(np.where(same > 0, same * lengths[..., None] / 100, 1.0), (n, 2, k)).astype(float)
    utility = np.sign(features[:, 0] - features[:, 1]) @ np.asarray(effects) + of_length * np.log(
        lengths[:, 0] / lengths[:, 1]
    )
    order = np.where((rng.random(n) < 1 / (1 + np.exp(-utility)))[:, None], [0, 1], [1, 0])
    features = np.take_along_axis(features, order[..., None], axis=1)
    lengths = np.take_along_axis(lengths, order, axis=1)
    pairs = make_pairs(n, lengths=lengths, groups=groups)
    return pairs, make_measures({f"f{j}": (features[:, 0, j], features[:, 1, j]) for j in range(k)})


def test_is_registered_with_words_for_the_reader():
    assert "equal length" in probes["data.association"].about


def test_without_an_effect_p_values_are_uniform_and_the_rate_is_held():
    rng = np.random.default_rng(0)
    p, lengths, any_found = [], [], 0
    for _ in range(150):
        groups = rng.integers(0, 60, 90)
        found = list(association(*draw(rng, 90, np.zeros(6), groups=groups)))
        p += [f.estimate.p for f in found if f.details["reading"] == "association"]
        lengths += [f.details["length_conditional"].p for f in found if "length_conditional" in f.details]
        any_found += any(f.verdict in ("warn", "fail") or (f.q is not None and f.q <= 0.05) for f in found)
    # As many pairs for as against gives p = 1 exactly, so only an excess of small p-values can be tested.
    assert stats.kstest(p, "uniform", alternative="greater").pvalue > 0.01
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.02)
    assert stats.kstest(lengths, "uniform").pvalue > 0.01
    assert any_found <= 12  # 5 % of 150, with room for chance


def test_planted_effects_are_found_and_covered():
    rng = np.random.default_rng(1)
    truth = run(*draw(rng, 60_000, [0.8, 0.0]))
    covered, found = [], 0
    for _ in range(120):
        now = run(*draw(rng, 400, [0.8, 0.0]))
        for name in ("f0", "f1"):
            for reading in (None, *READINGS):
                one, target = (f[name].estimate if reading is None else f[name].details[reading] for f in (now, truth))
                covered.append(one.low <= target.value <= one.high)
        found += now["f0"].verdict == "warn"
        assert set(now["f0"].details) >= set(READINGS)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)
    assert found >= 115


def test_what_length_brings_along_is_said_to_go_with_length():
    rng = np.random.default_rng(2)
    finding = run(*draw(rng, 3_000, [0.0], of_length=2.0, same=1.0))["f0"]
    assert finding.estimate.low > 0.1
    assert finding.details["length_conditional"].low <= 0.03
    assert finding.verdict == "inform"
    assert finding.sentence.values["tail"].key == "data.association.explained"
    held = run(*draw(rng, 3_000, [0.8], of_length=2.0, same=1.0))["f0"]
    assert held.verdict == "warn"
    assert held.sentence.values["tail"].key == "data.association.remains"


def test_turning_pairs_around_turns_every_sign():
    pairs, measures = draw(np.random.default_rng(3), 300, [0.7, -0.4])
    back = make_measures(
        {f.name: (measures.values("rejected", f.name), measures.values("chosen", f.name)) for f in measures.features}
    )
    there, back = run(pairs, measures), run(turned(pairs), back)
    for name, finding in there.items():
        for one, other in (
            (finding.estimate, back[name].estimate),
            *((finding.details[r], back[name].details[r]) for r in READINGS[1:]),
        ):
            assert other.value == pytest.approx(-one.value, abs=1e-6)
            assert (other.low, other.high) == pytest.approx((-one.high, -one.low), abs=1e-6)
        assert back[name].verdict == finding.verdict


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_row_order_copies_and_units_change_nothing(seed, unit):
    rng = np.random.default_rng(seed)
    pairs, measures = draw(rng, 80, [0.6], groups=rng.integers(0, 40, 80))
    chosen, rejected = (measures.values(side, "f0") for side in ("chosen", "rejected"))
    base = run(pairs, measures)["f0"]
    order = np.concatenate([rng.permutation(80), rng.permutation(80)])
    copies = type(pairs)(pairs.frame[order])
    other = run(copies, make_measures({"f0": (unit * chosen[order], unit * rejected[order])}))["f0"]
    for reading in (None, "standardised", "length_conditional"):
        one, two = (f.estimate if reading is None else f.details.get(reading) for f in (base, other))
        assert (one is None) == (two is None)
        if one is not None:  # the ridge of the model weighs half as much against twice the rows
            within = 0.01 if reading == "length_conditional" else 1e-9
            assert (two.value, two.low, two.high) == pytest.approx((one.value, one.low, one.high), abs=within)


def test_weights_take_pairs_out():
    rng = np.random.default_rng(4)
    pairs, measures = draw(rng, 200, [1.0])
    weights = (rng.random(200) < 0.5).astype(float)
    kept = np.flatnonzero(weights)
    weighted = run(type(pairs)(pairs.frame.with_columns(weight=weights)), measures)["f0"].estimate
    part = make_measures({"f0": (measures.values("chosen", "f0")[kept], measures.values("rejected", "f0")[kept])})
    alone = run(type(pairs)(pairs.frame[kept]), part)["f0"].estimate
    assert (weighted.value, weighted.low, weighted.n) == pytest.approx((alone.value, alone.low, alone.n))


def test_presence_gets_the_exact_test():
    chosen, rejected = np.repeat([1.0, 0.0, 0.0], [14, 3, 83]), np.repeat([0.0, 1.0, 0.0], [14, 3, 83])
    measures = make_measures({"bold": (chosen, rejected)}, [make_feature("bold", unit="presence")])
    finding = run(make_pairs(100), measures)["bold"]
    assert finding.estimate.p == pytest.approx(stats.binomtest(14, 17).pvalue)
    assert finding.details["counts"] == {"chosen_more": 14, "rejected_more": 3, "equal": 83}
    assert finding.estimate.value == pytest.approx(0.11)


def test_declared_and_mined_features_are_two_families():
    rng = np.random.default_rng(5)
    values = {f"f{j}": (rng.poisson(1, 120), rng.poisson(1, 120)) for j in range(30)}
    features = [make_feature(f"f{j}", discovered="responses" if j else None) for j in range(30)]
    found = run(make_pairs(120), make_measures(values, features))
    # Alone in its family (all lengths are equal), which has half of the rate.
    assert found["f0"].q == pytest.approx(min(1, 2 * found["f0"].estimate.p))
    p = np.array([found[f"f{j}"].estimate.p for j in range(1, 30)])
    np.testing.assert_allclose(
        [found[f"f{j}"].q for j in range(1, 30)], np.minimum(1, 2 * stats.false_discovery_control(p))
    )


def test_a_feature_mined_from_these_pairs_is_tested_on_the_held_out_half_only():
    rng = np.random.default_rng(6)
    held_out = np.arange(200) >= 100
    chosen = np.where(held_out, rng.random(200) < 0.3, True).astype(float)
    measures = make_measures(
        {"phrase": (chosen, np.zeros(200))}, [make_feature("phrase", "presence", discovered="pairs")], held_out
    )
    finding = run(make_pairs(200), measures)["phrase"]
    assert finding.estimate.n == 100
    assert finding.estimate.value == pytest.approx(chosen[100:].mean())


def test_twins_and_constants_do_no_harm():
    rng = np.random.default_rng(7)
    pairs, measures = draw(rng, 400, [0.8])
    chosen, rejected = measures.values("chosen", "f0"), measures.values("rejected", "f0")
    values = {
        "list": (chosen, rejected),
        "bullets": (2 * chosen, 2 * rejected),
        "never": (np.zeros(400), np.zeros(400)),
    }
    found = list(association(pairs, make_measures(values)))
    twin = {f.feature: f for f in found if f.details["reading"] == "association"}
    assert twin["list"].details["collinear_with"] == ["bullets"]
    shares = [twin[name].details["adjusted"].value for name in ("list", "bullets")]
    assert shares[0] == pytest.approx(shares[1])
    assert np.isfinite([twin["list"].details["adjusted"].low, twin["list"].details["adjusted"].high]).all()
    (rare,) = (f for f in found if f.details["reading"] == "too_rare")
    assert rare.details["features"] == ["never"]
    assert rare.estimate is None


def test_absences_have_reasons():
    rng = np.random.default_rng(8)
    pairs, _ = draw(rng, 100, [0.0])
    values = {name: (rng.poisson(2, 100), rng.poisson(2, 100)) for name in ("characters", *"abcdefghijk")}
    found = run(pairs, make_measures(values, [make_feature("k", discovered="responses")]))
    assert found["characters"].details["absent"]["length_conditional"].key == "data.absent.is_length"
    assert found["a"].details["absent"]["adjusted"].values["needs"] == "at least 110 prompts for 11 features, got 100"
    assert found["k"].details["absent"]["adjusted"].key == "data.absent.mined"


def test_a_feature_that_turns_around_by_source_is_a_finding_of_its_own():
    rng = np.random.default_rng(9)
    first, second = draw(rng, 200, [1.2]), draw(rng, 200, [-1.2])
    values = np.concatenate([[m.values(s, "f0") for s in ("chosen", "rejected")] for _, m in (first, second)], axis=1)
    pairs = make_pairs(400, source=["forum"] * 200 + ["crowd"] * 200)
    measures = make_measures({"f0": tuple(values)})
    turn = run(pairs, measures, "turned")["f0"]
    assert turn.verdict == "warn"
    assert turn.estimate.low > 0.3  # how far apart the two are
    assert (turn.sentence.values["more"], turn.sentence.values["less"]) == ("forum", "crowd")
    assert {part["level"]: part["estimate"].value > 0 for part in turn.details["by"]} == {"forum": True, "crowd": False}
    assert not run(make_pairs(400), measures, "turned")
    assert not run(make_pairs(400, source=["forum"] * 360 + ["crowd"] * 40), measures, "turned")  # too few to count


def test_too_little_data_is_refused():
    with pytest.raises(NotEnoughData, match="20 prompts"):
        list(association(*draw(np.random.default_rng(0), 10, [0.0])))


def test_every_finding_can_be_told_and_written():
    rng = np.random.default_rng(10)
    pairs, measures = draw(rng, 300, [1.0, 0.0, -1.0], of_length=1.0, same=0.5)
    found = tuple(association(type(pairs)(pairs.frame.with_columns(source=pl.Series(["x", "y"] * 150))), measures))
    audit = Audit(RunRecord("audit", {}, 0), (), found, (), (), (), ())
    for finding, again in zip(found, Audit.from_json(audit.to_json()).findings, strict=True):
        for lang in ("en", "zh"):
            assert finding.sentence.render(lang) == again.sentence.render(lang)
            assert "{" not in finding.sentence.render(lang)
            assert finding.remedy is None or (isinstance(finding.remedy, Text) and finding.remedy.render(lang))
        assert finding.stage == "data"
        assert finding.estimate is None or isinstance(finding.estimate, Estimate)
