"""Methods side by side in the terminal: as many tables below each other as the columns need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text as Line

from dehusk.core.comparison import Comparison, MethodRow
from dehusk.core.messages import say, visible
from dehusk.report.comparison import by_kind, cell, columns, heading, refusals, sentences
from dehusk.report.wording import one_line

WIDEST = 16  # cells that words may take up in a column; a number is never broken
NAME = 26  # … and a method's name
WIDE = {"grown": 26}  # a feature and a number
GAP = 2
FIRST = ("accuracy", "coefficient:", "grown", "accuracy:", "prompt_gain", "gold:", "lift:", "cost", "seconds")


@dataclass(frozen=True)
class Column:
    """What one column says, from its heading down."""

    head: Line
    cells: tuple[Line, ...]  # one a method
    widest: int = WIDEST
    least: int = 0

    @property
    def width(self) -> int:
        """Cells that it takes up, lines of words wrapped and numbers whole."""
        words = [word for line in self.cells for word in line.plain.split()]
        lines = [line.cell_len for one in (self.head, *self.cells) for line in one.split("\n")]
        return max(self.least, min(self.widest, max(lines)), *map(cell_len, words))


@dataclass(frozen=True)
class ComparisonText:
    """Sentences, tables without intervals, what gave no number; something that rich can print."""

    comparison: Comparison
    lang: str = "en"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay it out for the width that there is."""
        found, lang = self.comparison, self.lang
        yield from (Line(visible(text.render(lang))) for text in sentences(found))
        names = self._names()
        for some in _tables(self._columns(), options.max_width - names.width):
            yield Line()
            yield self._table([names, *some])
        pool = [say("compare.legend_pool", n=found.best_of)] if found.best_of else []
        told = [say("compare.marks"), say("compare.legend"), *pool, *refusals(found), *found.notes]
        yield Line()
        yield from (Line(visible(text.render(lang)), style="dim") for text in told)

    def _names(self) -> Column:
        """Methods, with room for the words over each kind of them."""
        head = Line(say("compare.column.method").render(self.lang))
        kinds = [cell_len(self._kind(kind).plain) for kind, _ in by_kind(self.comparison)]
        return Column(head, tuple(map(_name, _told(self.comparison))), NAME + 2, max(kinds))

    def _kind(self, kind: str) -> Line:
        return Line(say(f"compare.kind.{kind}").render(self.lang), style="dim")

    def _columns(self) -> list[Column]:
        rows = _told(self.comparison)
        keys = [column.key for column in columns(self.comparison)]
        shown = [key for part in FIRST for key in keys if key == part or (part[-1] == ":" and key.startswith(part))]
        return [
            Column(self._head(key), tuple(_short(row, key, self.lang) for row in rows), WIDE.get(key, WIDEST))
            for key in shown
            if key != "grown" or any(row.grown_sure for row in rows)
        ]

    def _head(self, key: str) -> Line:
        lines = heading(self.comparison, key, short=True).render(self.lang).split("\n")
        return Line("\n".join(one_line(line, 2 * WIDEST) for line in lines))

    def _table(self, shown: Sequence[Column]) -> Table:
        """Methods by kind; the same rows whichever columns there are."""
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_edge=False)
        for at, column in enumerate(shown):
            table.add_column(column.head, justify="right" if at else "left", vertical="bottom", width=column.width)
        at = 0
        for kind, rows in by_kind(self.comparison):
            table.add_row(self._kind(kind))
            for _ in rows:
                table.add_row(*(column.cells[at] for column in shown))
                at += 1
        return table


def comparison_to_text(comparison: Comparison, lang: str = "en") -> ComparisonText:
    """For the terminal."""
    return ComparisonText(comparison, lang)


def _told(comparison: Comparison) -> list[MethodRow]:
    return [row for _, rows in by_kind(comparison) for row in rows]


def _tables(shown: Sequence[Column], room: int) -> list[list[Column]]:
    """Columns in their order; the last one, seconds, is left to the page where it would need a table of its own."""
    all_of_them, few = _packed(shown, room), _packed(shown[:-1], room)
    return few if len(few) < len(all_of_them) else all_of_them


def _packed(shown: Sequence[Column], room: int) -> list[list[Column]]:
    """As many columns in each table as fit, at least one."""
    found: list[list[Column]] = [[]]
    left = room
    for column in shown:
        if found[-1] and left < column.width + GAP:
            found.append([])
            left = room
        found[-1].append(column)
        left -= column.width + GAP
    return found


def _name(row: MethodRow) -> Line:
    return Line(f"{'◆' if row.efficient else ' '} {one_line(row.method, NAME)}")


def _short(row: MethodRow, key: str, lang: str) -> Line:
    """A value; bold where it differs from the plain model's beyond chance. What grew is told only if it surely did."""
    one = cell(row, key, lang)
    if key == "grown" and not row.grown_sure:
        return Line("")
    return Line(one.value, style="bold" if one.sure else "")
