"""An audit in the terminal: what to know before opening the page."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dehusk.core.findings import Audit, Finding
from dehusk.core.messages import Text as Message
from dehusk.core.messages import label, say
from dehusk.report.story import advised, not_given, skipped_by_need, subject, three_sentences, worth_reading
from dehusk.report.trace_view import EQUAL, RAW, TraceCell, TraceView, trace_view
from dehusk.report.wording import ABSENT, chance, decided, interval, is_change, number, one_line, probe_title, word

_ROWS = 15
_FINDINGS = 8
_ROOMY = 3  # stages beside which there is room for a second reading
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
        absent = not_given(audit.skipped)
        parts += [_indented(Text(one_line(absent.render(lang))))] if absent else []
        for needs, probes in skipped_by_need(one for one in audit.skipped if one.needs.key != "core.not_given"):
            titles = t("items").join(one_line(probe_title(name, lang)) for name in probes)
            parts.append(_indented(Text.assemble((one_line(needs.render(lang)), "bold"), "  ", titles)))
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
    """One column a stage that has numbers; with few of them, what is left at equal length stands beside each."""
    stages = list(dict.fromkeys(column.stage for column in view.numbered))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column(say("report.trace.feature").render(lang), overflow="fold", min_width=12)
    at_equal_length = say("report.terminal.at_equal_length").render(lang) if len(stages) <= _ROOMY else ""
    for stage in stages:
        head = word("column", stage, lang)
        table.add_column(f"{head}\n{at_equal_length}" if at_equal_length else head, justify="right", overflow="fold")
    table.add_column(say("report.trace.verdict").render(lang), no_wrap=True)
    for line in view.lines:
        found = {(column.stage, column.reading): cell for column, cell in zip(view.columns, line.cells, strict=True)}
        cells = [_cell(found, stage, second=bool(at_equal_length)) for stage in stages]
        verdict = Text(word("verdict", line.row.verdict, lang), style=_STYLES[line.row.verdict])
        table.add_row(Text(one_line(label(line.row.feature, lang), 60)), *cells, verdict)
    return table


def _cell(found: Mapping[tuple[str, str | None], TraceCell], stage: str, *, second: bool) -> Text:
    """The raw number, dim where its interval holds "nothing", and in brackets the one at equal length."""
    raw = found.get((stage, RAW))
    if raw is None or raw.estimate is None:
        return Text(ABSENT, style="dim")
    said = Text(_number(raw), style=_weight(raw), no_wrap=True)
    other = found.get((stage, EQUAL))
    if second and other is not None and other.estimate is not None:
        said.append(f" ({_number(other).removesuffix(' pp').removesuffix('%')})", style=_weight(other))
    return said


def _number(cell: TraceCell) -> str:
    return number(cell.estimate.value, cell.estimate.unit, signed=cell.signed) if cell.estimate else ABSENT


def _weight(cell: TraceCell) -> str:
    return "" if cell.estimate and decided(cell.estimate, signed=cell.signed) else "dim"
