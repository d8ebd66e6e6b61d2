"""A folder of demo data."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(
    0, str(Path(__file__).parent)
)  # tests are files, not a package: make the modules beside them importable

from dehusk.demo import write


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The demo's files by name."""
    return write(tmp_path_factory.mktemp("demo"), 0)
