"""Added pairs: which ones, how much they weigh, and what a head fitted on them pays for."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from dehusk.core.errors import InputError, NotEnoughData, UnknownName
from dehusk.core.messages import LANGUAGES
from dehusk.core.tables import Pairs
from dehusk.features.intents import phrase_feature
from dehusk.features.measuring import declared, measure
from dehusk.repairs import apply
from dehusk.repairs.augmenting import augment
from dehusk.stats.regression import paired_logit

TARGETS = ("bullets", "exclamations")
KINDS = ("random_negatives", "rrm_non_contextual", "rrm_neutral", "counterfactual")
PLAIN = ("water", "stone", "garden", "letter", "window", "river", "morning", "paper", "music", "table")
GOOD, TIED = "true", (0.5, 0.5)


def told(draw, topic, bullets, marks, good):
    """An answer of twelve sentences about a topic: so many on bullet lines, so many exclaimed, so many words true."""
    ends = ["!"] * marks + ["."] * (12 - marks)
    words = [GOOD] * good + ["so"] * (12 - good)
    lines = [
        ("- " if at < bullets else "") + " ".join(["It", words[at], topic, *draw.choice(PLAIN, 3)]) + ends[at]
        for at in range(12)
    ]
    return "\n".join(lines)


def written(rows=400, seed=0, strength=1.0):
    """Pairs whose label goes by truth, and by bullets and exclamations, which go together and differ in mean."""
    draw = np.random.default_rng([seed, rows])
    lines = []
    for row in range(rows):
        prompt = int(draw.integers(rows * 4 // 5))
        shared = draw.normal(size=2)
        bullets = np.clip(np.round(4 + 2 * (0.7 * shared + 0.7 * draw.normal(size=2))), 0, 10).astype(int)
        marks = np.clip(np.round(1.5 + 1.5 * (0.7 * shared + 0.7 * draw.normal(size=2))), 0, 8).astype(int)
        good = draw.integers(0, 6, 2)
        pull = 0.5 * (good[0] - good[1]) + strength * (0.35 * (bullets[0] - bullets[1]) + 0.4 * (marks[0] - marks[1]))
        answers = [told(draw, f"t{prompt}", bullets[k], marks[k], good[k]) for k in (0, 1)]
        win = int(draw.random() >= 1 / (1 + np.exp(-pull)))
        lines.append((f"p{row}", row + 1, f"What of t{prompt}?", answers[win], answers[1 - win], f"g{prompt}"))
    names = ("pair_id", "row", "prompt", "chosen", "rejected", "group")
    return Pairs(pl.DataFrame(lines, schema=names, orient="row").with_columns(weight=pl.lit(1.0), lang=pl.lit("en")))


FEATURES = tuple(feature for feature in declared("en") if feature.name in (*TARGETS, "characters", "hedges"))


def measures_of(pairs):
    return measure(FEATURES, pairs=pairs)


def differences(pairs):
    """Bullets, exclamations and true words, chosen − rejected, shape (n, 3)."""
    measures = measures_of(pairs)
    columns = [measures.all_values("chosen", name) - measures.all_values("rejected", name) for name in TARGETS]
    good = [pairs.frame[side].str.count_matches(rf"\b{GOOD}\b").cast(pl.Float64).to_numpy() for side in SIDES]
    return np.stack([*columns, good[0] - good[1]], axis=1)


SIDES = ("chosen", "rejected")


def head(pairs):
    return paired_logit(differences(pairs), weights=pairs.frame["weight"].to_numpy(), ridge=0.1).beta


def added(pairs, seed=0, **options):
    options = {"targets": TARGETS, "share": 1.0} | options
    return augment(pairs, measures_of(pairs), np.random.default_rng(seed), **options)


@pytest.fixture(scope="module")
def pairs():
    return written()


@pytest.mark.parametrize("seed", range(2))
def test_a_head_pays_less_for_the_targets_and_judges_content_no_worse(seed):
    pairs, fresh = written(seed=seed), written(seed=seed + 20, strength=0.0)
    before = head(pairs)
    assert (before[:2] > 0.25).all()
    alone, new = head(apply(added(pairs, kinds=("counterfactual",)), pairs)), differences(fresh)
    assert (alone[:2] < 0.55 * before[:2]).all()
    assert (alone[:2] > -0.05).all()  # nor is it taught to dislike them
    all_of_them = head(apply(added(pairs, kinds=KINDS), pairs))
    assert (all_of_them[:2] < 0.2 * before[:2]).all() and (all_of_them[:2] > -0.05).all()
    accuracy = [float((np.sign(new @ beta) + 1).mean() / 2) for beta in (before, alone, all_of_them)]
    assert min(accuracy[1:]) >= accuracy[0], accuracy


def test_where_the_label_ignores_the_targets_a_head_still_does():
    pairs = written(strength=0.0)
    assert np.abs(head(pairs)[:2]).max() < 0.15
    for kinds in (("counterfactual",), ("rrm_neutral", "random_negatives")):
        assert np.abs(head(apply(added(pairs, kinds=kinds), pairs))[:2]).max() < 0.1


def test_ties_sum_to_no_label(pairs):
    for kind in ("rrm_neutral", "counterfactual"):
        frame = added(pairs, kinds=(kind,)).added.frame
        if kind == "counterfactual":
            frame = frame.filter(pl.col("pair_id").str.replace("b$", "").is_in(ties(frame).implode()))
        whole = Pairs(frame)
        x, weight = differences(whole), frame["weight"].to_numpy()
        assert np.abs(x).sum() > 0 and np.abs(weight @ x).max() < 1e-9
        opposite = frame.select("group", "weight", chosen="rejected", rejected="chosen")
        assert frame.select(opposite.columns).sort(opposite.columns).equals(opposite.sort(opposite.columns))


def ties(frame):
    """Ids of the first of the two rows of each tie."""
    return frame.filter(pl.col("pair_id").str.ends_with("b"))["pair_id"].str.replace("b$", "")


def test_edits_are_made_on_both_sides_alike(pairs):
    frame = added(pairs, kinds=("counterfactual",), targets=("bullets",)).added.frame
    strict = frame.filter(~pl.col("pair_id").str.replace("b$", "").is_in(ties(frame).implode()))
    assert strict.height == 2 * strict["pair_id"].str.extract(r"^(p\d+)").n_unique()
    assert strict["weight"].to_list() == [0.5] * strict.height  # both copies together weigh as much as their pair
    assert set(frame["weight"]) == {0.5}
    own = pairs.frame.select(key="pair_id", one="chosen", two="rejected")
    joined = strict.with_columns(key=pl.col("pair_id").str.extract(r"^(p\d+)")).join(own, on="key")
    as_is = joined.select((pl.col("chosen") == pl.col("one")), (pl.col("rejected") == pl.col("two")))
    assert as_is["chosen"].sum() == as_is["rejected"].sum() == strict.height // 2
    assert (as_is["chosen"] ^ as_is["rejected"]).all()
    edited = differences(Pairs(strict))[:, 0]
    natural = dict(zip(pairs.frame["pair_id"], differences(pairs)[:, 0], strict=True))
    more = edited - np.array([natural[key] for key in joined["key"]])
    assert (more[as_is["rejected"].to_numpy()] > 0).all() and (more[as_is["chosen"].to_numpy()] < 0).all()
    assert abs(more.sum()) < 1e-9  # as many bullets were added to the better as to the worse answers


def test_all_copies_of_a_pair_weigh_as_much_as_the_pair_however_many_targets(pairs):
    frame = added(pairs, kinds=("counterfactual",), targets=(*TARGETS, "hedges")).added.frame
    strict = frame.filter(~pl.col("pair_id").str.replace("b$", "").is_in(ties(frame).implode()))
    per_pair = strict.group_by(pl.col("pair_id").str.extract(r"^(p\d+)")).agg(pl.col("weight").sum())
    np.testing.assert_allclose(per_pair["weight"], 1.0)


def test_swapped_sides_get_the_mirrored_pairs(pairs):
    swapped = Pairs(pairs.frame.with_columns(chosen="rejected", rejected="chosen"))
    columns = ["group", "weight", "chosen", "rejected"]
    one = added(pairs, kinds=("counterfactual",), share=0.5).added.frame.select(columns)
    two = added(swapped, kinds=("counterfactual",), share=0.5).added.frame.select(columns)
    mirrored = two.select("group", "weight", chosen="rejected", rejected="chosen").select(columns)
    assert one.sort(columns).equals(mirrored.sort(columns))


@pytest.mark.parametrize(("kind", "a_row"), [("random_negatives", 1), ("rrm_non_contextual", 8), ("rrm_neutral", 6)])
def test_answers_to_other_prompts_are_as_many_as_published_and_never_of_the_own_prompt(pairs, kind, a_row):
    plan = added(pairs, kinds=(kind,), share=0.25)
    frame = plan.added.frame
    doubled = 2 if kind == "rrm_neutral" else 1
    assert len(plan.added) == a_row * doubled * 100
    assert frame["weight"].sum() == pytest.approx(a_row * 100)
    topics = frame.select(pl.col("prompt", *SIDES).str.extract(r"\b(t\d+)\b"))
    foreign = topics.select(pl.col(side) != pl.col("prompt") for side in SIDES)
    assert foreign["rejected"].all() and foreign["chosen"].all() == (kind == "rrm_neutral")
    known = dict(zip(pairs.frame["prompt"], pairs.frame["group"], strict=True))
    assert frame["group"].to_list() == [known[prompt] for prompt in frame["prompt"]]
    assert frame.select("group", *SIDES).n_unique() >= 0.98 * len(frame)  # prompts asked twice may draw alike
    if kind == "random_negatives":
        assert frame["chosen"].is_in(pairs.frame["chosen"].implode()).all()
        assert frame["rejected"].is_in(pairs.frame["chosen"].implode()).all()
    if kind == "rrm_neutral":
        apart = topics["chosen"] != topics["rejected"]
        assert apart.sum() == 4 * 2 * 100  # of the six, four are between the two other prompts


def test_added_rows_say_what_they_are(pairs):
    plan = added(pairs, kinds=("random_negatives", "counterfactual"), share=0.25)
    frame = plan.added.frame
    assert set(frame["source"]) == {"augment:random_negatives", "augment:counterfactual"}
    assert (frame["row"] == 0).all() and set(frame["lang"]) == {"en"}
    repaired = apply(plan, pairs)
    assert repaired.frame["pair_id"].n_unique() == len(repaired) == 400 + len(plan.added)
    assert plan.lost == 0 and (plan.weight == 1).all() and set(plan.reason) == {None}
    assert [note.values["rows"] for note in plan.notes] == [100, 100]


def test_the_weight_of_all_that_is_added_can_be_set(pairs):
    plan = added(pairs, kinds=KINDS, share=0.25, total=0.5)
    assert plan.added.frame["weight"].sum() == pytest.approx(200)
    heavy = Pairs(pairs.frame.with_columns(weight=pl.lit(3.0)))
    assert added(heavy, kinds=("random_negatives",)).added.frame["weight"].sum() == pytest.approx(1200)


def test_without_kinds_there_are_negatives_and_with_targets_edits(pairs):
    assert [note.values["kind"] for note in added(pairs, targets=()).notes] == ["random_negatives"]
    assert [note.values["kind"] for note in added(pairs).notes] == ["random_negatives", "counterfactual"]


def test_a_phrase_is_a_target_too(pairs):
    phrase = phrase_feature("thanks for asking")
    measures = measure([*FEATURES, phrase], pairs=pairs)
    plan = augment(pairs, measures, np.random.default_rng(0), targets=(phrase.name,), kinds=("counterfactual",))
    frame = plan.added.frame
    has = frame.select(pl.col(side).str.to_lowercase().str.contains("thanks for asking") for side in SIDES)
    assert (has["chosen"] ^ has["rejected"]).all() and has["chosen"].sum() == has["rejected"].sum()


def test_languages_keep_to_themselves():
    english = written(120)
    turned = english.frame.with_columns(
        prompt=pl.format("关于{}怎么样？", pl.col("group")),
        chosen=pl.format("这是{}的好回答。水很热。", pl.col("group")),
        rejected=pl.format("这是{}的坏回答。", pl.col("group")),
        group=pl.format("zh{}", "group"),
        pair_id=pl.format("zh{}", "pair_id"),
        lang=pl.lit("zh"),
    )
    both = Pairs(pl.concat([english.frame, turned]))
    for kinds, targets in ((("random_negatives",), ()), (("counterfactual",), ("hedges",))):
        plan = augment(both, measures_of(both), np.random.default_rng(0), kinds=kinds, targets=targets, share=1.0)
        frame = plan.added.frame
        assert set(frame["lang"]) == {"en", "zh"}
        for side in SIDES:
            chinese = frame[side].str.contains(r"\p{Han}")
            assert (chinese == (frame["lang"] == "zh")).all()
            assert not frame[side].str.contains(r"\p{Han}.*[a-z]{4}|[a-z]{4}.*\p{Han}").any()


class Model:
    """Pays for what a function of prompt and answer says, and counts the texts."""

    name = "known"

    def __init__(self, pay, closed=False):
        self.pay, self.closed, self.asked = pay, closed, 0

    def score(self, prompts, responses):
        self.asked += len(responses)
        return np.array([self.pay(*row) for row in zip(prompts, responses, strict=True)], dtype=float)


def on_topic(prompt, response):
    """5 for an answer to the prompt, and a tenth for every true word."""
    return 5.0 * (prompt.split()[-1][:-1] in response.split()) + 0.1 * response.split().count(GOOD)


def test_what_the_model_knows_already_is_not_added(pairs):
    plan = added(pairs, kinds=("random_negatives", "rrm_neutral"), targets=(), reward_model=Model(on_topic))
    shown = {note.values["kind"]: note.values for note in plan.notes}
    assert shown["random_negatives"]["kept"] == 0 and shown["random_negatives"]["count"] == 400
    assert 0 < shown["rrm_neutral"]["kept"] < shown["rrm_neutral"]["count"] == 2400
    assert {note.key for note in plan.notes} == {"repair.augment.filtered"}
    unit = np.sqrt(np.mean((0.1 * differences(pairs)[:, 2]) ** 2) / 2)
    gap = 0.1 * np.abs(differences(plan.added)[:, 2]) / unit
    assert gap.min() > np.log(0.7 / 0.3) - 1e-9  # |σ(margin) − 1/2| >= 0.2
    blind = added(pairs, kinds=("random_negatives",), reward_model=Model(lambda _, answer: len(answer) % 7))
    assert blind.notes[0].values["kept"] > 200


def test_a_model_of_known_scores_cannot_judge_new_pairs_and_the_plan_says_so(pairs):
    closed, without = (
        added(pairs, kinds=("rrm_neutral",), targets=(), reward_model=model)
        for model in (Model(on_topic, closed=True), None)
    )
    assert closed.added.frame.equals(without.added.frame)
    assert [note.key for note in closed.notes] == ["repair.augment.unfiltered", *(note.key for note in without.notes)]
    for lang in LANGUAGES:
        assert "hf:" in closed.notes[0].render(lang) and "hf:" not in without.notes[0].render(lang)


def test_a_model_that_pays_for_the_targets_is_taught_by_ties(pairs):
    pays, indifferent = (
        added(pairs, kinds=("counterfactual",), targets=("bullets",), reward_model=Model(pay))
        for pay in (lambda _, answer: answer.count("- "), lambda _, answer: answer.split().count(GOOD))
    )
    assert len(ties(pays.added.frame)) > 300 and len(ties(indifferent.added.frame)) == 0


def test_the_scale_of_the_scores_does_not_matter(pairs):
    one, two = (
        added(
            pairs, kinds=("rrm_neutral",), targets=(), reward_model=Model(lambda *row, by=by: by * on_topic(*row) - by)
        )
        for by in (1.0, 64.0)
    )
    assert one.added.frame.equals(two.added.frame)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"kinds": ("random_negative",)}, UnknownName, "did you mean random_negatives"),
        ({"share": 0.0}, InputError, "share"),
        ({"total": -1.0}, InputError, "total"),
        ({"targets": ("em_dashes",)}, InputError, "no edit changes em_dashes; expected a phrase, or one of .*bullets"),
        ({"kinds": ("counterfactual",), "targets": ()}, InputError, "no target to edit"),
        ({"reward_model": Model(lambda *_: 1.0)}, NotEnoughData, "differ"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(pairs, options, error, words):
    with pytest.raises(error, match=words) as refusal:
        added(pairs, **options)
    assert "\n" not in str(refusal.value)


def test_pairs_without_other_prompts_are_refused(pairs):
    alone = Pairs(pairs.frame.with_columns(prompt=pl.lit("What of t1?"), group=pl.lit("one")))
    with pytest.raises(NotEnoughData):
        added(alone, kinds=("random_negatives",))
    nobody = Pairs(pairs.frame.with_columns(prompt=pl.lit(" ")))
    with pytest.raises(NotEnoughData):
        added(nobody, kinds=("rrm_neutral",))
    two = Pairs(pairs.frame.with_columns(group="pair_id", prompt=pl.format("What of {}?", "pair_id"))[:2])
    with pytest.raises(NotEnoughData, match="pair to add"):  # a triple needs three
        added(two, kinds=("rrm_neutral",))
