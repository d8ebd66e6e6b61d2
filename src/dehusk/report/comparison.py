"""Methods side by side: sentences, columns and cells, and the page, Markdown and terminal table made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text as Line

from dehusk.core.comparison import Comparison, MethodRow
from dehusk.core.findings import Curve, Estimate
from dehusk.core.messages import Text, label, say, visible
from dehusk.report.charts import Axis, axis
from dehusk.report.curves import MOST_LINES
from dehusk.report.markdown import escaped
from dehusk.report.shell import environment, shell
from dehusk.report.wording import interval, number, one_line


@dataclass(frozen=True)
class Column:
    """One column: the reading it shows and its heading."""

    key: str
    head: Text


@dataclass(frozen=True)
class Cell:
    """A value with its interval and, below it, its difference from the plain model."""

    value: str
    interval: str = ""
    change: str = ""
    sure: bool = False  # whether the difference has an interval without 0


def sentences(comparison: Comparison) -> tuple[Text, ...]:
    """What was compared, what the plain model does, and which methods do what was asked."""
    told = [row for row in comparison.rows if row.readings]
    about = say(
        "compare.about",
        methods=len(comparison.rows),
        pairs=comparison.pairs,
        prompts=comparison.prompts,
        splits=comparison.splits,
    )
    plain = comparison.plain
    worst = max(comparison.targets, key=lambda name: abs(plain.readings[f"coefficient:{name}"].value))
    paid = plain.readings[f"coefficient:{worst}"]
    values = {"value": paid.value, "low": paid.low, "high": paid.high, "accuracy": plain.readings["accuracy"].value}
    start = say("compare.plain", feature=worst, **values)
    best = [row for row in told if comparison.clears(row)]
    named = best or [row for row in told if row.efficient]
    key = "compare.best" if best else "compare.none" if comparison.paid else "compare.nothing"
    return about, start, say(key, methods=", ".join(row.method for row in named))


def columns(comparison: Comparison) -> list[Column]:
    """Headings of the table, in order."""
    found = [Column(key, _head(key)) for key in comparison.columns]
    last = [Column(key, say(f"compare.column.{key}")) for key in ("moved", "grown", "cost", "seconds")]
    return [*found, *last]


def _head(key: str) -> Text:
    kind, _, name = key.partition(":")
    if not name:
        return say(f"compare.column.{kind}")
    said = {"feature": name} if kind in ("coefficient", "lift") else {"name": name}
    return say(f"compare.column.{kind}_at", **said)


def cell(row: MethodRow, key: str, lang: str) -> Cell:
    """What a row says in a column."""
    if not row.readings:
        return Cell("—")
    if key in ("moved", "grown"):
        return _elsewhere(getattr(row, key), lang, sure=key == "grown" and row.grown_sure)
    if key == "cost":
        return Cell(f"{row.lost:,.0f}, {row.added:,.0f}")
    if key == "seconds":
        return Cell(f"{row.seconds:.1f}")
    own = row.readings[key]
    change = row.against.get(key)
    said = "" if change is None else f"{number(change.value, change.unit, signed=True)} {interval(change, signed=True)}"
    signed = own.unit != "share of pairs"
    return Cell(number(own.value, own.unit, signed=signed), interval(own, signed=signed), said, _sure(change))


def _sure(change: Estimate | None) -> bool:
    return change is not None and change.direction != 0


def _elsewhere(found: tuple[str, Estimate] | None, lang: str, *, sure: bool) -> Cell:
    if found is None:
        return Cell("—")
    feature, change = found
    value = f"{label(feature, lang)} {number(change.value, change.unit, signed=True)}"
    return Cell(one_line(value, 80), interval(change, signed=True), sure=sure)


def by_kind(comparison: Comparison) -> list[tuple[str, list[MethodRow]]]:
    """Rows that have numbers, by kind in the order they came."""
    told = [row for row in comparison.rows if row.readings]
    return [(kind, list(rows)) for kind, rows in groupby(told, key=lambda row: row.kind)]


def refusals(comparison: Comparison) -> list[Text]:
    """Why the others have none."""
    return [
        say("compare.refused", method=row.method, reason=row.refusal)
        for row in comparison.rows
        if row.refusal is not None
    ]


@dataclass(frozen=True)
class Frontier:
    """Methods as points in per cent of a box; ticks are (position, value)."""

    dots: tuple[tuple[float, float, MethodRow], ...]
    x_ticks: tuple[tuple[float, float], ...]
    y_ticks: tuple[tuple[float, float], ...]


def frontier(comparison: Comparison) -> Frontier | None:
    """Accuracy against the largest coefficient of a target; None without targets."""
    told = [row for row in comparison.rows if row.readings]
    if not told or not comparison.targets:
        return None
    paid = [max(abs(row.readings[f"coefficient:{name}"].value) for name in comparison.targets) for row in told]
    across, up = axis([0.0, *paid]), axis([row.readings["accuracy"].value for row in told], 4)
    dots = tuple(
        (across.at(x), round(100 - up.at(row.readings["accuracy"].value), 2), row)
        for x, row in zip(paid, told, strict=True)
    )
    return Frontier(dots, across.ticks, _upwards(up))


def _upwards(up: Axis) -> tuple[tuple[float, float], ...]:
    return tuple((round(100 - at, 2), value) for at, value in up.ticks)


def gold_curves(comparison: Comparison) -> tuple[Curve, ...]:
    """Gold of the best of n: the plain model and the methods that come out best at the last n."""
    keys = [key for key in comparison.columns if key.startswith("gold:")]
    told = [row for row in comparison.rows if row.readings]
    if not keys or not told:
        return ()
    plain, *others = sorted(told, key=lambda row: (row.kind != "plain", -row.readings[keys[-1]].value))
    return tuple(_curve(row, keys) for row in [plain, *others[: MOST_LINES - 1]])


def _curve(row: MethodRow, keys: Iterable[str]) -> Curve:
    found = [(float(key.partition(":")[2]), row.readings[key]) for key in keys]
    x, value, low, high = zip(*((n, one.value, one.low, one.high) for n, one in found), strict=True)
    return Curve(row.method, "n", "SD", x, value, low, high)


def comparison_to_text(comparison: Comparison, lang: str = "en") -> RenderableType:
    """For the terminal: sentences, a table without intervals, what gave no number."""
    lines = [Line(visible(text.render(lang))) for text in sentences(comparison)]
    table = Table(pad_edge=False, box=None)
    table.add_column(say("compare.column.method").render(lang), no_wrap=True)
    gold = [key for key in comparison.columns if key.startswith("gold:")]
    dull = {"moved", "seconds", *gold[1:-1], *gold[:1]}  # gold of the best of 1 is 0
    shown = [column for column in columns(comparison) if column.key not in dull]
    for column in shown:
        table.add_column(column.head.render(lang), justify="right")
    for kind, rows in by_kind(comparison):
        table.add_section()
        table.add_row(Line(say(f"compare.kind.{kind}").render(lang), style="dim"))
        for row in rows:
            name = Line(f"  {row.method}{' ◆' if row.efficient else ''}")
            table.add_row(name, *(_short(row, column.key, lang) for column in shown))
    told = [say("compare.marks"), *refusals(comparison), *comparison.notes]
    return Group(*lines, table, *(Line(visible(text.render(lang)), style="dim") for text in told))


def _short(row: MethodRow, key: str, lang: str) -> Line:
    """A value; bold where it differs from the plain model's beyond chance. What grew is told only if it surely did."""
    one = cell(row, key, lang)
    if key == "grown" and not row.grown_sure:
        return Line("")
    return Line(one.value, style="bold" if one.sure else "")


