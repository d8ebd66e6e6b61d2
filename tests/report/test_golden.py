"""The sample audits as they were last looked at.

To accept a change: `DEHUSK_GOLDEN=write python -m pytest tests/report/test_golden.py`, then read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import sample

from dehusk.report import to_html, to_json, to_markdown

GOLDEN = Path(__file__).parent / "golden"
FILES = {
    "rich.json": lambda: to_json(sample.rich()),
    "rich.html": lambda: to_html(sample.rich()),
    "rich.md": lambda: to_markdown(sample.rich()),
    "rich.zh.md": lambda: to_markdown(sample.rich(), "zh"),
    "empty.json": lambda: to_json(sample.empty()),
    "empty.zh.html": lambda: to_html(sample.empty(), "zh"),
    "empty.md": lambda: to_markdown(sample.empty()),
}


@pytest.mark.parametrize("name", FILES)
def test_golden(name):
    made = FILES[name]()
    if os.environ.get("DEHUSK_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / name).write_text(made, "utf-8", newline="\n")
    kept = (GOLDEN / name).read_text("utf-8")
    assert made == kept, f"{name} changed; see the top of {Path(__file__).name}"
