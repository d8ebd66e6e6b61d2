"""An audit as one self-contained HTML page: no network, no need of JavaScript, at most one megabyte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dehusk.core.findings import STAGES, VERDICTS, Audit, Evidence, Finding
from dehusk.report import wording
from dehusk.report.change import change_view
from dehusk.report.charts import FOREST_ROWS, forests, stage_chart
from dehusk.report.details import details_of
from dehusk.report.excerpts import excerpts
from dehusk.report.shell import NAME, environment, shell
from dehusk.report.story import SERIOUS, by_stage, ranked, skipped_by_need, subject, three_sentences
from dehusk.report.trace_view import trace_view

MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Budget:
    """How much of an audit one attempt at the page shows."""

    excerpt: int  # characters of each field of a piece of evidence; 0 leaves evidence out
    rows: int  # of every table
    serious: int  # cards of every probe for what fails or warns
    informing: int  # cards of every probe for what informs; the rest is in a table


_BUDGETS = (
    Budget(900, 600, 60, 12),
    Budget(420, 600, 60, 12),
    Budget(200, 600, 40, 6),
    Budget(120, 300, 16, 3),
    Budget(0, 100, 6, 0),
)


def audit_to_html(audit: Audit, lang: str = "en", *, before: Audit | None = None) -> str:
    """Render the page in `lang`; evidence is cut first, then rows, until it fits `MOST_BYTES`, and the page says so.

    With an audit from before a repair, the page has a section on what changed.
    """
    page = ""
    for budget in _BUDGETS:
        page = _page(audit, lang, budget, before)
        if len(page.encode()) <= MOST_BYTES:
            break
    return page


def _page(audit: Audit, lang: str, budget: Budget, before: Audit | None) -> str:
    anchors = {id(finding): f"f{place}" for place, finding in enumerate(audit.findings, 1)}
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            audit=audit,
            budget=budget,
            cut=budget is not _BUDGETS[0],
            sentences=three_sentences(audit),
            change=None if before is None else change_view(before, audit, budget.rows),
            trace=trace_view(audit.trace, lang, budget.rows),
            stages=by_stage(audit.findings),
            anchor=lambda finding: anchors[id(finding)],
            first_about={one.feature: anchors[id(one)] for one in reversed(ranked(audit.findings))},
            evidence=Shelf(audit.evidence),
            verdicts=VERDICTS[::-1],
            pipeline=STAGES,
            skipped=skipped_by_need(audit.skipped),
            excerpts=excerpts,
            forests=forests,
            stage_chart=stage_chart,
            forest_rows=FOREST_ROWS,
            with_cards=_with_cards,
            written=_written,
            subject=lambda finding: wording.one_line(subject(finding, lang), NAME),
            details_of=lambda finding: details_of(finding, lang),
            **shell(lang),
        )
    )


def _with_cards(told: list[Finding], budget: Budget) -> int:
    """How many of a probe's findings, the most serious first, are shown as cards."""
    serious = sum(finding.verdict in SERIOUS for finding in told)
    return min(serious, budget.serious) if serious > budget.serious else min(len(told), serious + budget.informing)


class Shelf:
    """The evidence by id; each piece is shown in full once and linked to afterwards."""

    def __init__(self, evidence: tuple[Evidence, ...]) -> None:
        """Keep the evidence with an anchor for each piece."""
        self._pieces = {piece.id: (piece, f"e{place}") for place, piece in enumerate(evidence, 1)}
        self._shown: set[str] = set()

    def of(self, finding: Finding) -> list[tuple[Evidence, str, bool]]:
        """The pieces behind a finding that exist: the piece, its anchor, whether it was shown before."""
        return list(self._take(finding))

    def _take(self, finding: Finding) -> Iterator[tuple[Evidence, str, bool]]:
        for name in dict.fromkeys(finding.evidence):
            if name in self._pieces:
                yield *self._pieces[name], name in self._shown
                self._shown.add(name)


def _written(value: Any) -> str:
    """An option of the run as it could be written in a file."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
