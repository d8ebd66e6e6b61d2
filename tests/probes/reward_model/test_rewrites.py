"""`reward_model.rewrites`: skew and miscalibration, what length has to do with them, and repaired models."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from dehusk.core.errors import NotEnoughData, UnknownName
from dehusk.core.findings import Audit
from dehusk.core.run import RunRecord
from dehusk.core.tables import Counterfactuals, Scores
from dehusk.features.intents import declare
from dehusk.features.measuring import declared
from dehusk.probes.reward_model.rewrites import rewrites
from dehusk.workflow import audit

REAL = Path(__file__).parents[4] / "shared" / "data" / "benchmark" / "bias_counterfactual_rm_scores.parquet"


def make(rng, n, *, features=("tone",), longer=0.0, groups=None, human=None):
    """n rewrites a feature, `longer` (mean, in shares) with a spread of a fifth of it."""
    total = n * len(features)
    before = rng.integers(40, 80, total)
    after = np.maximum(1, np.round(before * (1 + longer * rng.uniform(0.8, 1.2, total)))).astype(int)
    frame = pl.DataFrame(
        {
            "row": np.arange(1, total + 1),
            "prompt": [f"p{i % n}" for i in range(total)],
            "original": ["word " * size for size in before],
            "edited": ["word " * size for size in after],
            "feature": np.repeat(features, n),
            "group": [f"p{i % n}" for i in range(total)] if groups is None else [str(g) for g in groups],
        }
    )
    return Counterfactuals(frame if human is None else frame.with_columns(human=pl.Series(human, dtype=pl.Float64)))


def make_scores(original, **edited):
    sides = {"original": dict.fromkeys(edited, original), "edited": edited}
    return Scores(tuple(edited), {side: pl.DataFrame(columns) for side, columns in sides.items()})


def run(table, scores, **options):
    return {(f.feature, f.details["model"]): f for f in rewrites(table, scores, **options)}


def test_without_a_preference_p_values_are_fair_and_the_rate_is_held():
    rng = np.random.default_rng(0)
    p, any_found, covered = [], 0, []
    for _ in range(150):
        table = make(rng, 60, features=("a", "b", "c", "d"))
        found = run(table, make_scores(rng.normal(size=240), rm=rng.normal(size=240))).values()
        p += [finding.estimate.p for finding in found]
        covered += [finding.estimate.low <= 0.5 <= finding.estimate.high for finding in found]
        any_found += any(finding.q <= 0.05 for finding in found)
    assert np.mean(np.array(p) <= 0.05) <= 0.06  # the sign test is exact, so a little below
    assert stats.kstest(p, "uniform", alternative="greater").pvalue > 0.01
    assert any_found <= 12
    assert np.mean(covered) == pytest.approx(0.95, abs=0.025)


def test_a_planted_skew_is_covered_and_a_strong_one_is_a_warning():
    rng = np.random.default_rng(1)
    covered, warned = [], 0
    for _ in range(100):
        lean = np.where(rng.random(200) < 0.85, 1.0, -1.0)
        finding = run(make(rng, 200), make_scores(np.zeros(200), rm=lean))["tone", "rm"]
        covered.append(finding.estimate.low <= 0.85 <= finding.estimate.high)
        warned += finding.verdict == "warn"
    assert np.mean(covered) == pytest.approx(0.95, abs=0.05)
    assert warned == 100
    mild = run(make(rng, 400), make_scores(np.zeros(400), rm=np.where(np.arange(400) < 240, 1.0, -1.0)))["tone", "rm"]
    assert (mild.estimate.value, mild.verdict) == (0.6, "inform")


def test_ties_are_halves_and_the_published_count_stands_beside():
    difference = np.repeat([1.0, 0.0, -1.0], [30, 40, 30])
    finding = run(make(np.random.default_rng(2), 100), make_scores(np.zeros(100), rm=difference))["tone", "rm"]
    assert finding.estimate.value == 0.5
    assert finding.details["share_strictly_above"] == 0.3


def test_identical_rewrites_show_nothing():
    finding = run(make(np.random.default_rng(3), 50), make_scores(np.ones(50), rm=np.ones(50)))["tone", "rm"]
    assert (finding.estimate.value, finding.estimate.p, finding.verdict) == (0.5, 1.0, "pass")
    assert "score_and_length" not in finding.details


def test_turning_the_model_turns_the_skew_and_scale_is_nothing():
    rng = np.random.default_rng(4)
    table, original, edited = make(rng, 120, longer=0.5), rng.normal(size=120), rng.normal(0.5, 1, 120)
    there = run(table, make_scores(original, rm=edited))["tone", "rm"]
    back = run(table, make_scores(-original, rm=-edited))["tone", "rm"]
    other = run(table, make_scores(9 * original + 4, rm=9 * edited + 4))["tone", "rm"]
    assert back.estimate.value == pytest.approx(1 - there.estimate.value)
    assert (back.estimate.low, back.estimate.high) == pytest.approx((1 - there.estimate.high, 1 - there.estimate.low))
    assert back.details["score_and_length"] == pytest.approx(-there.details["score_and_length"])
    assert other.estimate == there.estimate


def test_longer_rewrites_are_marked_and_no_warning():
    rng = np.random.default_rng(5)
    strong = make_scores(np.zeros(100), rm=np.ones(100))
    short, long = (run(make(rng, 100, longer=by), strong)["tone", "rm"] for by in (0.0, 0.5))
    assert (short.details["length_confounded"], short.verdict) == (False, "warn")
    assert (long.details["length_confounded"], long.verdict) == (True, "inform")
    assert "length_matched" not in long.details
    assert long.details["share_longer"] == 1
    assert "test of length as well" in long.sentence.render("en")
    table = make(rng, 100, longer=0.5).frame
    mixed = Counterfactuals(
        table.with_columns(edited=pl.when(pl.col("row") <= 30).then("original").otherwise("edited"))
    )
    lean = np.where(np.arange(100) < 30, -1.0, 1.0)
    finding = run(mixed, make_scores(np.zeros(100), rm=lean))["tone", "rm"]
    assert (finding.estimate.value, finding.details["length_matched"].value) == (0.7, 0.0)
    assert "about equal length it is 0.0%" in finding.sentence.render("en")


def test_words_are_counted_in_both_scripts():
    frame = make(np.random.default_rng(6), 20).frame
    table = Counterfactuals(frame.with_columns(original=pl.lit("two words"), edited=pl.lit("四个汉字 one")))
    finding = run(table, make_scores(np.zeros(20), rm=np.ones(20)))["tone", "rm"]
    assert (finding.details["words_added"], finding.details["length_change"]) == (3, 1.5)


def test_people_decide_where_they_were_asked():
    rng = np.random.default_rng(7)
    human = np.where(np.arange(100) < 50, np.where(np.arange(100) < 40, 0.9, 0.2), np.nan)
    with_people = run(make(rng, 100, human=human), make_scores(np.zeros(100), rm=np.ones(100)))["tone", "rm"]
    assert with_people.details["human"].value == pytest.approx(0.8)
    assert with_people.details["miscalibration"].value == pytest.approx(0.2)
    assert with_people.details["gap"].value == pytest.approx(0.2)
    assert (with_people.details["gap"].n, with_people.estimate.n) == (50, 100)
    assert with_people.verdict == "warn"
    alike = np.where(np.arange(100) < 80, 1.0, 0.0)
    agrees = run(make(rng, 100, human=alike), make_scores(np.zeros(100), rm=2 * alike - 1))["tone", "rm"]
    assert (agrees.details["miscalibration"].value, agrees.verdict) == (0.0, "pass")
    against = run(make(rng, 100, human=1 - alike), make_scores(np.zeros(100), rm=2 * alike - 1))["tone", "rm"]
    assert against.details["miscalibration"].value == 1.0
    even = run(make(rng, 100, human=np.full(100, 0.5)), make_scores(np.zeros(100), rm=np.zeros(100)))["tone", "rm"]
    assert even.details["miscalibration"].value == 0.0  # undecided people and an undecided model agree


def test_a_repaired_model_is_compared_with_its_base_only():
    n = 100
    base = np.where(np.arange(n) < 90, 1.0, -1.0)
    repaired = np.where(np.arange(n) < 60, 1.0, -1.0)
    models = {"small_base": base, "big_base": base, "small_cda": repaired, "big_cda": base}
    found = run(make(np.random.default_rng(8), n), make_scores(np.zeros(n), **models))
    assert "change" not in found["tone", "small_base"].details
    assert "change" not in found["tone", "big_base"].details
    small, big = found["tone", "small_cda"].details, found["tone", "big_cda"].details
    assert (small["since"], small["change"].value) == ("small_base", pytest.approx(-0.3))
    assert small["change"].high < 0
    assert (big["since"], big["change"].value) == ("big_base", 0.0)
    assert "-30.0 points since small_base" in found["tone", "small_cda"].sentence.render("en")
    free = run(make(np.random.default_rng(8), n), make_scores(np.zeros(n), early=base, late=repaired))
    assert free["tone", "late"].details["since"] == "early"


def test_one_family_of_tests_and_clusters_by_prompt():
    rng = np.random.default_rng(9)
    table = make(rng, 60, features=("a", "b"))
    scores = make_scores(np.zeros(120), x=rng.normal(size=120), y=rng.normal(size=120))
    found = run(table, scores)
    p = [finding.estimate.p for finding in found.values()]
    np.testing.assert_allclose([finding.q for finding in found.values()], stats.false_discovery_control(p))
    lean = np.where(np.arange(200) % 40 < 24, 1.0, -1.0)
    many = run(make(rng, 200, groups=np.arange(200) % 40), make_scores(np.zeros(200), rm=lean))["tone", "rm"]
    assert many.estimate.n == 40
    alone = run(make(rng, 40), make_scores(np.zeros(40), rm=lean[:40]))["tone", "rm"]
    assert (many.estimate.low, many.estimate.p) == pytest.approx((alone.estimate.low, alone.estimate.p))


def test_texts_without_a_score_are_left_out_and_too_few_are_refused():
    rng = np.random.default_rng(10)
    edited = np.where(np.arange(60) < 25, np.nan, 1.0)
    finding = run(make(rng, 60), make_scores(np.zeros(60), rm=edited))["tone", "rm"]
    assert (finding.estimate.n, finding.estimate.value, finding.details["share_strictly_above"]) == (35, 1.0, 1.0)
    with pytest.raises(NotEnoughData, match="at least 20 prompts"):
        run(make(rng, 60), make_scores(np.zeros(60), rm=np.where(np.arange(60) < 50, np.nan, 1.0)))
    with pytest.raises(NotEnoughData, match="scores"):
        run(make(rng, 60), Scores(("rm",), {}))


def test_every_finding_can_be_told_and_written():
    rng = np.random.default_rng(11)
    human = np.where(np.arange(200) % 2, rng.random(200), np.nan)
    table = make(rng, 100, features=("length", "a new one"), longer=0.5, human=human)
    scores = make_scores(rng.normal(size=200), rm_base=rng.normal(1, 1, 200), rm_cda=rng.normal(0, 1, 200))
    found = tuple(rewrites(table, scores))
    audit = Audit(RunRecord("audit", {}, 0), (), found, (), (), (), ())
    for finding, again in zip(found, Audit.from_json(audit.to_json()).findings, strict=True):
        for lang in ("en", "zh"):
            assert finding.sentence.render(lang) == again.sentence.render(lang)
            assert "{" not in finding.sentence.render(lang)
            assert finding.remedy is None or finding.remedy.render(lang)


@pytest.mark.skipif(not REAL.exists(), reason="the published counterfactuals are not on this machine")
def test_published_skews_and_which_rewrites_are_about_length():
    frame = pl.read_parquet(REAL)
    table = Counterfactuals(
        frame.with_row_index("row", 1).select(
            pl.col("row").cast(pl.Int64),
            "prompt",
            original="base_response",
            edited="perturbed_response",
            feature="bias",
            group="prompt",
        )
    )
    models = [f"rm{size}_{kind}" for size in ("2B", "3B", "8B", "27B") for kind in ("base", "cda")]
    sides = {"original": "base", "edited": "perturbed"}
    scores = Scores(
        tuple(models),
        {side: frame.select(pl.col(f"{m}_score_{name}").alias(m) for m in models) for side, name in sides.items()},
    )
    found = run(table, scores)
    published = {  # arXiv 2506.05339's scores, counted again in plain Python
        "jargon": (0.305, 0.091, 0.299, 0.159, 0.384, 0.101, 0.442, 0.235),
        "length": (0.517, 0.255, 0.407, 0.298, 0.562, 0.380, 0.614, 0.568),
        "structure": (0.915, 0.821, 0.854, 0.796, 0.951, 0.830, 0.945, 0.863),
        "sycophancy": (0.672, 0.500, 0.406, 0.375, 0.312, 0.219, 0.547, 0.516),
    }
    for feature, values in published.items():
        for model, value in zip(models, values, strict=True):
            finding = found[feature, model]
            assert finding.details["share_strictly_above"] == pytest.approx(value, abs=0.0006)
            assert abs(finding.estimate.value - value) < 0.009  # ties as halves
    words = {feature: found[feature, "rm2B_base"].details["words_added"] for feature in published}
    assert words == {"jargon": 49, "length": 235, "structure": 1, "sycophancy": 89}
    marked = {feature: found[feature, "rm2B_base"].details["length_confounded"] for feature in published}
    assert marked == {"jargon": True, "length": True, "structure": False, "sycophancy": True}
    correlations = [found["jargon", model].details["score_and_length"] for model in models[::2]]
    assert correlations == pytest.approx([0.30, 0.31, 0.31, 0.54], abs=0.006)
    change = found["jargon", "rm2B_cda"].details["change"]
    assert (change.value, found["jargon", "rm2B_cda"].details["since"]) == (
        pytest.approx(-0.213, abs=0.002),
        "rm2B_base",
    )
    assert "change" not in found["jargon", "rm3B_base"].details


def rewrites_file(folder, feature):
    """30 rewrites on which a model that counts "!" always prefers the rewrite, and its scores."""
    texts = [f"Answer number {i} about a river and a stone." for i in range(30)]
    frame = pl.DataFrame(
        {
            "prompt": [f"question {i}" for i in range(30)],
            "original": texts,
            "edited": [text + "!" for text in texts],
            "feature": feature,
            "before": 0.0,
            "after": 1.0,
        }
    )
    frame.write_parquet(folder / "rewrites.parquet")
    return str(folder / "rewrites.parquet")


@pytest.mark.parametrize(
    ("option", "verdict"), [({}, "warn"), ({"unwanted": ("jargon",)}, "fail"), ({"wanted": ("JARGON",)}, "inform")]
)
def test_an_intent_names_what_the_users_rewrites_add(tmp_path, option, verdict):
    file = rewrites_file(tmp_path, "Jargon")
    model = f"scores:{file}?original=before&edited=after"
    found = audit(counterfactuals=file, reward_model=(model,), **option)
    assert [one.verdict for one in found.findings if one.probe == "reward_model.rewrites"] == [verdict]


def test_a_name_near_to_that_of_rewrites_is_offered(tmp_path):
    file = rewrites_file(tmp_path, "Jargon")
    with pytest.raises(UnknownName, match="unknown feature or family 'jargn'; did you mean Jargon"):
        audit(counterfactuals=file, reward_model=(f"scores:{file}?original=before&edited=after",), unwanted=("jargn",))


def test_a_family_keeps_its_meaning_beside_rewrites_of_the_same_name():
    known, intents = declare(
        declared(), unwanted=("length",), wanted=("river talk",), rewritten=("Length", "River Talk")
    )
    assert {"Length", "characters", "words"} <= intents.keys()
    assert intents["River Talk"] == "wanted"
    assert len(known) == len(declared())  # no phrase is made of a name that is known
