"""What an audit says: estimates, findings, the trace, and their JSON (schema 1).

`audit.json` is a contract: others build on it. `docs/audit.schema.json` describes it and a test validates against it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from dehusk.core.errors import InputError
from dehusk.core.messages import Text
from dehusk.core.run import InputRecord, RunRecord

SCHEMA = 1
Verdict = Literal["pass", "inform", "warn", "fail"]
Intent = Literal["wanted", "unwanted", "unstated"]
VERDICTS: tuple[Verdict, ...] = ("pass", "inform", "warn", "fail")  # from harmless to serious
STAGES = ("data", "reward_model", "selection", "forecast", "policy")  # columns of the trace


@dataclass(frozen=True)
class Estimate:
    """A number with its uncertainty.

    `value`, `low` and `high` are in `unit`; `level` is the coverage of [low, high]; `n` counts the
    independent clusters behind it; `p` is two-sided.
    """

    value: float
    low: float
    high: float
    n: int
    unit: str
    method: str
    p: float | None = None
    level: float = 0.95

    @property
    def nothing(self) -> float:
        """The value that means no effect: a half for shares of pairs and AUCs, else 0."""
        return 0.5 if self.unit in ("share of pairs", "AUC") else 0.0

    @property
    def direction(self) -> int:
        """1 or −1 where the interval lies on one side of no effect, else 0."""
        return int(self.low > self.nothing) - int(self.high < self.nothing)


@dataclass(frozen=True)
class Curve:
    """A quantity along an axis, with its band: a dose-response, a best-of-n curve, a forecast.

    Curves stand under `curves` in a finding's details; those of one finding with the same axis and unit are drawn
    together. `low` and `high` are None where a point has no interval.
    """

    name: str  # what it is of: a word of the catalogue (`report.curve`), a feature or a model
    axis: str  # "dose", "n", "nats", "share of the prompt", "step"
    unit: str
    x: tuple[float, ...]
    value: tuple[float, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True)
class Finding:
    """One thing a probe found about one feature (or about the whole input, when `feature` is None)."""

    probe: str
    stage: str  # "data", "policy", "reward_model", "training_run"
    sentence: Text
    verdict: Verdict
    feature: str | None = None
    family: str | None = None
    estimate: Estimate | None = None
    q: float | None = None
    intent: Intent = "unstated"
    remedy: Text | None = None
    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    evidence: tuple[str, ...] = ()

    def judged(self, intent: Intent) -> Finding:
        """The same finding under the user's declaration.

        More of what is unwanted is one step more serious, less of it is only worth mentioning; more of what is wanted
        is only worth mentioning.
        """
        verdict, direction = self.verdict, self.estimate.direction if self.estimate is not None else 0
        if intent == "unwanted" and direction > 0 and verdict in ("inform", "warn"):
            verdict = "warn" if verdict == "inform" else "fail"
        elif verdict in ("warn", "fail") and (intent, direction) in (("unwanted", -1), ("wanted", 1)):
            verdict = "inform"
        return replace(self, intent=intent, verdict=verdict)


@dataclass(frozen=True)
class Skipped:
    """A probe, or a part of one, that gave no number, and what it would need."""

    probe: str
    needs: Text


@dataclass(frozen=True)
class Evidence:
    """One text shown as proof: the fields it has, and the spans to highlight in each.

    `role` is "example" or "counter"; `fields` maps "prompt", "chosen", "rejected" or "response" to excerpts;
    `spans` maps the same names to half-open character ranges of the excerpt.
    """

    id: str
    role: str
    row: int
    fields: Mapping[str, str]
    spans: Mapping[str, tuple[tuple[int, int], ...]]
    stage: str | None = None


@dataclass(frozen=True)
class TraceRow:
    """One feature followed through the pipeline.

    `cells` maps each of `STAGES` to named estimates ("raw", "adjusted", "length_matched", …) or to a `Text`
    that says why there is none.
    """

    feature: str
    family: str
    verdict: Verdict
    intent: Intent
    cells: Mapping[str, Mapping[str, Estimate] | Text]


@dataclass(frozen=True)
class GlossaryEntry:
    """What a feature means, for the reader."""

    name: str
    unit: str
    family: str
    about: str
    mined: bool


@dataclass(frozen=True)
class Audit:
    """Everything one run found; the report is a pure function of it."""

    run: RunRecord
    inputs: tuple[InputRecord, ...]
    findings: tuple[Finding, ...]
    trace: tuple[TraceRow, ...]
    skipped: tuple[Skipped, ...]
    evidence: tuple[Evidence, ...]
    glossary: tuple[GlossaryEntry, ...]

    def worst(self) -> Verdict:
        """The most serious verdict among the findings."""
        return max((finding.verdict for finding in self.findings), key=VERDICTS.index, default="pass")

    def to_json(self) -> str:
        """Serialise; numbers that are not finite become null, sentences are rendered in English beside their key."""
        body = {"schema": SCHEMA, **{item.name: plain(getattr(self, item.name)) for item in fields(self)}}
        return json.dumps(body, ensure_ascii=False, allow_nan=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Audit:
        """Read what `to_json` wrote.

        Raises:
            InputError: when the text is not an audit of this schema.
        """
        try:
            body = json.loads(text)
            if body["schema"] != SCHEMA:
                raise InputError(f"schema {body['schema']!r}", where="audit.json", expected=f"schema {SCHEMA}")
            return cls(
                run=RunRecord(**body["run"]),
                inputs=tuple(InputRecord(**{**row, "notes": tuple(row["notes"])}) for row in body["inputs"]),
                findings=tuple(_finding(row) for row in body["findings"]),
                trace=tuple(_trace_row(row) for row in body["trace"]),
                skipped=tuple(Skipped(row["probe"], as_text(row["needs"])) for row in body["skipped"]),
                evidence=tuple(_evidence(row) for row in body["evidence"]),
                glossary=tuple(GlossaryEntry(**row) for row in body["glossary"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"not an audit ({error})", where="audit.json", expected="a file written by dehusk"
            ) from None


def plain(value: Any) -> Any:
    """Turn a value of an audit or a certificate, records included, into JSON's own types."""
    if isinstance(value, Text):
        return {"text": value.render("en"), "key": value.key, "values": plain(value.values)}
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str):  # a lone surrogate (from a path, say) cannot be written as UTF-8
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bool | int | None):
        return value
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    number = float(value)  # float and numpy scalars
    return number if math.isfinite(number) else None


