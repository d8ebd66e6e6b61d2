"""Methods side by side: sentences, columns and cells, and the page and Markdown made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from dehusk.core.comparison import Comparison, MethodRow
from dehusk.core.findings import Curve, Estimate
from dehusk.core.messages import Text, label, say
from dehusk.report.charts import Axis, axis
from dehusk.report.curves import MOST_LINES
from dehusk.report.markdown import escaped
from dehusk.report.shell import environment, shell
from dehusk.report.wording import interval, number, one_line

NAME = 80  # characters of a method: one on a phrase has the phrase in its name


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
    names = ", ".join(one_line(row.method, NAME) for row in named)
    if best and comparison.gold:
        return about, start, say("compare.best_gold", methods=names, n=comparison.best_of)
    return about, start, say(f"compare.{'best' if best else 'none' if comparison.paid else 'nothing'}", methods=names)


def columns(comparison: Comparison) -> list[Column]:
    """Headings of the table, in order; of gold only that of the best of 16, the rest has a table of its own."""
    shown = [key for key in comparison.columns if not key.startswith("gold:") or key == comparison.gold]
    return [Column(key, heading(comparison, key)) for key in (*shown, "moved", "grown", "cost", "seconds")]


def gold_columns(comparison: Comparison) -> list[Column]:
    """Headings of the table of gold, n = 1, 2, 4 …; none without gold."""
    keys = [key for key in comparison.columns if key.startswith("gold:")]
    return [Column(key, say("compare.column.best_of", n=int(key.partition(":")[2]))) for key in keys]


def heading(comparison: Comparison, key: str, *, short: bool = False) -> Text:
    """The words over a column; short ones have their line break in them."""
    kind, _, name = key.partition(":")
    word = f"{kind}_at" if name else kind
    values = {"feature": name} if kind in ("coefficient", "lift") else {"name": name}
    values["n"] = str(comparison.best_of)
    return say(f"compare.short.{word}", **values) if short else say(f"compare.column.{word}", **values)


def cell(row: MethodRow, key: str, lang: str) -> Cell:
    """What a row says in a column."""
    if not row.readings:
        return Cell("—")
    if key in ("moved", "grown"):
        return _elsewhere(getattr(row, key), lang, sure=key == "grown" and row.grown_sure)
    if key == "cost":
        parts = [f"{sign}{count:,.0f}" for sign, count in (("−", row.lost), ("+", row.added)) if round(count)]
        return Cell(" ".join(parts) or "0")
    if key == "seconds":
        return Cell(f"{row.seconds:.1f}")
    own, change = row.readings[key], row.against.get(key)
    signed = own.unit != "share of pairs"
    said = "" if change is None or _certain(change) else f"{_value(change)} {interval(change, signed=True)}"
    between = "" if _certain(own) else interval(own, signed=signed)
    return Cell(number(own.value, own.unit, signed=signed), between, said, _sure(change))


def _value(change: Estimate) -> str:
    return number(change.value, change.unit, signed=True)


def _certain(estimate: Estimate) -> bool:
    """Whether it could not have been otherwise, as the best of one is the mean."""
    return estimate.value == estimate.low == estimate.high == 0


def _sure(change: Estimate | None) -> bool:
    return change is not None and change.direction != 0


def _elsewhere(found: tuple[str, Estimate] | None, lang: str, *, sure: bool) -> Cell:
    if found is None:
        return Cell("—")
    feature, change = found
    value = f"{label(feature, lang)} {_value(change)}"
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


def comparison_to_markdown(comparison: Comparison, lang: str = "en") -> str:
    """For a pull request."""
    told = [escaped(text.render(lang)) for text in sentences(comparison)]
    parts = [f"## {escaped(say('compare.title').render(lang))}", *told, _table(comparison, columns(comparison), lang)]
    if gold := gold_columns(comparison):
        title = escaped(say("compare.gold_table").render(lang))
        parts += [f"**{title}**", _table(comparison, gold, lang)]
    rest = [f"- {escaped(text.render(lang))}" for text in (*refusals(comparison), *comparison.notes)]
    return "\n\n".join([*parts, *(["\n".join(rest)] if rest else [])]) + "\n"


def _table(comparison: Comparison, shown: list[Column], lang: str) -> str:
    heads = [say("compare.column.method").render(lang), *(column.head.render(lang) for column in shown)]
    lines = [f"| {' | '.join(map(escaped, heads))} |", f"|---|{'---:|' * len(shown)}"]
    for _, rows in by_kind(comparison):
        for row in rows:
            cells = [cell(row, column.key, lang) for column in shown]
            said = [escaped(f"{one.value} {one.interval}".strip()) for one in cells]
            lines.append(f"| {escaped(row.method)}{' ◆' if row.efficient else ''} | {' | '.join(said)} |")
    return "\n".join(lines)


def comparison_to_html(comparison: Comparison, lang: str = "en") -> str:
    """One self-contained page."""
    return (
        environment()
        .get_template("comparison.html.j2")
        .render(
            comparison=comparison,
            sentences=sentences(comparison),
            columns=columns(comparison),
            gold_columns=gold_columns(comparison),
            kinds=by_kind(comparison),
            cell_of=lambda row, column: cell(row, column.key, lang),
            refusals=refusals(comparison),
            frontier=frontier(comparison),
            curves=gold_curves(comparison),
            c=lambda key: say(f"compare.{key}").render(lang),
            **shell(lang),
        )
    )
