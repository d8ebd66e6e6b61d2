"""`reward_model.diversity`: nothing between models that follow the label, planted prices shared and opposed."""

import json

import numpy as np
import polars as pl
import pytest
from factories import make_feature, make_measures, make_pairs

from dehusk.core.errors import NotEnoughData
from dehusk.core.tables import Scores
from dehusk.probes.reward_model.diversity import diverse


def draw(rng, prices, n=400, *, groups=None, mined=()):
    """Models that pay for the label, for features at their own prices, shape (m, k), and for noise of their own."""
    prices = np.asarray(prices, dtype=float)
    features = rng.poisson(1.0, (n, 2, prices.shape[1])).astype(float)
    features[:, 0] += rng.random((n, prices.shape[1])) < 0.4  # chosen answers have more of everything
    scores = features @ prices.T + rng.normal(size=(n, 2, len(prices)))
    scores[:, 0] += 1.0
    names = [f"m{j}" for j in range(len(prices))]
    frames = {side: pl.DataFrame(scores[:, k], schema=names) for k, side in enumerate(("chosen", "rejected"))}
    declared = [make_feature(f"f{j}", discovered="pairs" if j in mined else None) for j in range(prices.shape[1])]
    values = {f"f{j}": (features[:, 0, j], features[:, 1, j]) for j in range(prices.shape[1])}
    return make_pairs(n, groups=groups), make_measures(values, declared), Scores(tuple(names), frames)


def run(*tables, **options):
    return {finding.feature: finding for finding in diverse(*tables, **options)}


def key(finding):
    return finding.sentence.key.removeprefix("reward_model.diversity_")


def test_models_that_follow_the_label_share_no_price_and_make_errors_of_their_own():
    rng = np.random.default_rng(0)
    found = [run(*draw(rng, np.zeros((2, 6)), 150, groups=rng.integers(0, 90, 150))) for _ in range(120)]
    assert np.mean([any(one.verdict != "pass" for name, one in run.items() if name) for run in found]) <= 0.08
    errors = [run[None].estimate for run in found]
    assert 0.9 <= np.mean([one.low <= 0 <= one.high for one in errors]) <= 0.99


def test_shared_and_opposed_prices_are_told_apart():
    found = run(*draw(np.random.default_rng(1), [[0.5, -0.5, 0.5, 0.0], [0.4, -0.6, -0.5, 0.0]]))
    assert {name: key(one) for name, one in found.items()} == {
        None: "errors", "f0": "shared_pay", "f1": "shared_punish", "f2": "varies", "f3": "unsure"
    }  # fmt: skip
    assert [found[f"f{j}"].verdict for j in range(4)] == ["inform"] * 3 + ["pass"]
    assert found["f0"].details["agreement"] == 1.0
    assert found["f2"].details["agreement"] == 0.5
    assert found["f0"].details["m1"].value > 0.1
    assert found["f0"].estimate.low > 0 > found["f1"].estimate.high
    assert found["f2"].estimate.low < 0 < found["f2"].estimate.high  # the mean pays for next to nothing
    assert found["f0"].judged("unwanted").verdict == "warn"
    for one in found.values():
        assert one.sentence.render("en") != one.sentence.render("zh")


def test_swapped_sides_and_another_scale_change_nothing():
    pairs, measures, scores = draw(np.random.default_rng(2), [[0.5, 0.0], [0.3, -0.3]])
    found = run(pairs, measures, scores)
    frames = {"chosen": scores.frames["rejected"], "rejected": scores.frames["chosen"]}
    turned = make_measures({
        name: (measures.values("rejected", name), measures.values("chosen", name)) for name in ("f0", "f1")
    })  # fmt: skip
    again = run(
        pairs, turned, Scores(scores.models, {s: frame.select(pl.all() * 9 + 4) for s, frame in frames.items()})
    )
    for name, one in found.items():
        assert again[name].estimate.value == pytest.approx(one.estimate.value)
        assert key(again[name]) == key(one)


def test_the_same_model_twice_shares_everything():
    pairs, measures, scores = draw(np.random.default_rng(3), [[0.5, 0.0]])
    twice = {side: frame.with_columns(pl.col("m0").alias("m1")) for side, frame in scores.frames.items()}
    found = run(pairs, measures, Scores(("m0", "m1"), twice))
    assert found[None].estimate.value == pytest.approx(1.0)
    assert key(found["f0"]) == "shared_pay"


def test_a_mined_feature_is_tested_on_the_other_half_only():
    pairs, measures, scores = draw(np.random.default_rng(4), [[0.5, 0.5], [0.5, 0.5]], mined=(1,))
    measures.held_out["chosen"][: len(pairs) // 2] = False
    found = run(pairs, measures, scores)
    assert found["f1"].estimate.n == len(pairs) // 2
    assert found["f0"].estimate.n == len(pairs)


def test_models_without_an_error_are_compared_by_their_margins():
    pairs, measures, scores = draw(np.random.default_rng(5), [[0.5], [0.3]])
    frames = {"chosen": scores.frames["chosen"].select(pl.all() + 100), "rejected": scores.frames["rejected"]}
    assert key(run(pairs, measures, Scores(scores.models, frames))[None]) == "margins"


def test_one_model_and_too_few_prompts_are_refused():
    pairs, measures, scores = draw(np.random.default_rng(6), [[0.5], [0.3]], 19)
    with pytest.raises(NotEnoughData, match="at least 20 prompts with scores of both answers, got 19"):
        run(pairs, measures, scores)
    with pytest.raises(NotEnoughData, match="at least 2 reward models, got 1"):
        run(pairs, measures, Scores(("m0",), scores.frames))


def test_findings_are_json():
    for finding in run(*draw(np.random.default_rng(7), [[0.5], [0.3]])).values():
        json.dumps(finding.details, default=vars)