def as_text(row: Mapping[str, Any]) -> Text:
    """Rebuild a sentence from what `plain` made of it."""
    return Text(row["key"], MappingProxyType({name: _value(value) for name, value in row["values"].items()}))


def _value(value: Any) -> Any:
    """Rebuild what can stand inside `details`, `values` and cells."""
    if isinstance(value, dict):
        if value.keys() == {"text", "key", "values"}:
            return as_text(value)
        if "method" in value and "low" in value:
            return Estimate(**value)
        if "axis" in value and "x" in value:
            parts: dict[str, Any] = {name: tuple(row) if isinstance(row, list) else row for name, row in value.items()}
            return Curve(**parts)
        return {name: _value(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_value(item) for item in value]
    return value


def _finding(row: Mapping[str, Any]) -> Finding:
    parts = {name: _value(value) for name, value in row.items()}
    return Finding(**{**parts, "evidence": tuple(row["evidence"])})


def _trace_row(row: Mapping[str, Any]) -> TraceRow:
    return TraceRow(**{name: _value(value) for name, value in row.items()})


def _evidence(row: Mapping[str, Any]) -> Evidence:
    spans = {name: tuple((int(low), int(high)) for low, high in found) for name, found in row["spans"].items()}
    return Evidence(**{**row, "spans": spans})
