"""`data.separability`: what gives the label away is found, and nothing is found where nothing is."""

import numpy as np
import polars as pl
import pytest
from factories import make_feature, make_measures, make_pairs, needs_real_data, real_pairs, turned

from dehusk.core.errors import NotEnoughData
from dehusk.probes.data.separability import separability
from dehusk.probes.data.terms import bags

WORDS = ["river", "stone", "cloud", "bread", "lamp", "window", "paper", "garden", "metal", "winter", "story", "engine"]
HAN = np.array(list("天地人山水火土木金日月星风云花草树石"))


def texts(rng, n, words=WORDS, joint=" ", size=15):
    """n texts of random words."""
    return [joint.join(rng.choice(words, size)) for _ in range(n)]


def run(pairs, values=None, features=(), seed=0):
    """Findings by reading."""
    measures = make_measures(values or {"constant": (np.zeros(len(pairs)), np.zeros(len(pairs)))}, features)
    return {f.details["reading"]: f for f in separability(pairs, measures, np.random.default_rng(seed))}


def test_random_labels_cannot_be_predicted():
    rng = np.random.default_rng(0)
    values, verdicts = [], []
    for _ in range(30):
        pairs = make_pairs(120, chosen=texts(rng, 120), rejected=texts(rng, 120))
        counts = {f"f{j}": (rng.poisson(2, 120), rng.poisson(2, 120)) for j in range(4)}
        found = run(pairs, counts, seed=1)
        values += [finding.estimate.value for finding in found.values()]
        verdicts += [finding.verdict for finding in found.values()]
    assert np.mean(values) == pytest.approx(0.5, abs=0.03)
    assert verdicts.count("pass") >= len(verdicts) - 1


def test_a_planted_word_is_found_and_named():
    rng = np.random.default_rng(1)
    chosen = [f"{text} essential" if rng.random() < 0.7 else text for text in texts(rng, 300)]
    found = run(make_pairs(300, chosen=chosen, rejected=texts(rng, 300)))["wording"]
    assert found.verdict == "warn"
    assert found.estimate.value == pytest.approx(0.85, abs=0.05)  # 0.7 + 0.3 / 2
    terms = {row["term"]: row for row in found.details["terms"]}
    assert "essential" in terms
    assert terms["essential"]["weight"] > 0
    assert terms["essential"]["chosen"] > 0.6
    assert terms["essential"]["rejected"] == 0
    assert len(found.details["terms"]) <= 20


def test_the_other_side_gets_the_other_sign():
    rng = np.random.default_rng(2)
    rejected = [f"{text} sorry" for text in texts(rng, 200)]
    pairs = make_pairs(200, chosen=texts(rng, 200), rejected=rejected)
    there, back = run(pairs)["wording"], run(turned(pairs))["wording"]
    assert there.estimate.value == pytest.approx(back.estimate.value, abs=0.02)
    for found, sign in ((there, -1), (back, 1)):
        assert next(np.sign(row["weight"]) for row in found.details["terms"] if row["term"] == "sorry") == sign


def test_chinese_terms_are_characters_and_can_be_read():
    rng = np.random.default_rng(3)
    chosen = [f"说到底，{text}。" for text in texts(rng, 200, HAN, "")]
    rejected = [f"{text}。" for text in texts(rng, 200, HAN, "")]
    found = run(make_pairs(200, chosen=chosen, rejected=rejected))
    terms = [row["term"] for row in found["wording"].details["terms"]]
    assert {"说", "说到", "到底", "⊢说"} <= set(terms)
    assert found["saturation"].sentence.key == "data.separability.one_writer"


def test_saturation_is_named_without_any_model_column():
    rng = np.random.default_rng(4)
    chosen = [f"Certainly! {text}" for text in texts(rng, 400)]
    found = run(make_pairs(400, chosen=chosen, rejected=texts(rng, 400)))
    assert found["wording"].verdict == "fail"
    saturation = found["saturation"]
    assert saturation.verdict == "fail"
    assert saturation.sentence.values["pairs"] == 100  # so few pairs are enough
    assert "stronger" in saturation.sentence.render("en")
    assert "更强" in saturation.sentence.render("zh")


def test_saturation_is_named_by_the_model_columns():
    rng = np.random.default_rng(5)
    pairs = make_pairs(
        100, chosen=texts(rng, 100), rejected=texts(rng, 100), chosen_model=["big"] * 100, rejected_model=["mine"] * 100
    )
    found = run(pairs)
    assert found["writers"].verdict == "fail"
    assert found["writers"].estimate.value == 1.0
    values = found["saturation"].sentence.values
    assert (values["winners"], values["losers"], values["share"]) == ("big", "mine", 1.0)
    back = run(turned(pairs))["saturation"].sentence.values
    assert (back["winners"], back["losers"]) == ("mine", "big")


