"""A small preference file and two stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from dehusk.demo import write


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """160 pairs and 2 × 80 answers of the demo data."""
    folder = tmp_path_factory.mktemp("data")
    for name, file in write(folder / "all", 0).items():
        lines = file.read_text("utf-8").splitlines()
        step = max(1, len(lines) // (160 if name == "pairs" else 80))
        (folder / f"{name}.jsonl").write_text("\n".join(lines[::step]) + "\n", "utf-8")
    return folder
