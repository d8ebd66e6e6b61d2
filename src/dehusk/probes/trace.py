"""One row a feature: from what the labels say to what the policy does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dehusk.core.findings import STAGES, VERDICTS, Estimate, Finding, TraceRow, Verdict
from dehusk.core.messages import Text, say

# Which probe fills which cell, and under which names its readings stand in the finding's details.
SOURCES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "data": (("data.catchphrases", "data.association"), ("adjusted", "length_conditional")),
    "reward_model": (
        ("reward_model.counterfactual", "reward_model.association"),
        ("net_of_length", "length_conditional"),
    ),
    "selection": (("selection.best_of_n",), ("length_matched",)),
    "forecast": (("forecast.amplification",), ("length_matched", "log_odds_per_nat")),
    "policy": (("policy.amplification",), ("length_matched", "log_odds")),
}
ASIDE = ("longer_wins", "turned", "too_rare")  # readings of data.association that are not a row's own number
NEEDS = {
    "data": "core.trace.needs_pairs",
    "reward_model": "core.trace.needs_reward_model",
    "selection": "core.trace.needs_scores",
    "forecast": "core.trace.needs_scores",
    "policy": "core.trace.needs_responses",
}


def build(findings: Iterable[Finding]) -> tuple[TraceRow, ...]:
    """Gather the findings of each feature into one row, the most serious first, then the largest."""
    by_feature: dict[str, dict[str, Finding]] = {}
    for finding in findings:
        if finding.feature is not None and finding.details.get("reading") not in ASIDE and finding.estimate is not None:
            by_feature.setdefault(finding.feature, {}).setdefault(finding.probe, finding)
    rows = [(_row(feature, found), _serious(found)) for feature, found in by_feature.items() if _cells(found)]
    return tuple(row for row, _ in sorted(rows, key=_weight))


def _serious(found: Mapping[str, Finding]) -> int:
    """At how many stages a feature is worth a warning."""
    return len({finding.stage for finding in found.values() if finding.verdict in ("warn", "fail")})


def _cells(found: Mapping[str, Finding]) -> dict[str, dict[str, Estimate]]:
    cells: dict[str, dict[str, Estimate]] = {}
    for stage, (names, readings) in SOURCES.items():
        finding = next((found[name] for name in names if name in found), None)
        if finding is not None and finding.estimate is not None:
            others = {key: finding.details[key] for key in readings if isinstance(finding.details.get(key), Estimate)}
            cells[stage] = {"raw": finding.estimate, **others}
    return cells


def _row(feature: str, found: Mapping[str, Finding]) -> TraceRow:
    known = _cells(found)
    cells: dict[str, Mapping[str, Estimate] | Text] = {
        stage: known[stage] if stage in known else say(NEEDS[stage]) for stage in STAGES
    }
    verdict: Verdict = max((finding.verdict for finding in found.values()), key=VERDICTS.index)
    any_finding = next(iter(found.values()))
    return TraceRow(feature, any_finding.family or "", verdict, any_finding.intent, cells)


def _weight(item: tuple[TraceRow, int]) -> tuple[int, int, float]:
    """Serious first, then what is serious at more stages, then what is larger as a share."""
    row, stages = item
    cells = [row.cells[stage] for stage in SOURCES]
    sizes = [abs(cell["raw"].value) for cell in cells if not isinstance(cell, Text)]
    return -VERDICTS.index(row.verdict), -stages, -max((size for size in sizes if size <= 1), default=0.0)