def comparison_to_markdown(comparison: Comparison, lang: str = "en") -> str:
    """For a pull request."""
    shown = columns(comparison)
    heads = [say("compare.column.method").render(lang), *(column.head.render(lang) for column in shown)]
    lines = [f"| {' | '.join(map(escaped, heads))} |", f"|---|{'---:|' * len(shown)}"]
    for _, rows in by_kind(comparison):
        for row in rows:
            cells = [cell(row, column.key, lang) for column in shown]
            said = [escaped(f"{one.value} {one.interval}".strip()) for one in cells]
            lines.append(f"| {escaped(row.method)}{' ◆' if row.efficient else ''} | {' | '.join(said)} |")
    told = [escaped(text.render(lang)) for text in sentences(comparison)]
    rest = [f"- {escaped(text.render(lang))}" for text in (*refusals(comparison), *comparison.notes)]
    parts = [f"## {escaped(say('compare.title').render(lang))}", *told, "\n".join(lines)]
    return "\n\n".join([*parts, *(["\n".join(rest)] if rest else [])]) + "\n"


def comparison_to_html(comparison: Comparison, lang: str = "en") -> str:
    """One self-contained page."""
    shown = columns(comparison)
    return (
        environment()
        .get_template("comparison.html.j2")
        .render(
            comparison=comparison,
            sentences=sentences(comparison),
            columns=shown,
            kinds=by_kind(comparison),
            cell_of=lambda row, column: cell(row, column.key, lang),
            refusals=refusals(comparison),
            frontier=frontier(comparison),
            curves=gold_curves(comparison),
            c=lambda key: say(f"compare.{key}").render(lang),
            **shell(lang),
        )
    )