def test_models_that_win_and_lose_alike_give_nothing_away():
    rng = np.random.default_rng(6)
    models = rng.choice(["a", "b", "c"], (200, 2))
    pairs = make_pairs(
        200, chosen=texts(rng, 200), rejected=texts(rng, 200), chosen_model=models[:, 0], rejected_model=models[:, 1]
    )
    found = run(pairs)
    assert found["writers"].verdict == "pass"
    assert "saturation" not in found
    same = make_pairs(
        200, chosen=texts(rng, 200), rejected=texts(rng, 200), chosen_model=["a"] * 200, rejected_model=["a"] * 200
    )
    assert "writers" not in run(same)


def test_features_alone_and_never_mined_ones():
    rng = np.random.default_rng(7)
    pairs = make_pairs(200, chosen=texts(rng, 200), rejected=texts(rng, 200))
    separable = (rng.poisson(3, 200) + 3, rng.poisson(3, 200))
    declared = run(pairs, {"f": separable})["features"]
    assert declared.estimate.value == pytest.approx(np.mean((np.sign(separable[0] - separable[1]) + 1) / 2))
    assert declared.verdict in ("warn", "fail")
    assert "features" not in run(pairs, {"f": separable}, [make_feature("f", discovered="pairs")])


def test_prompts_are_never_in_both_parts():
    rng = np.random.default_rng(8)
    # One secret word a prompt marks the chosen answer: it helps only a model that saw the same prompt.
    secret, plain = (["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 8)) for _ in range(60)] for _ in range(2))
    chosen = [f"{text} {secret[row // 5]}" for row, text in enumerate(texts(rng, 300))]
    rejected = [f"{text} {plain[row % 60]}" for row, text in enumerate(texts(rng, 300))]
    found = run(make_pairs(300, chosen=chosen, rejected=rejected, groups=np.repeat(np.arange(60), 5)))
    assert found["wording"].estimate.value < 0.6
    leaky = run(make_pairs(300, chosen=chosen, rejected=rejected))  # as if every row had a prompt of its own
    assert leaky["wording"].estimate.value > 0.7


def test_same_texts_on_both_sides_are_half_right():
    same = texts(np.random.default_rng(9), 100)
    found = run(make_pairs(100, chosen=same, rejected=same))
    assert "wording" not in found


def test_bags_of_terms_by_hand():
    bag = bags(pl.Series(["A b!", "a b!", "x"]), pl.Series(["b a\n\nb", "b c", ""]), least=2)
    rates = dict(zip(bag.terms, bag.rates().T.tolist(), strict=True))
    assert rates == {
        "a": [2 / 3, 1 / 3],
        "b": [2 / 3, 2 / 3],
        "!": [2 / 3, 0],
        "⊢a": [2 / 3, 0],
        "a b": [2 / 3, 0],
        "b!": [2 / 3, 0],
        "!⊣": [2 / 3, 0],
        "⊢b": [0, 2 / 3],
    }
    assert bag.differences().shape == (3, 8)
    np.testing.assert_allclose(bag.differences()[0, bag.terms.index("!")], 1 / np.sqrt(7))
    assert not bag.differences()[2].any()


@pytest.mark.parametrize("text", ["", " ", "\x00", "😀" * 50, "<script>$\\", "ا" * 30, "a" * 200_000, "กขค", "⊢⊣"])
def test_any_text_can_be_counted(text):
    bag = bags(pl.Series([text, "a b"]), pl.Series(["a b", text]), least=1)
    assert np.isfinite(bag.values).all()


def test_few_prompts_are_refused():
    with pytest.raises(NotEnoughData, match="50 prompts"):
        run(make_pairs(100, groups=np.arange(100) % 10))


@needs_real_data
def test_a_strong_model_against_a_weak_one_is_recognised_with_and_without_the_columns():
    pairs = real_pairs("expo_zephyr_vs_gpt4turbo")
    named = run(pairs)["saturation"].sentence
    assert named.values["winners"] == "gpt4_1106_preview"
    found = run(type(pairs)(pairs.frame.drop("chosen_model", "rejected_model")))
    assert found["wording"].verdict == "fail"
    assert found["saturation"].sentence.key == "data.separability.one_writer"


@needs_real_data
def test_people_judging_one_model_is_not_called_saturated():
    found = run(real_pairs("hh_rlhf_harmless_test"))
    assert 0.55 < found["wording"].estimate.value < 0.70
    assert set(found) == {"wording"}
