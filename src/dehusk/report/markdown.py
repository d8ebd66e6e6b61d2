"""An audit as Markdown: the summary to put in a pull request."""

from __future__ import annotations

from dehusk.core.findings import Audit, Finding
from dehusk.core.markdown import escaped
from dehusk.core.messages import Text, label, say
from dehusk.report.story import advised, skipped_by_need, subject, three_sentences, worth_reading
from dehusk.report.trace_view import TraceCell, TraceView, trace_view
from dehusk.report.wording import ABSENT, chance, interval, is_change, number, one_line, probe_title, word

__all__ = ["audit_to_markdown", "escaped"]

_ROWS = 25
_FINDINGS = 12


def audit_to_markdown(audit: Audit, lang: str = "en") -> str:
    """Three sentences, the trace, the findings worth reading and what was skipped."""

    def t(key: str, **values: int) -> str:
        return escaped(say(f"report.{key}", **values).render(lang))

    parts = [f"## {t('title')}", *(_said(sentence, lang) for sentence in three_sentences(audit))]
    view = trace_view(audit.trace, lang, _ROWS)
    if view.lines:
        parts += [f"### {t('trace.title')}", _table(view, lang)]
        if view.total > len(view.lines):
            parts.append(t("markdown.more", count=view.total - len(view.lines)))
    told = worth_reading(audit, _FINDINGS)
    if told:
        parts += [
            f"### {t('markdown.findings')}",
            "\n".join(_item(finding, remedy, lang) for finding, remedy in advised(told)),
        ]
        left = len(worth_reading(audit, len(audit.findings))) - len(told)
        parts += [t("markdown.more", count=left)] if left else []
    if audit.skipped:
        items, colon = (say(f"report.{key}").render(lang) for key in ("items", "colon"))
        lines = (
            f"- {escaped(items.join(probe_title(name, lang) for name in probes))}{colon}{_said(needs, lang)}"
            for needs, probes in skipped_by_need(audit.skipped)
        )
        parts += [f"### {t('skipped.title')}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _said(text: Text, lang: str) -> str:
    return escaped(text.render(lang))


def _item(finding: Finding, remedy: Text | None, lang: str) -> str:
    about, sentence = subject(finding, lang), finding.sentence.render(lang)
    colon = say("report.colon").render(lang)
    lead = f"- **{word('verdict', finding.verdict, lang)}** · " + ("" if about in sentence else escaped(about) + colon)
    advice = f" **{_said(say('report.finding.remedy'), lang)}** {_said(remedy, lang)}" if remedy else ""
    return lead + escaped(sentence) + _bracket(finding) + advice


def _bracket(finding: Finding) -> str:
    estimate = finding.estimate
    if estimate is None:
        return ""
    sign = is_change(finding, estimate.unit)
    parts = [
        f"{number(estimate.value, estimate.unit, signed=sign)} {interval(estimate, signed=sign)}",
        f"n = {estimate.n:,}",
    ]
    return f" ({', '.join([*parts, *filter(None, [chance('q', finding.q)])])})"


def _table(view: TraceView, lang: str) -> str:
    columns = [
        f"{word('stage', column.stage, lang)} · {word('detail', column.reading or '', lang)}"
        for column in view.numbered
    ]
    head = [say("report.trace.feature").render(lang), *columns, say("report.trace.verdict").render(lang)]
    lines = [head, ["---", *("---:" for _ in columns), "---"]]
    for line in view.lines:
        cells = [_cell(cell) for cell, column in zip(line.cells, view.columns, strict=True) if column.reading]
        verdict = word("verdict", line.row.verdict, lang)
        lines.append([escaped(one_line(label(line.row.feature, lang), 80)), *cells, verdict])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(cell: TraceCell) -> str:
    one = cell.estimate
    sign = cell.signed
    return ABSENT if one is None else f"{number(one.value, one.unit, signed=sign)} {interval(one, signed=sign)}"
