"""`policy.diversity`: words, repetition, openings and formats of each stage."""

import numpy as np
import polars as pl
import pytest
from stage_tables import responses

from dehusk.core.errors import NotEnoughData
from dehusk.probes.policy.diversity import diversity
from dehusk.probes.policy.variety import _format, _ngrams

VOCABULARY = np.array([f"w{i}" for i in range(2000)])


def answers(rng, g, *, vocabulary=2000, mean=80, opening=0.0, bullets=0.2, repeat=0.0):
    """Random answers: from a vocabulary of some size, with a stock opening, lists, or a loop at the end."""
    found = []
    for _ in range(g):
        words = rng.choice(VOCABULARY[:vocabulary], max(30, int(rng.normal(mean, 15))))
        text = " ".join(words)
        if rng.random() < opening:
            text = "Great question! Indeed, " + text
        if rng.random() < bullets:
            text = "- " + text
        if rng.random() < repeat:
            text += " and so it goes on" * 12
        found.append(text)
    return found


def run(earlier, later, seed=0, **options):
    """Findings by the measure they are about."""
    g = len(earlier)
    table = responses(["sft"] * g + ["rl"] * g, list(range(g)) * 2, earlier + later, stages=("sft", "rl"))
    found = diversity(table, np.random.default_rng(seed), **options)
    return {finding.details["measure"]: finding for finding in found}


def test_all_six_are_measured_and_told():
    rng = np.random.default_rng(0)
    found = run(answers(rng, 60), answers(rng, 60))
    assert list(found) == [
        "distinct_1", "distinct_2", "distinct_3", "self_repetition", "common_openings", "format_entropy",
    ]  # fmt: skip
    for finding in found.values():
        assert finding.sentence.render("en") != finding.sentence.render("zh")
        assert [row["stage"] for row in finding.details["stages"]] == ["sft", "rl"]


def test_without_an_effect_few_runs_find_one():
    rng = np.random.default_rng(1)
    runs = [run(answers(rng, 40, opening=0.3), answers(rng, 40, opening=0.3), seed) for seed in range(60)]
    wrong = [any(finding.verdict != "pass" for finding in found.values()) for found in runs]
    assert np.mean(wrong) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 60)


def test_a_longer_stage_is_not_less_distinct_for_being_longer():
    rng = np.random.default_rng(2)
    found = run(answers(rng, 150, mean=60), answers(rng, 150, mean=180))
    for n in (1, 2, 3):
        assert found[f"distinct_{n}"].verdict == "pass"
    stages = found["distinct_1"].details["stages"]
    assert stages[0]["rate"] == pytest.approx(stages[1]["rate"], abs=0.02)


def test_a_smaller_vocabulary_is_less_distinct():
    rng = np.random.default_rng(3)
    found = run(answers(rng, 100), answers(rng, 100, vocabulary=300))
    assert found["distinct_1"].sentence.key == "policy.diversity_fell"
    assert found["distinct_1"].estimate.high < 0


def test_a_stock_opening_is_found_and_covered_by_its_interval():
    rng = np.random.default_rng(4)
    covered = []
    for seed in range(40):
        found = run(answers(rng, 80), answers(rng, 80, opening=0.4), seed)["common_openings"]
        covered.append(found.estimate.low <= 0.4 <= found.estimate.high)
        assert found.verdict == "warn"
    assert np.mean(covered) >= 0.85  # 40 draws of a 95 % interval
    openings = found.details["openings"]
    assert next(iter(openings["rl"])) == "great question indeed"
    assert openings["rl"]["great question indeed"] == pytest.approx(0.4, abs=0.15)


def test_chinese_openings_are_six_characters():
    texts = ["好问题!我们一步步来看看,先说结论。" + character * 30 for character in "甲乙丙丁戊己庚辛壬癸子丑"]
    plain = [character * 40 for character in "甲乙丙丁戊己庚辛壬癸子丑"]
    found = run(plain, texts)["common_openings"]
    assert found.details["openings"]["rl"] == {"好问题我们一": 1.0}
    assert found.estimate.value == pytest.approx(1)


def test_a_loop_is_repetition_and_a_warning():
    rng = np.random.default_rng(5)
    found = run(answers(rng, 100), answers(rng, 100, repeat=0.5))["self_repetition"]
    assert (found.verdict, found.sentence.key) == ("warn", "policy.diversity_grew")
    assert found.remedy is not None


def test_one_format_for_all_is_less_variety():
    rng = np.random.default_rng(6)
    found = run(answers(rng, 300, bullets=0.5), answers(rng, 300, bullets=0.05))["format_entropy"]
    shares = found.details["formats"]["rl"]
    entropy = -sum(share * np.log2(share) for share in shares.values())
    assert found.details["stages"][1]["mean"] == pytest.approx(entropy)
    assert found.estimate.high < 0


def test_formats_are_named_by_the_first_that_applies():
    texts = {
        "plain": "nothing * here - at all",
        "bold": "so **bold** a claim",
        "list": "First:\n1. one\n2. two **bold**",
        "headers": "# Title\n- item",
        "table": "| a | b |\n|---|---|",
        "code": "# Title\n```python\nx\n```",
    }
    frame = pl.DataFrame({"response": list(texts.values())})
    assert frame.select(_format()).to_series().to_list() == list(texts)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_ngrams_are_those_of_brute_force(n):
    rng = np.random.default_rng(7)
    lists = [rng.choice(list("abc"), rng.integers(0, 12)).tolist() for _ in range(30)]
    frame = pl.DataFrame({"answer": range(30), "words": lists}, schema_overrides={"words": pl.List(pl.String)})
    grams = _ngrams(frame, n)
    for answer, words in enumerate(lists):
        expected = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
        mine = grams.filter(pl.col("answer") == answer)["gram"]
        assert (mine.len(), mine.n_unique()) == (len(expected), len(set(expected)))


def test_order_of_rows_does_not_matter_and_swapping_flips_signs():
    rng = np.random.default_rng(8)
    earlier, later = answers(rng, 50), answers(rng, 50, opening=0.5, bullets=0.6)
    g = 50
    frame = responses(["sft"] * g + ["rl"] * g, list(range(g)) * 2, earlier + later, stages=("sft", "rl"))
    moved = type(frame)(frame.frame.sample(fraction=1, shuffle=True, seed=1), stages=frame.stages)
    swapped = type(frame)(frame.frame, stages=("rl", "sft"))
    first, second, third = (list(diversity(table, np.random.default_rng(0))) for table in (frame, moved, swapped))
    for one, other, flipped in zip(first, second, third, strict=True):
        assert other.estimate.value == pytest.approx(one.estimate.value)
        assert other.estimate.low == pytest.approx(one.estimate.low)
        assert flipped.estimate.value == pytest.approx(-one.estimate.value)


def test_refusals_and_hostile_answers():
    with pytest.raises(NotEnoughData, match="at least 10 prompts"):
        run(["a b c"] * 9, ["a b c"] * 9)
    found = run(["", "\x00", "😀", "—"] * 5, ["x", "", " \n", "<script>"] * 5)
    assert "distinct_1" not in found  # nothing to count is no number
    assert all(np.isfinite(finding.estimate.value) for finding in found.values())
