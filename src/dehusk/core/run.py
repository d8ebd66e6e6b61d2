"""What makes a run repeatable: named seed streams, hashes of the inputs, versions."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """Random numbers for one named consumer.

    Each probe draws from a stream of its own, so adding a probe changes no other probe's numbers.

    >>> float(stream(0, "a").random()) == float(stream(0, "a").random())
    True
    >>> float(stream(0, "a").random()) == float(stream(0, "b").random())
    False
    """
    from numpy.random import default_rng  # noqa: PLC0415 - the command line reads this module for every --help

    return default_rng([seed, *name.encode()])


def versions() -> dict[str, str]:
    """Versions of dehusk, Python and the libraries a number could depend on."""
    found = {"python": sys.version.split()[0], "platform": platform.system().lower()}
    for package in ("dehusk", "polars", "numpy"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # running from a source tree that is not installed
            found[package] = "unknown"
    return found


@dataclass(frozen=True)
class RunRecord:
    """What was run: the verb, its options, the seed and the versions."""

    verb: str
    options: dict[str, Any]
    seed: int
    lang: str = "en"
    versions: dict[str, str] = field(default_factory=versions)


@dataclass(frozen=True)
class InputRecord:
    """One input of a run: what it was, how it was read, and a hash of its bytes."""

    role: str  # "pairs", "responses", "counterfactuals", "log" or "reward_model"
    name: str
    layout: str
    rows: int
    sha256: str
    notes: tuple[str, ...] = ()  # what was detected, mapped or dropped, in sentences
