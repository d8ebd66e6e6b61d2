"""Which findings to tell first, and the three sentences at the top of every report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from dehusk.core.findings import STAGES, VERDICTS, Audit, Finding, Skipped, Verdict
from dehusk.core.messages import Text, label, say
from dehusk.report.wording import finite, is_change, probe_title, reference_of

SERIOUS: frozenset[Verdict] = frozenset({"fail", "warn"})


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """Findings from the most serious to the least; what the user called unwanted first among equals."""
    return sorted(
        findings, key=lambda one: (-VERDICTS.index(one.verdict), one.intent != "unwanted", -_strength(one), one.probe)
    )


def _strength(finding: Finding) -> float:
    """How far an effect stands from what would mean "nothing", in widths of its interval."""
    estimate = finding.estimate
    if estimate is None:
        return 0.0
    value, low, high = finite(estimate.value), finite(estimate.low), finite(estimate.high)
    if value is None or low is None or high is None or high <= low:
        return 0.0
    return abs(value - (reference_of(estimate.unit, signed=is_change(finding, estimate.unit)) or 0.0)) / (high - low)


def headline(audit: Audit) -> Text:
    """One sentence about the whole: how many findings of each verdict, or why there are none."""
    counts = Counter(finding.verdict for finding in audit.findings)
    if not audit.findings:
        return say("report.headline.nothing", skipped=len(audit.skipped))
    key = "serious" if counts["fail"] or counts["warn"] else "calm"
    return say(
        f"report.headline.{key}",
        findings=len(audit.findings),
        fail=counts["fail"],
        warn=counts["warn"],
        inform=counts["inform"],
        passed=counts["pass"],
        skipped=len(audit.skipped),
    )


def three_sentences(audit: Audit) -> tuple[Text, ...]:
    """The headline and the two findings that tell most, from two stages when both have something serious."""
    order = ranked(one for one in audit.findings if one.verdict != "pass")
    if not order:
        return (headline(audit),)
    first, *rest = order
    elsewhere = (one for one in rest if one.stage != first.stage and one.verdict in (first.verdict, *SERIOUS))
    other = (one for one in rest if (one.feature, one.probe) != (first.feature, first.probe))
    second = next(elsewhere, None) or next(other, None)
    told = (first,) if second is None else (first, second)
    return headline(audit), *(finding.sentence for finding in told)


def worth_reading(audit: Audit, most: int) -> list[Finding]:
    """Failures and warnings, or what informs when there are none; at most `most`."""
    order = ranked(one for one in audit.findings if one.verdict != "pass")
    serious = [one for one in order if one.verdict in SERIOUS]
    return (serious or order)[:most]


def advised(findings: Iterable[Finding]) -> list[tuple[Finding, Text | None]]:
    """Each finding with its remedy, a remedy in the same words only the first time."""
    given: set[str] = set()
    told: list[tuple[Finding, Text | None]] = []
    for finding in findings:
        words = finding.remedy.render() if finding.remedy else ""
        told.append((finding, None if words in given else finding.remedy))
        given.add(words)
    return told


def by_stage(findings: Iterable[Finding]) -> dict[str, dict[str, list[Finding]]]:
    """Findings under stage and probe: stages in pipeline order, probes as met, findings ranked."""
    grouped: dict[str, dict[str, list[Finding]]] = {}
    known = {stage: place for place, stage in enumerate(STAGES)}
    for finding in sorted(findings, key=lambda one: known.get(one.stage, len(known))):
        grouped.setdefault(finding.stage, {}).setdefault(finding.probe, []).append(finding)
    return {stage: {name: ranked(found) for name, found in probes.items()} for stage, probes in grouped.items()}


def skipped_by_need(skipped: Iterable[Skipped]) -> list[tuple[Text, list[str]]]:
    """What is missing, and the probes that would need it: one line a need instead of one a probe."""
    needs: dict[str, tuple[Text, list[str]]] = {}
    for one in skipped:
        needs.setdefault(one.needs.render(), (one.needs, []))[1].append(one.probe)
    return list(needs.values())


def not_given(skipped: Iterable[Skipped]) -> Text | None:
    """One line on the inputs that were not given and how many probes would need some of them; None if all were."""
    found = [one for one in skipped if one.needs.key == "core.not_given"]
    inputs = dict.fromkeys(name for one in found for name in str(one.needs.values["needs"]).split(", "))
    return say("report.skipped.not_given", needs=", ".join(inputs), probes=len(found)) if found else None


def subject(finding: Finding, lang: str) -> str:
    """What a finding is about: its feature, or its probe, and the part of the data it holds for."""
    about = label(finding.feature, lang) if finding.feature else probe_title(finding.probe, lang)
    part = finding.details.get("part")
    subset = part.get("level") if isinstance(part, Mapping) else finding.details.get("subset")
    return f"{about} · {subset}" if isinstance(subset, str) and subset else about
