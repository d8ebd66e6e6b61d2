"""Geometry of the plots: numbers in, positions out; the markup is in `page/macros.html.j2`.

Horizontal positions are per cent of the plot's width, so a plot is as wide as its reader's screen and its text keeps
its size; vertical positions are pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dehusk.core.findings import Estimate, Finding
from dehusk.report.details import StagePoint, second_reading
from dehusk.report.wording import finite, is_change, reference_of

FOREST_ROWS = 24
SECOND = (
    "length_matched",
    "length_conditional",
    "net_of_length",
    "adjusted",
)  # readings that may be drawn beside the first
CHART_TOP, CHART_BOTTOM = 18.0, 92.0  # pixels between which a stage chart is drawn


@dataclass(frozen=True)
class Axis:
    """A linear scale from data to per cent; `ticks` are (position, value)."""

    low: float
    high: float
    ticks: tuple[tuple[float, float], ...]

    def at(self, value: float) -> float:
        """Position of a value, kept on the plot."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 2)


def axis(values: Iterable[float], parts: int = 6) -> Axis:
    """An axis that holds the values, cut by round ticks into at most about `parts`.

    >>> axis([0.0, 0.2]).ticks
    ((3.7, 0.0), (26.85, 0.05), (50.0, 0.1), (73.15, 0.15), (96.3, 0.2))
    """
    found = list(values) or [0.0]
    low, high = min(found), max(found)
    room = 0.04 * (high - low) or 0.05 * abs(high) or 1.0
    low, high = low - room, high + room
    rough = (high - low) / parts
    size = 10.0 ** math.floor(math.log10(rough))
    step = next((size * times for times in (1, 2, 5) if size * times >= rough), 10 * size)
    bare = Axis(low, high, ())
    first, last = math.ceil(low / step), math.floor(high / step)
    return Axis(low, high, tuple((bare.at(place * step), round(place * step, 12)) for place in range(first, last + 1)))


@dataclass(frozen=True)
class Mark:
    """A point and its interval, in per cent of the plot's width."""

    at: float
    low: float
    high: float


@dataclass(frozen=True)
class ForestRow:
    """One finding on a forest plot: its own estimate and a second reading of it, if there is one."""

    finding: Finding
    estimate: Estimate
    mark: Mark
    second: Estimate | None
    second_mark: Mark | None


@dataclass(frozen=True)
class Forest:
    """Findings that share a unit, on one axis; `reference` is where nothing would be."""

    unit: str
    signed: bool
    axis: Axis
    reference: float | None
    rows: tuple[ForestRow, ...]
    second: str | None  # name of the second reading drawn
    left_out: int


def forests(findings: Sequence[Finding]) -> tuple[Forest, ...]:
    """One plot a unit that has at least two findings; the first `FOREST_ROWS` findings, sorted by value."""
    by_unit: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.estimate is not None and finite(finding.estimate.value) is not None:
            by_unit.setdefault(finding.estimate.unit, []).append(finding)
    return tuple(_forest(unit, found) for unit, found in by_unit.items() if len(found) > 1)


def _forest(unit: str, findings: list[Finding]) -> Forest:
    chosen = findings[:FOREST_ROWS]
    times = {key: sum(second_reading(one, key) is not None for one in chosen) for key in SECOND}
    key = max(SECOND, key=lambda name: times[name])
    drawn = [(one, one.estimate, second_reading(one, key)) for one in chosen if one.estimate is not None]
    drawn.sort(key=lambda row: -row[1].value)
    estimates = [one for _, first, second in drawn for one in (first, second) if one is not None]
    signed = any(is_change(one, unit) for one in findings)
    reference = reference_of(unit, signed=signed)
    scale = axis(_extent(estimates, reference))
    rows = tuple(
        ForestRow(one, first, _mark(first, scale), second, None if second is None else _mark(second, scale))
        for one, first, second in drawn
    )
    return Forest(unit, signed, scale, reference, rows, key if times[key] else None, len(findings) - len(rows))


def _extent(estimates: list[Estimate], reference: float | None) -> list[float]:
    """All points, and the ends of their intervals but for those so far out that they would squeeze the rest."""
    points = [float(one.value) for one in estimates] + ([] if reference is None else [reference])
    ends = [end for one in estimates for end in (finite(one.low), finite(one.high)) if end is not None]
    low, high = min(points), max(points)
    outside = sorted(max(low - end, end - high, 0.0) for end in ends) or [0.0]
    room = max(high - low, 3 * outside[len(outside) // 2])
    return points + [min(high + room, max(low - room, end)) for end in ends]


def _mark(estimate: Estimate, scale: Axis) -> Mark:
    low, high = finite(estimate.low), finite(estimate.high)
    return Mark(
        at=scale.at(estimate.value),
        low=0.0 if low is None else scale.at(low),
        high=100.0 if high is None else scale.at(high),
    )


@dataclass(frozen=True)
class Dot:
    """One stage of a stage chart: `x` in per cent, the rest in pixels from the top."""

    point: StagePoint
    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True)
class StageChart:
    """A feature's rate or mean along the stages; `ticks` are (pixels from the top, value)."""

    dots: tuple[Dot, ...]
    ticks: tuple[tuple[float, float], ...]
    unit: str


def stage_chart(points: Sequence[StagePoint]) -> StageChart | None:
    """Place the stages from left to right; rates and counts start at 0. None without at least two stages."""
    if len(points) < 2:
        return None
    values = [end for point in points for end in (point.value, point.low, point.high) if end is not None]
    if min(values) >= 0 and (points[0].unit or min(values) < 0.5 * max(values)):
        values.append(0.0)
    scale = axis(values, 4)

    def down(value: float) -> float:
        return round(CHART_BOTTOM - (CHART_BOTTOM - CHART_TOP) * scale.at(value) / 100, 1)

    wide = 86 / len(points)  # the left 12 % hold the tick labels
    dots = tuple(
        Dot(
            point,
            x=round(12 + wide * (place + 0.5), 2),
            y=down(point.value),
            low=down(point.value if point.low is None else point.low),
            high=down(point.value if point.high is None else point.high),
        )
        for place, point in enumerate(points)
    )
    return StageChart(dots, tuple((down(value), value) for _, value in scale.ticks), points[0].unit)
