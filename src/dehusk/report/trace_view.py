"""The trace as a table: which columns it has, what stands in each cell, and why a cell is empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dehusk.core.findings import STAGES, VERDICTS, Estimate, TraceRow
from dehusk.core.messages import Text, say
from dehusk.report.wording import reference_of

# A trace has room for two readings a stage; the others are told with the finding.
RAW, EQUAL = "raw", "equal_length"
_EQUAL = ("length_matched", "net_of_length", "length_conditional")  # what each probe calls it


@dataclass(frozen=True)
class TraceColumn:
    """One reading of one stage; `reading` is None where no row has any number."""

    stage: str
    reading: str | None


@dataclass(frozen=True)
class TraceCell:
    """An estimate, or the number of the footnote that says why there is none."""

    estimate: Estimate | None
    note: int = 0

    @property
    def signed(self) -> bool:
        """Whether the estimate is a difference; a share that is compared with one half is not."""
        return self.estimate is not None and reference_of(self.estimate.unit) != 0.5


@dataclass(frozen=True)
class TraceLine:
    """One feature and its cells, one a column."""

    row: TraceRow
    cells: tuple[TraceCell, ...]


@dataclass(frozen=True)
class TraceView:
    """Everything the trace table shows; `notes` are numbered from 1 in order."""

    columns: tuple[TraceColumn, ...]
    lines: tuple[TraceLine, ...]
    notes: tuple[str, ...]
    total: int  # rows of the trace, of which `lines` shows the first

    @property
    def numbered(self) -> tuple[TraceColumn, ...]:
        """The columns that hold at least one number."""
        return tuple(column for column in self.columns if column.reading)


def trace_view(trace: tuple[TraceRow, ...], lang: str, most: int) -> TraceView:
    """Lay out at most `most` rows, the most serious verdicts first and otherwise in the order of the audit."""
    ordered = sorted(trace, key=lambda row: -VERDICTS.index(row.verdict))[:most]
    columns = tuple(TraceColumn(stage, reading) for stage in STAGES for reading in _readings(trace, stage) or (None,))
    notes: dict[str, int] = {}
    lines = tuple(TraceLine(row, tuple(_cell(row, column, notes, lang) for column in columns)) for row in ordered)
    return TraceView(columns, lines, tuple(notes), len(trace))


def _readings(trace: tuple[TraceRow, ...], stage: str) -> tuple[str, ...]:
    found = {name for row in trace if isinstance(cell := row.cells.get(stage), Mapping) for name in cell}
    return ((RAW,) if found else ()) + ((EQUAL,) if found.intersection(_EQUAL) else ())


def _cell(row: TraceRow, column: TraceColumn, notes: dict[str, int], lang: str) -> TraceCell:
    cell = row.cells.get(column.stage)
    names = _EQUAL if column.reading == EQUAL else (RAW,)
    known = next((cell[name] for name in names if name in cell), None) if isinstance(cell, Mapping) else None
    if known is not None and column.reading is not None:
        return TraceCell(known)
    why = cell if isinstance(cell, Text) else say("report.trace.not_measured")
    return TraceCell(None, notes.setdefault(why.render(lang), len(notes) + 1))
