"""The command line in this process, and a folder of demo data."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

sys.path.insert(
    0, str(Path(__file__).parent)
)  # tests are files, not a package: make the modules beside them importable

from dehusk.cli.main import main
from dehusk.demo import write


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def dehusk(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run `dehusk` with these words; anything but an exit, a warning included, fails the test."""

    def run(*words: object) -> Ran:
        with pytest.raises(SystemExit) as stopped:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        return Ran(int(stopped.value.code or 0), out, err)

    return run


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The demo's files by name."""
    return write(tmp_path_factory.mktemp("demo"), 0)
