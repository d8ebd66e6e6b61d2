"""Verdicts under an intent, and the audit's JSON there and back."""

import json
import math

import numpy as np
import pytest

from dehusk.core.errors import InputError
from dehusk.core.findings import Audit, Curve, Estimate, Evidence, Finding, GlossaryEntry, Skipped, TraceRow
from dehusk.core.messages import say
from dehusk.core.run import InputRecord, RunRecord


def estimate(value=0.2, half=0.1, unit="win-rate shift"):
    return Estimate(value, value - half, value + half, 100, unit, "by hand", 0.01)


def finding(verdict="warn", value=0.2, **more):
    return Finding(
        "data.association", "data", say("core.no_reason"), verdict, "bullets", "layout", estimate(value), 0.01, **more
    )


@pytest.mark.parametrize(
    ("verdict", "value", "intent", "expected"),
    [
        ("warn", 0.2, "unstated", "warn"),
        ("warn", 0.2, "unwanted", "fail"),
        ("inform", 0.2, "unwanted", "warn"),
        ("pass", 0.2, "unwanted", "pass"),
        ("warn", -0.2, "unwanted", "inform"),
        ("warn", 0.2, "wanted", "inform"),
        ("fail", 0.2, "wanted", "inform"),
        ("warn", -0.2, "wanted", "warn"),
        ("inform", 0.05, "unwanted", "inform"),
    ],
)
def test_an_intent_moves_the_verdict_one_way(verdict, value, intent, expected):
    assert finding(verdict, value).judged(intent).verdict == expected


def test_the_direction_of_a_share_is_about_a_half():
    assert estimate(0.7, unit="share of pairs").direction == 1
    assert estimate(0.3, unit="share of pairs").direction == -1
    assert estimate(0.45, unit="share of pairs").direction == 0
    assert estimate(0.45).direction == 1


def audit():
    details = {
        "adjusted": estimate(),
        "stages": [{"stage": "sft", "rate": np.float64(0.1)}],
        "curves": [Curve("accuracy", "dose", "SD", (0.0, 1.0), (0.0, 0.3), (None, 0.2), (None, 0.4))],
        "why": say("core.no_reason"),
    }
    return Audit(
        RunRecord("audit", {"pairs": "a.jsonl"}, 0),
        (InputRecord("pairs", "a.jsonl", "trl-explicit", 3, "00", ("note",)),),
        (finding(details=details, evidence=("e1",)), finding("pass")),
        (
            TraceRow(
                "bullets", "layout", "warn", "unstated", {"data": {"raw": estimate()}, "policy": say("core.no_reason")}
            ),
        ),
        (Skipped("data.ceiling", say("core.needs_data", needs="votes")),),
        (Evidence("e1", "example", 1, {"chosen": "- a\ud800"}, {"chosen": ((0, 1),)}),),
        (GlossaryEntry("bullets", "lines", "layout", "Bullet lines.", False),),
    )


def test_json_there_and_back_is_a_fixed_point():
    text = audit().to_json()
    text.encode()  # even a lone surrogate
    again = Audit.from_json(text)
    assert again.to_json() == text
    assert again.findings[0].details["adjusted"] == estimate()
    assert again.worst() == "warn"


def test_what_is_not_finite_is_null():
    body = json.loads(Audit(RunRecord("a", {"x": math.nan}, 0), (), (), (), (), (), ()).to_json())
    assert body["run"]["options"]["x"] is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "run": {}}', '{"schema": 1, "run": 3}']
)
def test_what_is_not_an_audit_is_one_line(text):
    with pytest.raises(InputError, match=r"audit\.json"):
        Audit.from_json(text)
