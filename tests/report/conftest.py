"""The sample audits, worded by the sample's own catalogue."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are files, not a package: make `sample` importable

import sample

from dehusk.core.findings import Audit


@pytest.fixture(autouse=True)
def _sample_words(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module in ("dehusk.core.messages", "dehusk.report.shell"):
        monkeypatch.setattr(f"{module}.catalogue", sample.catalogue)
    yield


@pytest.fixture
def rich() -> Audit:
    return sample.rich()


@pytest.fixture
def empty() -> Audit:
    return sample.empty()
