"""The parts of the report: numbers, ranking, trace, plots, details, excerpts."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import sample
from hypothesis import given
from hypothesis import strategies as st

from dehusk.core.findings import Estimate, Finding
from dehusk.core.messages import say
from dehusk.report import wording
from dehusk.report.charts import FOREST_ROWS, axis, forests, stage_chart
from dehusk.report.details import details_of
from dehusk.report.excerpts import segments
from dehusk.report.story import advised, by_stage, ranked, subject, three_sentences, worth_reading
from dehusk.report.trace_view import trace_view

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)


def finding(feature="a", verdict="warn", value=0.1, **parts):
    parts = {"probe": "data.association", "stage": "data", "sentence": say("core.no_reason"), **parts}
    unit = parts.pop("unit", "win-rate shift")
    return Finding(feature=feature, verdict=verdict, estimate=sample.estimate(value, unit=unit), **parts)


@pytest.mark.parametrize(
    "value, unit, signed, shown",
    [
        (0.155, "win-rate shift", None, "+15.5 pp"),
        (-0.155, "share of pairs", True, "−15.5 pp"),
        (0.5, "share of pairs", None, "50.0%"),
        (0.0, "share", True, "0.0 pp"),
        (0.0004, "share", None, "0.04%"),
        (1_234.56, "characters", None, "1,235"),
        (0.91234, "AUC", None, "0.91"),
        (-0.3, "SD", None, "−0.30"),
        (0.00001, "reward", None, "1.0e-05"),
        (math.inf, "log odds", None, "+∞"),
        (math.nan, "share", None, "—"),
        (None, "share", None, "—"),
    ],
)
def test_numbers(value, unit, signed, shown):
    assert wording.number(value, unit, signed=signed) == shown


def test_chances_never_say_zero():
    assert wording.chance("q", 1e-300).replace("\u00a0", " ") == "q < 0.001"
    assert wording.chance("p", None) == ""


@given(st.text())
def test_visible_text_can_be_written_and_hides_nothing(text):
    shown = wording.visible(text)
    shown.encode()
    assert not any(ord(one) < 0x20 and one not in "\n\t" for one in shown)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_ranking_goes_by_verdict_then_declaration_then_strength():
    weak, strong, declared = finding("weak", value=0.03), finding("strong"), finding("declared", intent="unwanted")
    failed, passed = finding("failed", "fail", 0.01), finding("passed", "pass", 0.9)
    order = [one.feature for one in ranked([passed, weak, strong, declared, failed])]
    assert order == ["failed", "declared", "strong", "weak", "passed"]


def test_a_share_near_one_half_is_weak():
    even, odd = finding("even", value=0.51, unit="share of pairs"), finding("odd", value=0.3, unit="share of pairs")
    assert [one.feature for one in ranked([even, odd])] == ["odd", "even"]


def test_three_sentences_tell_of_two_stages(rich, empty):
    head, first, second = three_sentences(rich)
    assert (head.values["fail"], head.values["findings"]) == (2, len(rich.findings))
    assert {first.key, second.key} == {"sample.chosen", "sample.grew"}
    assert [text.key for text in three_sentences(empty)] == ["report.headline.nothing"]


def test_a_clean_audit_is_calm_and_mentions_what_informs(rich):
    calm = replace(rich, findings=(finding("x", "pass"), finding("y", "inform")))
    assert [text.key for text in three_sentences(calm)] == ["report.headline.calm", "core.no_reason"]
    assert [one.feature for one in worth_reading(calm, 5)] == ["y"]


def test_advice_is_given_once():
    first, second, other = (
        finding(name, remedy=say("sample.rebalance", feature=about)) for name, about in ("ax", "bx", "cy")
    )
    assert [remedy is not None for _, remedy in advised([first, second, other])] == [True, False, True]


def test_stages_come_in_the_order_of_the_pipeline():
    found = [finding(stage=stage, probe=f"{stage}.x") for stage in ("mine", "policy", "data")]
    assert list(by_stage(found)) == ["data", "policy", "mine"]


def test_subject_names_the_part_of_the_data():
    assert subject(finding(details={"part": {"column": "source", "level": "hh"}}), "en") == "a · hh"
    assert subject(finding(details={"subset": "hh"}), "en") == "a · hh"
    assert subject(finding(None, probe="data.hygiene"), "en") == "Rows that should not be trained on"


def test_trace_cells_hold_an_estimate_or_a_reason(rich):
    view = trace_view(rich.trace, "en", 100)
    assert [(column.stage, column.reading) for column in view.columns] == [
        ("data", "raw"),
        ("data", "equal_length"),
        ("reward_model", None),
        ("selection", None),
        ("forecast", None),
        ("policy", "raw"),
        ("policy", "equal_length"),
    ]
    assert len(view.lines) == view.total == 60
    for line in view.lines:
        assert all((cell.estimate is None) == (1 <= cell.note <= len(view.notes)) for cell in line.cells)
    assert len(set(view.notes)) == len(view.notes) == 2
    assert len(trace_view(rich.trace, "en", 7).lines) == 7


@given(st.lists(NUMBERS, max_size=8))
def test_axes_hold_their_values_and_have_ticks(values):
    scale = axis(values)
    assert all(0 <= scale.at(value) <= 100 for value in values)
    assert 2 <= len(scale.ticks) <= 8
    assert all(0 <= at <= 100 for at, _ in scale.ticks)
    assert sorted(scale.ticks) == list(scale.ticks)


def test_forests_keep_units_apart_and_draw_second_readings():
    shift = [finding(name, value=value, details={"adjusted": sample.estimate(value / 2, unit="win-rate shift")})
             for name, value in (("a", 0.1), ("b", -0.2))]  # fmt: skip
    rest = [finding("c", unit="AUC", value=0.7), finding("d", unit="AUC", value=0.6), finding("e", unit="lines")]
    first, second = forests([*shift, *rest])
    assert (first.unit, first.reference, first.second) == ("win-rate shift", 0.0, "adjusted")
    assert [row.finding.feature for row in first.rows] == ["a", "b"]
    assert first.rows[0].mark.at > first.rows[0].second_mark.at > first.axis.at(0.0) > first.rows[1].mark.at
    assert (second.unit, second.reference, second.second) == ("AUC", 0.5, None)


def test_forests_are_bounded_and_total():
    many = [finding(str(place), value=place / 100) for place in range(FOREST_ROWS + 5)]
    (plot,) = forests(many)
    assert (len(plot.rows), plot.left_out) == (FOREST_ROWS, 5)
    odd = [Estimate(value, low, high, 3, "SD", "m") for value, low, high in
           ((0.0, -math.inf, math.inf), (0.0, None, None), (math.nan, 0, 0), (1e300, -1e300, 1e308))]  # fmt: skip
    for estimates in ([odd[0], odd[1]], odd):
        for plot in forests([replace(finding(), estimate=one) for one in estimates]):
            assert all(0 <= at <= 100 for row in plot.rows for at in (row.mark.at, row.mark.low, row.mark.high))


def test_one_endless_interval_does_not_squeeze_the_others():
    wide = Estimate(0.1, -50.0, 50.0, 3, "SD", "m")
    found = [finding(str(value), value=value, unit="SD") for value in (0.1, 0.2, 0.3, 0.4)]
    (plot,) = forests([*found, replace(found[0], estimate=wide)])
    marks = [row.mark.at for row in plot.rows]
    assert max(marks) - min(marks) > 15
    assert any((row.mark.low, row.mark.high) < (10, 100) and row.mark.high > 90 for row in plot.rows)


def test_a_stage_chart_goes_up_when_the_rate_does():
    points = details_of(sample.rich().findings[8], "en").stages
    chart = stage_chart(points)
    assert [dot.point.stage for dot in chart.dots] == ["base", "sft", "rl"]
    assert chart.dots[0].y > chart.dots[1].y > chart.dots[2].y
    assert chart.dots[0].x < chart.dots[1].x < chart.dots[2].x
    assert stage_chart(points[:1]) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(sample.estimate(0.1)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(["stages", "terms", "subset", "part", "length_matched", "adjusted", "counts", "mine"])
STAGE = st.fixed_dictionaries({"stage": st.text()}, optional={"rate": JSON, "mean": JSON, "low": JSON})


@given(st.dictionaries(KEYS, JSON | st.lists(STAGE, max_size=3), max_size=4))
def test_no_shape_of_details_is_an_error(details):
    one = finding(details=details)
    shown = details_of(one, "zh")
    stage_chart(shown.stages)
    forests([one, one])
    subject(one, "zh")
    told = [*shown.first.values, *shown.rest.values]
    assert all(isinstance(value, str) for _, values in told for value in values)


def test_details_are_sorted_into_what_can_be_drawn():
    shown = details_of(sample.rich().findings[0], "en")
    assert [name for name, _ in shown.first.estimates] == ["others held"]
    assert [name for name, _ in shown.rest.estimates] == ["standardised difference"]
    assert [(sheet.name, sheet.columns) for sheet in shown.sheets] == [
        ("by part of the data", ("column", "part", "estimate"))
    ]
    assert dict(shown.rest.values)["counts"] == (
        "chosen has more: 9,000",
        "rejected has more: 4,000",
        "both the same: 7,000",
    )
    assert dict(shown.rest.values)["no number"] == ("at equal length: no reason given",)


SPANS = st.lists(st.tuples(st.integers(-5, 60), st.integers(-5, 60)), max_size=6)


@given(st.text(max_size=50), SPANS)
def test_segments_are_the_text_with_exactly_the_spans_marked(text, spans):
    parts = segments(text, spans, 100)
    assert "".join(part.text for part in parts) == text
    marks = [part.marked for part in parts for _ in part.text]
    assert marks == [any(low <= place < high for low, high in spans) for place in range(len(text))]


@given(st.text(min_size=30, max_size=200, alphabet="ab "), st.integers(0, 190), st.integers(5, 40))
def test_cut_segments_keep_the_first_span(text, start, longest):
    low = min(start, len(text) - 2)
    parts = segments(text, [(low, low + 2)], longest)
    assert "".join(part.text for part in parts if part.marked) == text[low : low + 2]
    assert sum(len(part.text) for part in parts) <= longest + 2
