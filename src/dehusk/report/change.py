"""Two audits of the same data, before and after a repair: what moved, what is gone, what is new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dehusk.core.findings import Audit, Estimate, Finding, Intent, TraceRow, Verdict
from dehusk.report.story import SERIOUS, ranked


@dataclass(frozen=True)
class ChangeLine:
    """One feature in both audits; None where an audit has no number or no row for it."""

    feature: str
    family: str
    intent: Intent
    before: Estimate | None
    after: Estimate | None
    verdict_before: Verdict | None
    verdict_after: Verdict | None


@dataclass(frozen=True)
class ChangeView:
    """Everything the section shows."""

    lines: tuple[ChangeLine, ...]
    total: int  # features in either audit, of which `lines` shows the first
    gone: tuple[Finding, ...]  # failed or warned before, and does not any more
    fresh: tuple[Finding, ...]  # fails or warns now, and did not before
    staying: int  # fail or warn in both


def change_view(before: Audit, after: Audit, most: int) -> ChangeView:
    """Set the preference data's column of both traces side by side, what is unwanted first and then what moved most."""
    rows = [{row.feature: row for row in audit.trace} for audit in (before, after)]
    names = dict.fromkeys([*rows[0], *rows[1]])
    lines = [_line(rows[0].get(name), rows[1].get(name)) for name in names]
    lines = [line for line in lines if line.before or line.after]
    lines.sort(key=lambda line: (line.intent != "unwanted", -_moved(line)))
    was, now = ({_identity(one): one for one in ranked(audit.findings) if one.verdict in SERIOUS}
                for audit in (before, after))  # fmt: skip
    gone = tuple(one for key, one in was.items() if key not in now)
    fresh = tuple(one for key, one in now.items() if key not in was)
    return ChangeView(tuple(lines[:most]), len(lines), gone[:most], fresh[:most], len(was.keys() & now.keys()))


def _line(before: TraceRow | None, after: TraceRow | None) -> ChangeLine:
    row = before or after
    assert row is not None  # for mypy: the name is from one of them
    return ChangeLine(
        row.feature,
        row.family,
        row.intent,
        _raw(before),
        _raw(after),
        before.verdict if before else None,
        after.verdict if after else None,
    )


def _raw(row: TraceRow | None) -> Estimate | None:
    cell = row.cells.get("data") if row else None
    return cell.get("raw") if isinstance(cell, Mapping) else None


def _moved(line: ChangeLine) -> float:
    return abs(line.after.value - line.before.value) if line.before and line.after else 0.0


def _identity(finding: Finding) -> tuple[object, ...]:
    """What makes a finding of one audit the same as one of the other."""
    part = finding.details.get("part")
    kind = finding.details.get("reading"), finding.sentence.key if finding.feature is None else None
    return finding.probe, finding.feature, *kind, part.get("level") if isinstance(part, Mapping) else None
