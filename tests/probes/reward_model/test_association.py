"""`reward_model.association`: a model that follows the label alone, planted prices, and what must not matter."""

import numpy as np
import polars as pl
import pytest
from factories import make_feature, make_measures, make_pairs, needs_real_data, real_pairs
from scipy import stats
from score_tables import make_scores

from dehusk.core.errors import NotEnoughData
from dehusk.core.tables import Measures, Scores
from dehusk.probes.reward_model.association import LARGE, association


def draw(rng, n, prices, *, label=1.0, of_length=0.0, groups=None, twin=0.0):
    """Answers whose features go with the label; the model pays for the label, the features, the length, and noise."""
    k = len(prices)
    lengths = np.exp(rng.normal(5, 0.5, (n, 2)))
    features = rng.poisson(1.0 + twin * (lengths[..., None] / 150), (n, 2, k)).astype(float)
    features[:, 0] += rng.random((n, k)) < 0.4  # chosen answers have more of everything
    chosen, rejected = (
        features[:, side] @ np.asarray(prices) + of_length * np.log(lengths[:, side]) + rng.normal(size=n)
        for side in (0, 1)
    )
    pairs = make_pairs(n, lengths=lengths, groups=groups)
    names = ["characters", *(f"f{j}" for j in range(k))]
    values = [lengths.astype(int), *(features[:, :, j] for j in range(k))]
    measures = make_measures(
        {name: (both[:, 0], both[:, 1]) for name, both in zip(names, values, strict=True)},
        [make_feature("characters", "characters", "length")],
    )
    return pairs, measures, make_scores(chosen + label, rejected)


def run(*tables, **options):
    return {finding.feature: finding for finding in association(*tables, **options)}


def test_a_model_that_follows_the_label_alone_pays_for_nothing():
    rng = np.random.default_rng(0)
    p, confirmed = [], 0
    for _ in range(150):
        groups = rng.integers(0, 80, 120)
        found = run(*draw(rng, 120, np.zeros(6), groups=groups))
        p += [finding.estimate.p for finding in found.values()]
        confirmed += any(finding.q <= 0.05 for finding in found.values())
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert confirmed <= 13  # 5 % of 150, with room for chance


def test_planted_prices_are_found_covered_and_signed():
    rng = np.random.default_rng(1)
    truth = run(*draw(rng, 60_000, [0.4, -0.4, 0.0]))
    covered, signs = [], 0
    for _ in range(100):
        now = run(*draw(rng, 500, [0.4, -0.4, 0.0]))
        for name in ("f0", "f1", "f2"):
            for reading in (None, "length_conditional", "verdict", "within_prompt_pearson"):
                one, target = (f[name].estimate if reading is None else f[name].details[reading] for f in (now, truth))
                covered.append(one.low <= target.value <= one.high)
        signs += (
            now["f0"].verdict == now["f1"].verdict == "warn" and now["f1"].estimate.value < 0 < now["f0"].estimate.value
        )
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)
    assert signs >= 95
    assert truth["f0"].sentence.key.endswith("pays")
    assert truth["f1"].sentence.key.endswith("punishes")
    assert truth["f2"].verdict in ("pass", "inform")


def test_what_comes_with_length_is_told_from_length():
    rng = np.random.default_rng(2)
    found = run(*draw(rng, 4_000, [0.0], of_length=1.5, twin=2.0))
    assert found["f0"].estimate.low > LARGE
    assert abs(found["f0"].details["length_conditional"].value) < LARGE / 2
    assert found["f0"].verdict == "inform"
    assert found["characters"].verdict in ("warn", "fail")
    assert "length_conditional" not in found["characters"].details


def test_scale_and_offset_of_the_scores_do_not_matter_and_negation_turns_signs():
    rng = np.random.default_rng(3)
    pairs, measures, scores = draw(rng, 300, [0.5])
    sides = [scores.of(side) for side in ("chosen", "rejected")]
    base = run(pairs, measures, scores)["f0"].estimate.value
    assert run(pairs, measures, make_scores(*(7 + 3 * side for side in sides)))["f0"].estimate.value == pytest.approx(
        base
    )
    assert run(pairs, measures, make_scores(*(-side for side in sides)))["f0"].estimate.value == pytest.approx(-base)


def test_duplicated_prompts_make_nothing_surer():
    rng = np.random.default_rng(4)
    pairs, measures, scores = draw(rng, 200, [0.3])
    twice = type(pairs)(pl.concat([pairs.frame, pairs.frame]))
    doubled = Measures(
        measures.features,
        {side: pl.concat([frame, frame]) for side, frame in measures.frames.items()},
        {side: np.tile(rows, 2) for side, rows in measures.held_out.items()},
    )
    again = Scores(scores.models, {side: pl.concat([frame, frame]) for side, frame in scores.frames.items()})
    first, second = run(pairs, measures, scores)["f0"].estimate, run(twice, doubled, again)["f0"].estimate
    assert second.value == pytest.approx(first.value)
    assert second.high - second.low == pytest.approx(first.high - first.low, rel=0.02)


def test_a_bend_is_described():
    rng = np.random.default_rng(5)
    pairs, measures, _ = draw(rng, 800, [0.0])
    values = [measures.all_values(side, "f0") for side in ("chosen", "rejected")]
    scores = make_scores(*(-((side - 1.0) ** 2) + rng.normal(0, 0.3, 800) for side in values))
    details = run(pairs, measures, scores)["f0"].details
    assert details["spline_r2"] > details["linear_r2"] + 0.2


def test_unscored_texts_are_left_out_and_too_few_are_refused():
    rng = np.random.default_rng(6)
    pairs, measures, scores = draw(rng, 100, [0.5])
    chosen = scores.of("chosen").copy()
    chosen[:40] = np.nan
    assert run(pairs, measures, make_scores(chosen, scores.of("rejected")))["f0"].estimate.n == 60
    chosen[:90] = np.nan
    with pytest.raises(NotEnoughData, match="20 prompts"):
        run(pairs, measures, make_scores(chosen, scores.of("rejected")))


@needs_real_data
def test_on_real_pairs_a_length_reward_is_caught_beside_its_label():
    pairs = real_pairs("ultrafeedback_sample")
    lengths = {
        side: pairs.frame[side].str.len_chars().cast(float).log1p().to_numpy() for side in ("chosen", "rejected")
    }
    noise = np.random.default_rng(7).normal(0, 0.5, (2, len(pairs)))
    measures = make_measures(
        {"characters": tuple(np.expm1(lengths[side]) for side in ("chosen", "rejected"))},
        [make_feature("characters", "characters", "length")],
    )
    found = run(pairs, measures, make_scores(lengths["chosen"] + noise[0], lengths["rejected"] + noise[1]))
    assert found["characters"].verdict == "fail"
    assert found["characters"].estimate.value > 0
