"""Where curves are drawn: inside the box, in order, thinned but with their last point."""

import math

import pytest

from dehusk.core.findings import Curve
from dehusk.report.curves import MOST_LINES, MOST_POINTS, curve_charts


def curve(x, value, *, axis="dose", unit="SD", name="accuracy", half=0.1):
    return Curve(
        name, axis, unit, tuple(x), tuple(value), tuple(v - half for v in value), tuple(v + half for v in value)
    )


def positions(points):
    return [tuple(map(float, point.split(","))) for point in points.split()]


def test_a_rising_curve_rises_from_left_to_right_inside_its_band():
    (chart,) = curve_charts([curve([0, 1, 2, 3], [0.0, 0.2, 0.5, 0.6])])
    (line,) = chart.lines
    path = positions(line.path)
    assert [x for x, _ in path] == sorted(x for x, _ in path)
    assert [y for _, y in path] == sorted((y for _, y in path), reverse=True)  # y grows downwards
    band = positions(line.band)
    assert all(0 <= number <= 100 for point in path + band for number in point)
    for (_, y), (_, top), (_, bottom) in zip(path, band[:4], band[:3:-1], strict=True):
        assert top < y < bottom


def test_axes_that_double_have_ticks_at_powers_of_two_with_equal_room():
    (chart,) = curve_charts([curve([1, 2, 3, 4, 8], [1, 2, 3, 4, 5], axis="n")])
    assert [value for _, value in chart.x_ticks] == [1, 2, 4, 8]
    steps = [after - before for (before, _), (after, _) in zip(chart.x_ticks, chart.x_ticks[1:], strict=False)]
    assert steps == pytest.approx([steps[0]] * 3, abs=0.02)


def test_curves_share_a_chart_by_axis_and_unit_up_to_a_limit():
    alike = [curve([0, 1], [0, 1]) for _ in range(MOST_LINES + 1)]
    charts = curve_charts([*alike, curve([0, 1], [0, 1], unit="share"), curve([0, 1], [0, 1], axis="nats")])
    assert [len(chart.lines) for chart in charts] == [MOST_LINES, 1, 1, 1]


def test_long_curves_are_thinned_and_keep_their_end():
    x = list(range(5_000))
    (chart,) = curve_charts([curve(x, [math.sin(at / 500) for at in x], axis="step")])
    path = positions(chart.lines[0].path)
    assert 2 < len(path) <= MOST_POINTS
    assert chart.lines[0].last == pytest.approx(math.sin(4_999 / 500))


def test_points_that_are_not_numbers_are_left_out_and_one_point_is_no_curve():
    holes = Curve("accuracy", "dose", "SD", (0, 1, 2), (0.1, math.nan, 0.3), (None, None, 0.2), (0.2, None, 0.4))
    (chart,) = curve_charts([holes])
    assert len(positions(chart.lines[0].path)) == 2
    assert len(positions(chart.lines[0].band)) == 2
    assert curve_charts([Curve("a", "dose", "SD", (0.0,), (1.0,), (None,), (None,))]) == ()
