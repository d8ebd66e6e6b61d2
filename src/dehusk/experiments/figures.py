"""Panels of points with their spread, as one SVG file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, ROW, TOP, LEFT = 900, 17, 60, 250
COLOURS = ("#0b6e6e", "#a3560a", "#2a5680", "#9f1f2b", "#5b4b8a")


@dataclass(frozen=True)
class Dot:
    """One value of a panel with its lowest and highest."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Panel:
    """One quantity of every row, on an axis from `low` to `high` with a dashed line at `mark`."""

    title: str
    dots: Sequence[Dot | None]
    low: float
    high: float
    mark: float | None = None


def panels(title: str, rows: Sequence[tuple[str, int]], drawn: Sequence[Panel]) -> str:
    """Rows, each a name and the number of its colour, against panels side by side."""
    height = TOP + ROW * len(rows) + 40
    room = (WIDTH - LEFT) / len(drawn)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif"'
        ' font-size="11"><rect width="100%" height="100%" fill="white"/>',
        f'<text x="10" y="20" font-size="14">{escape(title)}</text>',
    ]
    for at, (name, colour) in enumerate(rows):
        y = TOP + ROW * at
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end" fill="{COLOURS[colour]}">{escape(name)}</text>'
        )
    for place, panel in enumerate(drawn):
        parts += _panel(panel, rows, LEFT + room * place, room - 24, height)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, rows: Sequence[tuple[str, int]], left: float, width: float, height: float) -> list[str]:
    def x(value: float) -> float:
        share = (min(max(value, panel.low), panel.high) - panel.low) / (panel.high - panel.low)
        return round(left + width * share, 1)

    parts = [f'<text x="{left + width / 2:.1f}" y="40" text-anchor="middle">{escape(panel.title)}</text>']
    for value in (panel.low, (panel.low + panel.high) / 2, panel.high):
        parts.append(f'<line x1="{x(value)}" x2="{x(value)}" y1="{TOP - 10}" y2="{height - 34}" stroke="#e4e0d6"/>')
        parts.append(f'<text x="{x(value)}" y="{height - 20}" text-anchor="middle" fill="#666">{value:g}</text>')
    if panel.mark is not None:
        line = f'<line x1="{x(panel.mark)}" x2="{x(panel.mark)}" y1="{TOP - 10}" y2="{height - 34}"'
        parts.append(f'{line} stroke="#999" stroke-dasharray="3 3"/>')
    for at, (dot, (_, colour)) in enumerate(zip(panel.dots, rows, strict=True)):
        if dot is None:
            continue
        y, ink = TOP + ROW * at, COLOURS[colour]
        parts.append(f'<line x1="{x(dot.low)}" x2="{x(dot.high)}" y1="{y}" y2="{y}" stroke="{ink}" stroke-width="2"/>')
        parts.append(f'<circle cx="{x(dot.value)}" cy="{y}" r="3.5" fill="{ink}"/>')
    return parts
