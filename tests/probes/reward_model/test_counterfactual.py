"""`reward_model.counterfactual`: no price, planted prices, a price on length alone, and what must not matter."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from edited_pairs import Model, edited_pairs, measured

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Audit, Curve
from dehusk.core.kinds import edits
from dehusk.core.run import RunRecord
from dehusk.core.tables import Measures, Pairs, Scores
from dehusk.probes.reward_model.counterfactual import counterfactual
from dehusk.probes.reward_model.earnings import dose_response, earnings, within_prompt_spread
from dehusk.probes.reward_model.trials import base_texts, treatments, trials
from dehusk.stats.doses import dose_slope
from dehusk.text.edits import FILLER

OTHERS = ("rest assured", "by the way", "to be clear", "as it happens", "in any event", "mind you")


def run(pairs, measures, model, *, seed=0, **options):
    """Findings by edit or phrase, in the order they were told."""
    found = counterfactual(pairs, measures, model, model.scores(pairs), np.random.default_rng(seed), **options)
    return {finding.details["edit"]: finding for finding in found if "edit" in finding.details}


@pytest.fixture(scope="module")
def english():
    pairs = edited_pairs(np.random.default_rng(0), 66)
    return pairs, measured(pairs, ["thanks", *OTHERS])


def test_a_slope_is_least_squares_through_the_origin():
    rng = np.random.default_rng(0)
    dose, prompts = rng.integers(1, 4, 90).astype(float), rng.permutation(np.arange(90) % 30)
    gain = 0.3 * dose + rng.normal(size=90)
    found = dose_slope(gain, dose, prompts)
    assert found.value == pytest.approx(np.linalg.lstsq(dose[:, None], gain, rcond=None)[0][0])
    assert found.n == 30
    twice = dose_slope(np.tile(gain, 2), np.tile(dose, 2), np.tile(prompts, 2))
    assert (twice.low, twice.high) == pytest.approx((found.low, found.high))
    unknown = dose_slope(np.append(gain, np.nan), np.append(dose, 2), np.append(prompts, 99))
    assert unknown == pytest.approx(found)
    with pytest.raises(NotEnoughData):
        dose_slope(gain[:1], dose[:1], prompts[:1])


def test_without_a_price_nothing_is_found_and_with_one_the_interval_covers_it(english):
    base = base_texts(*english, 60, np.random.default_rng(0))
    some = {*FILLER.values(), "bullets", "bold", "emoji", "praise_opener", "capitals", "reword"}
    tried = [row for row in treatments(english[1], 3) if row.lang != "zh" and (row.name in some or row.is_phrase)]
    made = trials(base, tried)
    copies = 0.3 * made["text"].str.to_lowercase().str.count_matches("thanks").to_numpy()
    rng = np.random.default_rng(1)
    p, net, any_found, covered, first, runs = [], [], 0, [], 0, 100
    for _ in range(runs):
        noise = rng.normal(size=len(made)) - rng.normal(size=len(base))[made["base"].to_numpy()]
        null = earnings(base, made.with_columns(gain=pl.Series(noise)), tried)
        p += [row.slope.p for row in null]
        net += [row.net.p for row in null if row.net is not None]
        any_found += any(row.q <= 0.05 for row in null)
        paid = earnings(base, made.with_columns(gain=pl.Series(noise + copies)), tried)
        thanks = next(row for row in paid if row.treatment.name == "“thanks”")
        covered.append(thanks.slope.low <= 0.3 <= thanks.slope.high)
        phrases = [row for row in paid if row.treatment.is_phrase]
        first += max(phrases, key=lambda row: row.slope.value).treatment.name == "“thanks”"
    # Edits share the answers they start from, so that p-values of one run are not independent.
    assert len(null) == len(tried) == 16
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.025)
    assert np.mean(np.array(net) <= 0.05) == pytest.approx(0.05, abs=0.025)
    assert np.median(p) == pytest.approx(0.5, abs=0.05)
    assert any_found <= 10  # 5 % of 100, with room for chance
    assert np.mean(covered) == pytest.approx(0.95, abs=0.05)
    assert first >= 90


def test_a_model_that_pays_for_thanks_is_told_so_first(english):
    found = run(*english, Model(lambda text: 0.4 * text.lower().count("thanks"), noise=0.3))
    name, finding = next(iter(found.items()))
    assert (name, finding.feature, finding.verdict) == ("“thanks”", "“thanks”", "fail")
    unit = within_prompt_spread(Model(noise=0.3).scores(english[0]))
    assert finding.estimate.low <= 0.4 / unit <= finding.estimate.high
    assert finding.estimate.low > 0.1
    assert finding.details["net_of_length"].low > 0.1
    assert finding.sentence.render("en").startswith("“thanks” adds ")
    assert [row["place"] for row in finding.details["places"]] == ["start", "middle", "end"]
    (curve,) = finding.details["curves"]
    assert isinstance(curve, Curve)
    assert (curve.axis, curve.x) == ("dose", (0.0, 1.0, 2.0, 3.0))
    assert curve.value == pytest.approx(np.arange(4) * 0.4 / unit, abs=0.5)
    assert not [name for name, other in found.items() if other.verdict == "fail" and name != "“thanks”"]


def test_a_model_that_pays_for_length_alone_pays_nothing_net_of_length(english):
    found = run(*english, Model(lambda text: 0.01 * len(text), noise=0.3))
    phrases = [finding for name, finding in found.items() if name.startswith("“")]
    assert len(phrases) == 7
    assert all(finding.estimate.low > 0 for finding in phrases)
    assert all(finding.verdict != "fail" for finding in phrases)
    covered = [abs(f.details["net_of_length"].value) < 0.1 for f in found.values() if "net_of_length" in f.details]
    assert np.mean(covered) > 0.9
    assert {found[FILLER["en", place]].verdict for place in ("start", "middle", "end")} == {"fail"}
    assert "it is length that counts" in phrases[0].sentence.render("en")


def test_without_noise_length_alone_is_told_exactly(english):
    found = run(*english, Model(lambda text: 0.01 * len(text), noise=0.0))
    net = {name: f.details["net_of_length"] for name, f in found.items() if "net_of_length" in f.details}
    assert len(net) > 25
    assert all(abs(row.value) < 1e-9 for row in net.values())
    assert not [name for name, f in found.items() if f.verdict == "fail" and not name.startswith(("filler", "role"))]


def test_a_curved_price_of_length_is_followed(english):
    found = run(*english, Model(lambda text: 3 * np.log(len(text)), noise=0.0))
    raw, net = found["“thanks”"].estimate, found["“thanks”"].details["net_of_length"]
    assert abs(net.value) < 0.15 * raw.value


def test_scale_and_level_of_the_scores_do_not_matter_and_a_sign_turns_everything(english):
    def price(text):
        return 0.4 * text.lower().count("thanks") - 0.3 * text.count("!") + 0.001 * len(text)

    one = run(*english, Model(price))
    scaled = run(*english, Model(lambda text: 7 * price(text) + 100, noise=7))
    turned = run(*english, Model(lambda text: -price(text), noise=-1))
    for name, finding in one.items():
        values = (finding.estimate.value, finding.estimate.low, finding.estimate.high)
        other, back = scaled[name].estimate, turned[name].estimate
        assert (other.value, other.low, other.high) == pytest.approx(values, abs=1e-9)
        assert (-back.value, -back.high, -back.low) == pytest.approx(values, abs=1e-9)
        assert scaled[name].verdict == finding.verdict
        assert turned[name].q == pytest.approx(finding.q)


def test_taking_away_and_adding_have_one_sign():
    rng = np.random.default_rng(3)
    pairs = edited_pairs(rng, 40)
    listed = pairs.frame.with_columns(pl.col("chosen", "rejected").str.replace_all("\n\n", "\n\n- a **word**\n\n"))
    pairs = Pairs(listed)
    price = lambda text: 0.5 * text.count("\n- ") + 0.5 * text.count("**")  # noqa: E731
    found = run(pairs, measured(pairs), Model(price, noise=0.1))
    for name in ("no_list", "no_bold", "bullets", "bold"):
        assert found[name].estimate.low > 0
    assert found["no_bold"].feature == found["bold"].feature == "bold"


def test_markers_of_roles_must_not_earn_anything(english):
    paid = run(*english, Model(lambda text: 0.05 * text.count("Human:"), noise=0.01))["role_markers"]
    fined = run(*english, Model(lambda text: -0.5 * text.count("Human:"), noise=0.01))["role_markers"]
    assert (paid.verdict, fined.verdict) == ("fail", "inform")


def test_layout_may_be_worth_something_but_is_a_warning_and_a_control_only_informs(english):
    model = Model(
        lambda text: 0.5 * text.count("**") + 0.5 * text.count("permit") + 0.5 * text.count("assist"), noise=0.01
    )
    found = run(*english, model)
    assert found["bold"].verdict == "warn"
    assert found["reword"].verdict in ("inform", "pass")
    assert found["bullets"].details["control"] == found["reword"].estimate


def test_what_an_edit_is_and_moves_is_told(english):
    found = run(*english, Model())
    praise = found["praise_opener"]
    assert praise.feature == "praise_opener"
    assert praise.details["own_change"] == 1.0
    assert {"exclamations", "good_question"} <= {row["features"] for row in praise.details["moved"]}
    assert 15 < praise.details["characters"] < 35
    assert found["capitals"].details["characters"] == 0
    assert found["capitals"].feature is None
    assert found["bullets"].details["own_change"] >= 1
    assert found["bullets"].details["share_applied"] == 1.0
    assert found["prompt_echo"].estimate.n == 66
    assert found[FILLER["en", "end"]].feature == "characters"
    assert len(found) >= 30
    assert not [name for name in found if name.endswith("_zh")]


def test_everything_is_scored_in_one_call_and_each_answer_once_a_treatment(english):
    model = Model()
    scores = model.scores(english[0])
    model.asked.clear()
    list(counterfactual(*english, model, scores, np.random.default_rng(0), texts=30, doses=2))
    (asked,) = model.asked
    treatments_in_english = sum(entry.options["lang"] != "zh" for entry in edits) + 7
    assert len(asked) <= 30 * (1 + treatments_in_english - 3 + 3 * 4)
    assert len({prompt for prompt, _ in asked}) == 30


def test_mined_phrases_are_tried_on_held_out_prompts_only(english):
    pairs, measures = english
    held = np.arange(66) % 2 == 0
    features = tuple(
        replace(feature, discovered="pairs") if feature.name == "“thanks”" else feature for feature in measures.features
    )
    measures = Measures(features, measures.frames, {"chosen": held, "rejected": held})
    model = Model()
    found = run(pairs, measures, model)
    seen = {prompt for prompt, text in model.asked[-1] if "thanks" in text.lower()}
    assert seen == set(pairs.frame["prompt"].filter(pl.Series(held)))
    assert found["“thanks”"].estimate.n == 33
    named = {prompt for prompt, text in model.asked[-1] if "rest assured" in text.lower()}
    assert len(named) == 66


def test_both_languages_are_edited_in_their_own_words():
    rng = np.random.default_rng(4)
    both = Pairs(
        pl.concat(
            [edited_pairs(rng, 30).frame, edited_pairs(rng, 30, "zh").frame.with_columns(group="z" + pl.col("group"))]
        )
    )
    model = Model(lambda text: 0.8 * text.count("说白了"), noise=0.1)
    found = run(both, measured(both, ["说白了"]), model)
    assert found["“说白了”"].verdict == "fail"
    assert next(iter(found)) == "“说白了”"
    assert found["“说白了”"].estimate.n == 30
    assert found["emoji"].estimate.n == 60
    assert found["praise_opener"].estimate.n == found["praise_opener_zh"].estimate.n == 30
    for prompt, text in model.asked[-1]:
        assert not ("第" in prompt and "Great question" in text)


def test_too_little_data_is_refused(english):
    pairs, measures = english
    few = Pairs(pairs.frame.head(12))
    with pytest.raises(NotEnoughData, match="at least 20 prompts of one language, got 12"):
        run(few, measured(few), Model())
    with pytest.raises(NotEnoughData, match="scores that differ"):
        run(pairs, measures, Model(noise=0.0))
    with pytest.raises(NotEnoughData, match="scores"):
        list(counterfactual(pairs, measures, Model(), Scores(("rm",), {}), np.random.default_rng(0)))


def test_edits_without_room_are_said_to_be_left_out(english):
    model = Model()
    found = list(counterfactual(*english, model, model.scores(english[0]), np.random.default_rng(0)))
    (rare,) = [finding for finding in found if finding.details.get("reading") == "too_rare"]
    assert {text.key for text in rare.details["edits"]} == {"edits.no_list.label", "edits.no_bold.label"}


def test_answers_that_got_no_score_are_left_out(english):
    class Half(Model):
        def score(self, prompts, responses):
            return np.where([len(text) % 2 == 0 for text in responses], super().score(prompts, responses), np.nan)

    found = run(*english, Half())
    assert 0 < found["“thanks”"].estimate.n < 66
    assert all(np.isfinite(finding.estimate.value) for finding in found.values())


def test_every_finding_can_be_told_and_written(english):
    prices = (lambda text: 0.4 * text.lower().count("thanks") - 0.3 * text.count("!"), lambda text: 0.01 * len(text))
    for price in prices:
        model = Model(price, noise=0.1)
        found = tuple(counterfactual(*english, model, model.scores(english[0]), np.random.default_rng(0)))
        audit = Audit(RunRecord("audit", {}, 0), (), found, (), (), (), ())
        for finding, again in zip(found, Audit.from_json(audit.to_json()).findings, strict=True):
            for lang in ("en", "zh"):
                assert finding.sentence.render(lang) == again.sentence.render(lang)
                assert "{" not in finding.sentence.render(lang)
                assert finding.remedy is None or finding.remedy.render(lang)
            assert finding.details.get("curves", ()) == again.details.get("curves", ()) or list(
                finding.details["curves"]
            ) == list(again.details["curves"])


def test_a_dose_that_too_few_got_is_no_point_of_the_curve(english):
    base = base_texts(*english, 66, np.random.default_rng(0))
    tried = [row for row in treatments(english[1], 3) if row.name == "bullets"]
    made = trials(base, tried).with_columns(gain=pl.lit(0.0)).filter((pl.col("dose") < 3) | (pl.col("base") < 4))
    (bullets,) = earnings(base, made, tried)
    assert dose_response("bullets", bullets.gains).x == (0.0, 1.0, 2.0)
