"""Lets the tests of repairs share `planted.py` under importlib's import mode, and run the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from dehusk.cli.main import main


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
