"""A small preference file and two stages, and the command line run in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from dehusk.cli.main import main
from dehusk.demo import write


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """160 pairs and 2 × 80 answers of the demo data."""
    folder = tmp_path_factory.mktemp("data")
    for name, file in write(folder / "all", 0).items():
        lines = file.read_text("utf-8").splitlines()
        step = max(1, len(lines) // (160 if name == "pairs" else 80))
        (folder / f"{name}.jsonl").write_text("\n".join(lines[::step]) + "\n", "utf-8")
    return folder


@pytest.fixture
def dehusk(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run `dehusk` with these words."""

    def run(*words: object) -> Ran:
        with pytest.raises(SystemExit) as stopped:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        return Ran(int(stopped.value.code or 0), out, err)

    return run


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
