"""Mined phrases: planted ones come back whole, shreds and topics do not, and nothing is found in nothing."""

import re

import numpy as np
import polars as pl
import pytest
from corpora import pairs, plant, responses, texts

from dehusk.core.run import stream
from dehusk.features.measuring import measure
from dehusk.features.mining import contains, contrasts, count_variants, mine
from dehusk.features.phrases import MOST, stem
from dehusk.text.canonical import canonical


def mined(table, rng=None):
    return mine(table, np.ones(len(table), dtype=bool), rng or stream(0, "mine"))


def names(table) -> list[str]:
    return [feature.name.strip("“”") for feature in mined(table)]


@pytest.mark.parametrize(
    ("phrase", "zh", "where", "shown"),
    [
        ("to be brutally honest with you", False, "middle", "to be brutally honest with you"),
        ("here is the thing", False, "start", "here is the thing …"),
        ("I hope this helps", False, "end", "… i hope this helps"),
        ("it's essential to", False, "middle", "it's essential to"),
        ("一句狠但真实的话", True, "start", "一句狠但真实的话 …"),
        ("希望这对你有帮助", True, "end", "… 希望这对你有帮助"),
    ],
)
def test_a_planted_phrase_comes_back_whole_and_first(phrase, zh, where, shown):
    rng = np.random.default_rng(3)
    chosen, rejected = texts(rng, 500, zh=zh), texts(rng, 500, zh=zh)
    found = names(pairs(plant(chosen, phrase, 0.06, rng, where=where), rejected))
    assert found[0] == shown
    shreds = [name for name in found[1:] if name.strip("… ") in shown]
    assert not shreds


def test_nothing_is_found_in_one_corpus_split_in_two():
    rng = np.random.default_rng(0)
    found = [len(mined(pairs(texts(rng, 400), texts(rng, 400)))) for _ in range(5)]
    # Candidates are a screen, not a finding: a few of the thousands of n-grams pass by chance.
    assert np.mean(found) < 15


def test_two_sided():
    rng = np.random.default_rng(1)
    table = pairs(texts(rng, 400), plant(texts(rng, 400), "as an old friend", 0.06, rng, where="middle"))
    assert names(table)[0] == "as an old friend"


def test_a_topic_is_not_a_catchphrase():
    """Both answers to one prompt speak of its topic; the later side only a little more often."""
    rng = np.random.default_rng(2)
    early, late = texts(rng, 600), texts(rng, 600)
    topic = rng.choice(600, 60, replace=False)
    for i in topic:
        late[i] = "Zebra crossing matters. " + late[i]
    for i in topic[:42]:
        early[i] = early[i] + " Zebra crossing matters."
    late = plant(late, "mark my words", 0.05, rng, where="middle")
    found = names(pairs(late, early))
    assert "mark my words" in found
    assert not any("zebra" in name for name in found)


@pytest.mark.parametrize("case", ["plain", "later ones are longer", "the list is full"])
def test_the_fewest_prompts_of_a_new_phrase_are_those_from_which_on_it_is_mined(case):
    rng = np.random.default_rng(12)
    early, late = texts(rng, 400), texts(rng, 400)
    if case == "later ones are longer":
        late = [f"{one} {other}" for one, other in zip(late, texts(rng, 400), strict=True)]
    if case == "the list is full":
        for k in range(MOST + 20):
            late = plant(late, f"{'abcdefghij'[k % 10]}{'klmnopqrstuvwxyzäö'[k // 10]}x said", 0.03, rng, where="end")
    contrast = next(contrasts(pairs(late, early), np.ones(400, dtype=bool), rng))
    fewest = contrast.fewest(4)
    assert fewest is not None
    assert (fewest > 7) == (case != "plain")
    for count in (fewest - 1, fewest):
        found = names(pairs(plant(late, "as an old friend", count / 400, rng, where="middle"), early))
        assert ("as an old friend" in found) == (count == fewest)


