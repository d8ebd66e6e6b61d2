"""Opening reward models as the command line does, and modules in the working folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dehusk.core.options import ScoreConfig
from dehusk.rewards import open_models


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder and a cache folder of this test alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", sys.path.copy())
    for name in list(sys.modules):
        if name.startswith("rm_"):
            monkeypatch.delitem(sys.modules, name)
    return tmp_path


@pytest.fixture
def opened() -> Callable[..., Any]:
    """The one reward model of a specification."""

    def one(spec: str, **options: Any) -> Any:
        [model] = open_models(ScoreConfig(reward_model=(spec,), **options))
        return model

    return one
