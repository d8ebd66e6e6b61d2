"""audit.json against its published schema, and there and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sample
from jsonschema import Draft202012Validator

from dehusk.core.findings import Audit
from dehusk.report import to_html, to_markdown

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "audit.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("audit", [sample.rich, sample.empty])
def test_audits_fit_the_schema(audit):
    assert not list(VALIDATOR.iter_errors(json.loads(audit().to_json())))


@pytest.mark.parametrize(
    "path, value",
    [
        (("schema",), 2),
        (("run", "seed"), "7"),
        (("findings", 0, "verdict"), "bad"),
        (("findings", 0, "sentence"), "a bare string"),
        (("findings", 0, "estimate", "n"), 3.5),
        (("findings", 0, "details", "adjusted", "unit"), 3),
        (("findings", 0, "details", "by", 0, "estimate", "p"), 1.5),
        (("trace", 0, "cells", "policy"), {}),
        (("evidence", 0, "spans", "chosen", 0), [1, 2, 3]),
        (("glossary", 0, "mined"), "yes"),
        (("unknown",), 1),
    ],
)
def test_what_is_not_an_audit_does_not(path, value):
    body = json.loads(sample.rich().to_json())
    place = body
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert list(VALIDATOR.iter_errors(body))


def test_the_report_is_a_function_of_the_json():
    audit = sample.rich()
    again = Audit.from_json(audit.to_json())
    assert again.to_json() == audit.to_json()
    # infinite bounds become null in JSON and are shown as absent; everything else is the same page
    shown = to_html(audit).replace("−∞", "—").replace("+∞", "—")
    assert to_html(again) == shown
    assert to_markdown(again, "zh") == to_markdown(audit, "zh")
