"""`data.hygiene`: counts, limits, sides, endings."""

import pytest
from factories import make_checks, make_pairs

from dehusk.probes.data.hygiene import LIMITS, hygiene


def run(pairs, rows=()):
    """Findings by key of their sentence."""
    return {
        finding.sentence.key.removeprefix("data.hygiene."): finding for finding in hygiene(pairs, make_checks(rows))
    }


def noticed(check, count, side="pair", kept=True):
    """Lines about the first rows of a file."""
    return [(row, check, side, kept) for row in range(1, count + 1)]


def test_nothing_noticed_is_said():
    found = run(make_pairs(100))
    assert list(found) == ["clean"]
    assert found["clean"].verdict == "pass"


@pytest.mark.parametrize(
    ("check", "count", "verdict"),
    [
        ("identical", 5, "inform"),
        ("identical", 30, "warn"),
        ("near_identical", 150, "fail"),
        ("contradictory", 3, "warn"),
        ("contradictory", 10, "fail"),
        ("empty", 20, "warn"),
        ("truncated", 30, "inform"),
        ("role_marker", 6, "warn"),
        ("mixed_encoding", 4, "inform"),
        ("tie", 500, "inform"),
        ("some_new_check", 10, "inform"),
    ],
)
def test_limits(check, count, verdict):
    (finding,) = run(make_pairs(1000), noticed(check, count)).values()
    assert finding.verdict == verdict
    assert finding.estimate.value == pytest.approx(count / 1000)
    assert finding.estimate.low < count / 1000 < finding.estimate.high
    assert finding.details["rows"] == list(range(1, min(count, 10) + 1))
    assert (finding.remedy is not None) == (verdict in ("warn", "fail"))
    for lang in ("en", "zh"):
        assert f"{count:,}" in finding.sentence.render(lang)


def test_identical_and_nearly_identical_are_counted_together_and_once():
    rows = [*noticed("identical", 10, kept=False), *noticed("near_identical", 15)]
    (finding,) = run(make_pairs(1000), rows).values()
    assert finding.sentence.values["count"] == 15
    assert finding.sentence.values["dropped"] == 10
    assert finding.details["reasons"] == {"identical": 10, "near_identical": 15}


def test_rows_that_were_dropped_are_part_of_the_file():
    rows = [(row, "empty", "rejected", False) for row in range(101, 151)]
    found = run(make_pairs(100), rows)
    assert found["empty"].sentence.values["rows"] == 150
    assert found["empty"].sentence.values["dropped"] == 50


def test_a_defect_of_one_side_is_a_label_in_disguise():
    rows = [*noticed("truncated", 40, "rejected"), *noticed("truncated", 10, "chosen")]
    found = run(make_pairs(1000), rows)
    assert found["one_sided"].verdict == "warn"
    assert found["one_sided"].sentence.values["rejected"] == pytest.approx(0.04)
    assert "one_sided" not in run(
        make_pairs(1000), [*noticed("truncated", 40, "rejected"), *noticed("truncated", 30, "chosen")]
    )


@pytest.mark.parametrize(("end", "key"), [("</s>", "end_mark"), ("<|im_end|>\n", "end_mark"), ("  ", "trailing_space")])
def test_endings_that_differ_by_side(end, key):
    ends = [f"Fine.{end}" if row < 30 else "Fine." for row in range(100)]
    finding = run(make_pairs(100, chosen=ends, rejected=["Good."] * 100))[key]
    assert (finding.verdict, finding.estimate.value) == ("warn", pytest.approx(0.3))
    assert key not in run(make_pairs(100, chosen=ends, rejected=ends))


def test_few_prompts_are_said():
    assert run(make_pairs(100, groups=[row % 10 for row in range(100)]))["few_prompts"].verdict == "warn"


def test_every_check_has_words_in_both_languages():
    for check in LIMITS:
        for finding in run(make_pairs(100), noticed("identical" if check == "equal" else check, 40, "chosen")).values():
            for lang in ("en", "zh"):
                assert finding.sentence.render(lang)
                assert finding.remedy is None or finding.remedy.render(lang)
