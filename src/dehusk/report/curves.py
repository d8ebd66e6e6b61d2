"""Curves with their bands: numbers in, positions in a box of 100 by 100 out; the markup is in `page/macros.html.j2`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dehusk.core.findings import Curve
from dehusk.report.charts import Axis, axis
from dehusk.report.wording import finite

MOST_POINTS = 120  # of one curve; a longer one is thinned
MOST_LINES = 4  # in one chart; what comes later has a chart of its own
Point = tuple[float, float, float | None, float | None]  # x, value, low, high
DOUBLING = frozenset({"n"})  # axes on which each doubling takes the same room


@dataclass(frozen=True)
class CurveLine:
    """One curve: `path` joins its points, `band` goes round its interval; positions as SVG lists of points."""

    name: str
    path: str
    band: str
    last: float  # value at the end


@dataclass(frozen=True)
class CurveChart:
    """Curves of one axis and unit; ticks are (position in per cent, value)."""

    axis: str
    unit: str
    lines: tuple[CurveLine, ...]
    x_ticks: tuple[tuple[float, float], ...]
    y_ticks: tuple[tuple[float, float], ...]


def curve_charts(curves: Sequence[Curve]) -> tuple[CurveChart, ...]:
    """One chart an axis and unit, at most `MOST_LINES` curves in each; a curve of one point is none."""
    together: dict[tuple[str, str], list[Curve]] = {}
    for curve in curves:
        if sum(finite(value) is not None for value in curve.value) > 1:
            together.setdefault((curve.axis, curve.unit), []).append(curve)
    return tuple(
        _chart(group[start : start + MOST_LINES])
        for group in together.values()
        for start in range(0, len(group), MOST_LINES)
    )


def _chart(curves: Sequence[Curve]) -> CurveChart:
    first, points = curves[0], [_points(curve) for curve in curves]
    place: Callable[[float], float] = math.log2 if first.axis in DOUBLING else float
    across = axis([place(x) for row in points for x, *_ in row])
    shown = [end for row in points for _, *values in row for end in values if end is not None]
    up = axis(shown, 4)
    lines = tuple(_line(curve.name, row, across, up, place) for curve, row in zip(curves, points, strict=True))
    if first.axis in DOUBLING:
        marks = sorted({x for row in points for x, *_ in row if math.log2(x).is_integer()})
        x_ticks = tuple((across.at(math.log2(x)), x) for x in marks)
    else:
        x_ticks = across.ticks
    return CurveChart(first.axis, first.unit, lines, x_ticks, tuple((100 - at, value) for at, value in up.ticks))


def _points(curve: Curve) -> list[Point]:
    """(x, value, low, high) of the points that are numbers, evenly thinned; the last one is kept."""
    rows = [
        (float(x), float(value), finite(low), finite(high))
        for x, value, low, high in zip(curve.x, curve.value, curve.low, curve.high, strict=True)
        if finite(value) is not None and finite(x) is not None and (x > 0 or curve.axis not in DOUBLING)
    ]
    step = max(1, math.ceil(len(rows) / MOST_POINTS))
    return rows[::-step][::-1] if step > 1 else rows


def _line(name: str, rows: list[Point], across: Axis, up: Axis, place: Callable[[float], float]) -> CurveLine:
    def at(x: float, y: float) -> str:
        return f"{across.at(place(x)):g},{round(100 - up.at(y), 2):g}"

    ends = [(x, low, high) for x, _, low, high in rows if low is not None and high is not None]
    band = [at(x, high) for x, _, high in ends] + [at(x, low) for x, low, _ in reversed(ends)]
    return CurveLine(name, " ".join(at(x, value) for x, value, *_ in rows), " ".join(band), rows[-1][1])
