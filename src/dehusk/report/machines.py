"""An audit for other programs: GitHub workflow commands and SARIF."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote

from dehusk.core.findings import Audit, Estimate, Finding, Verdict
from dehusk.report.story import SERIOUS, headline, ranked, subject
from dehusk.report.wording import finite, one_line, probe_reading, probe_title

_LEVEL: dict[Verdict, str] = {"fail": "error", "warn": "warning"}
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def to_github(audit: Audit, lang: str = "en") -> str:
    """Workflow commands: a line for the whole, then one a finding that warns or fails, the most serious first.

    The commands are those of docs.github.com, "Workflow commands for GitHub Actions".
    """
    lines = [_command("notice", "dehusk", headline(audit).render(lang))]
    for finding in ranked(one for one in audit.findings if one.verdict in SERIOUS):
        remedy = f" {finding.remedy.render(lang)}" if finding.remedy else ""
        lines.append(_command(_LEVEL[finding.verdict], subject(finding, lang), finding.sentence.render(lang) + remedy))
    return "\n".join(lines) + "\n"


def _command(name: str, title: str, message: str) -> str:
    """One workflow command; property values also escape the characters that separate properties."""
    shown = one_line(title, 120).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return f"::{name} title={shown}::{one_line(message, 2000).replace('%', '%25')}"


def to_sarif(audit: Audit, lang: str = "en") -> str:
    """SARIF 2.1.0: one rule a probe, one result a finding that warns or fails (OASIS SARIF, sections 3.19 and 3.27)."""
    serious = [finding for finding in ranked(audit.findings) if finding.verdict in SERIOUS]
    probes = list(dict.fromkeys(finding.probe for finding in audit.findings))
    rules = [
        {
            "id": probe,
            "name": probe_title(probe, "en"),
            "shortDescription": {"text": probe_title(probe, lang)},
            "fullDescription": {"text": probe_reading(probe, lang)},
            "defaultConfiguration": {"level": "warning"},
        }
        for probe in probes
    ]
    driver = {"name": "dehusk", "version": audit.run.versions.get("dehusk", "unknown"), "rules": rules}
    results = [_result(finding, probes.index(finding.probe), audit, lang) for finding in serious]
    log = {
        "$schema": _SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }
    return json.dumps(log, ensure_ascii=False, allow_nan=False, indent=1)


def _result(finding: Finding, rule: int, audit: Audit, lang: str) -> dict[str, Any]:
    about = subject(finding, "en")
    identity = hashlib.sha256(f"{finding.probe}\0{about}".encode("utf-8", "replace")).hexdigest()
    remedy = f" {finding.remedy.render(lang)}" if finding.remedy else ""
    return {
        "ruleId": finding.probe,
        "ruleIndex": rule,
        "level": _LEVEL[finding.verdict],
        "message": {"text": one_line(finding.sentence.render(lang) + remedy, 2000)},
        "locations": _locations(finding, audit),
        "partialFingerprints": {"finding/v1": identity},
        "properties": {"subject": one_line(about), "intent": finding.intent, **_numbers(finding.estimate, finding.q)},
    }


def _numbers(estimate: Estimate | None, q: float | None) -> dict[str, Any]:
    found = {"q": finite(q)}
    if estimate is not None:
        found |= {"value": finite(estimate.value), "low": finite(estimate.low), "high": finite(estimate.high)}
    numbers: dict[str, Any] = {name: value for name, value in found.items() if value is not None}
    return numbers if estimate is None else {**numbers, "n": estimate.n, "unit": estimate.unit}


def _locations(finding: Finding, audit: Audit) -> list[dict[str, Any]]:
    """The inputs a finding is about; code scanning refuses a result that has no place."""
    role = "pairs" if finding.stage == "data" else "responses"
    inputs = [one for one in audit.inputs if one.role == role] or list(audit.inputs)
    return [
        {"physicalLocation": {"artifactLocation": {"uri": quote(one_line(one.name))}, "region": {"startLine": 1}}}
        for one in inputs
    ]
