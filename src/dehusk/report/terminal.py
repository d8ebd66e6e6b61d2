"""An audit in the terminal: what to know before opening the page."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dehusk.core.findings import Audit, Finding
from dehusk.core.messages import Text as Message
from dehusk.core.messages import label, say
from dehusk.report.story import advised, subject, three_sentences, worth_reading
from dehusk.report.trace_view import TraceCell, TraceView, trace_view
from dehusk.report.wording import ABSENT, chance, decided, interval, is_change, number, one_line, probe_title, word

_ROWS = 15
_FINDINGS = 8
_STYLES = {"fail": "bold red", "warn": "bold yellow", "inform": "blue", "pass": "green"}


def to_text(audit: Audit, lang: str = "en") -> RenderableType:
    """Three sentences, a compact trace, the top findings with their remedies, and what was skipped.

    Returns:
        Something rich can print; no text of the audit is read as markup or as control codes.
    """

    def t(key: str, **values: int) -> str:
        return say(f"report.{key}", **values).render(lang)

    def title(key: str) -> Text:
        return Text("\n" + t(key), style="bold")

    first, *others = (Text(one_line(sentence.render(lang))) for sentence in three_sentences(audit))
    parts: list[RenderableType] = [first, *others]
    more = "terminal.more" if audit.run.options.get("out") else "terminal.more_unwritten"
    view = trace_view(audit.trace, lang, _ROWS)
    if view.lines:
        parts += [title("trace.title"), _table(view, lang)]
        left = view.total - len(view.lines)
        parts += [Text(t(more, count=left), style="dim")] if left else []
    told = worth_reading(audit, _FINDINGS)
    if told:
        parts.append(title("markdown.findings"))
        for finding, remedy in advised(told):
            parts += _finding(finding, remedy, lang)
        left = len(worth_reading(audit, len(audit.findings))) - len(told)
        parts += [Text(t(more, count=left), style="dim")] if left else []
    if audit.skipped:
        parts.append(title("skipped.title"))
        parts += [
            _indented(
                Text.assemble((one_line(probe_title(one.probe, lang)), "bold"), "  ", one_line(one.needs.render(lang)))
            )
            for one in audit.skipped
        ]
    return Group(*parts)


def _finding(finding: Finding, remedy: Message | None, lang: str) -> list[RenderableType]:
    head = Text(word("verdict", finding.verdict, lang), style=_STYLES[finding.verdict])
    head.append(f"  {one_line(subject(finding, lang), 120)}", style="bold")
    if finding.estimate is not None:
        estimate = finding.estimate
        sign = is_change(finding, estimate.unit)
        said = f"{number(estimate.value, estimate.unit, signed=sign)} {interval(estimate, signed=sign)}"
        head.append(f"  {said} n={estimate.n:,}", style="cyan")
        head.append(f" {chance('q', finding.q)}", style="dim")
    lines = [Text(one_line(finding.sentence.render(lang)))]
    if remedy is not None:
        lead = say("report.finding.remedy").render(lang)
        lines.append(Text.assemble((lead, "bold"), " ", one_line(remedy.render(lang))))
    return [_indented(head), *(_indented(line, 4) for line in lines)]


def _indented(line: Text, by: int = 2) -> RenderableType:
    return Padding(line, (0, 0, 0, by), expand=False)


def _table(view: TraceView, lang: str) -> RenderableType:

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column(say("report.trace.feature").render(lang), overflow="fold", min_width=12)
    for column in view.numbered:
        reading = word("detail", column.reading or "", lang)
        table.add_column(f"{word('stage', column.stage, lang)}\n{reading}", justify="right")
    table.add_column(say("report.trace.verdict").render(lang), no_wrap=True)
    for line in view.lines:
        cells = (_cell(cell) for cell, column in zip(line.cells, view.columns, strict=True) if column.reading)
        verdict = Text(word("verdict", line.row.verdict, lang), style=_STYLES[line.row.verdict])
        table.add_row(Text(one_line(label(line.row.feature, lang), 60)), *cells, verdict)
    return table


def _cell(cell: TraceCell) -> Text:

    estimate = cell.estimate
    if estimate is None:
        return Text(ABSENT, style="dim")
    said = number(estimate.value, estimate.unit, signed=cell.signed)
    return Text(said, style="" if decided(estimate, signed=cell.signed) else "dim", no_wrap=True)