def test_a_phrase_of_the_prompt_does_not_count():
    rng = np.random.default_rng(4)
    late = plant(texts(rng, 300), "mark my words", 0.1, rng, where="middle")
    asked = ["Explain: mark my words"] * 300
    [feature] = [f for f in mined(pairs(late, texts(rng, 300))) if f.name == "“mark my words”"]
    free = measure([feature], pairs=pairs(late, late)).all_values("chosen", feature.name)
    bound = measure([feature], pairs=pairs(late, late, prompts=asked)).all_values("chosen", feature.name)
    assert free.sum() == 30
    assert bound.sum() == 0


def test_near_variants_are_one_row_with_their_own_counts():
    rng = np.random.default_rng(5)
    late = plant(texts(rng, 500), "here's a comprehensive", 0.08, rng, where="middle")
    late = plant(late, "Here is a comprehensive", 0.06, rng, where="middle")
    table = pairs(late, texts(rng, 500))
    features = [f for f in mined(table) if "comprehensive" in f.name]
    assert len(features) == 1
    [feature] = count_variants(measure(features, pairs=table), pairs=table, responses=None).features
    variants = {row["phrase"]: row["chosen"] for row in feature.details["variants"]}
    # A planting may fall into the middle of an earlier one, so a few of the 40 are cut in two.
    assert 35 <= variants["here's a comprehensive"] <= 40
    assert variants["here is a comprehensive"] == 30


def test_stages_are_compared_in_order_and_on_shared_prompts():
    rng = np.random.default_rng(6)
    stages = {name: texts(rng, 400) for name in ("base", "sft", "rl")}
    stages["rl"] = plant(stages["rl"], "in the grand scheme of things", 0.08, rng, where="middle")
    features = mined(responses(stages))
    assert features[0].name == "“in the grand scheme of things”"
    assert features[0].discovered == "responses"


def test_a_phrase_is_listed_once_though_each_stage_has_a_variant_of_its_own():
    rng = np.random.default_rng(13)
    stages = {name: texts(rng, 400) for name in ("base", "sft", "rl")}
    for name, phrase in (("sft", "as your old friends"), ("rl", "as your old friend")):
        stages[name] = plant(stages[name], phrase, 0.08, rng, where="middle")
    assert len([feature for feature in mined(responses(stages)) if "old friend" in feature.name]) == 1


def test_the_measure_agrees_with_the_highlight():
    """What is counted is what is marked, however it was typed."""
    typed = [
        "It's essential to go.",
        "it’s **essential** to go",
        "It is, essential to",
        "essential too",
        "IT'S ESSENTIAL, TO",
    ]
    rng = np.random.default_rng(7)
    table = pairs(plant(texts(rng, 300), "it's essential to", 0.1, rng, where="middle"), texts(rng, 300))
    feature = next(f for f in mined(table) if "essential" in f.name)
    frame = pl.DataFrame({"prompt": [""] * 5, "response": typed})
    counted = frame.select(x=feature.measure(pl.col("prompt"), pl.col("response")))["x"].to_list()
    marked = [re.search(feature.highlight, text) is not None for text in typed]
    assert counted == marked == [True, True, False, False, True]


def test_order_of_rows_does_not_matter():
    rng = np.random.default_rng(8)
    late, early = plant(texts(rng, 300), "mark my words", 0.08, rng, where="middle"), texts(rng, 300)
    order = rng.permutation(300)
    shuffled = pairs([late[i] for i in order], [early[i] for i in order], groups=[f"g{i}" for i in order])
    assert sorted(names(pairs(late, early))) == sorted(names(shuffled))


def test_a_slot_matches_inside_a_sentence_only():
    frame = pl.DataFrame({"t": ["It's not fear, it's hope.", "It's not fear. So it's hope.", "It's not it's"]})
    found = frame.select(x=contains(canonical(pl.col("t")), ("it's", "not", "…", "it's")))["x"].to_list()
    assert found == [True, False, False]


def test_stems_meet():
    assert stem(("it's", "essential")) == stem(("it", "is", "essential"))
    assert stem(("this", "helps")) == stem(("this", "helped"))
    assert stem(("不", "是")) != stem(("是", "不"))
