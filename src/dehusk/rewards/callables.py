"""`py:`, a Python function."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dehusk.core.errors import BackendError, InputError
from dehusk.core.kinds import reward_models
from dehusk.core.options import Scoring
from dehusk.core.tables import Floats
from dehusk.rewards.answers import as_scores
from dehusk.rewards.opening import split_settings

_EXPECTED = "py:module:function"


@dataclass(frozen=True)
class PythonFunction:
    """A function (prompts, responses) -> one number a response."""

    name: str
    where: str  # module:function
    function: Callable[[list[str], list[str]], Any]
    identity: str | None

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> Floats:  # noqa: D102 - see the protocol
        try:
            answer = self.function(list(prompts), list(responses))
        except Exception as error:
            raise BackendError(f"{self.where}: raised {_told(error)}") from error
        return as_scores(answer, len(responses), self.where)


@reward_models.add("py")
def open_function(name: str | None, where: str, options: Scoring) -> PythonFunction:
    """A Python function as module:function: (list of prompts, list of responses) -> a number for each response.

    The module may lie in the current folder. With ?version=NAME the scores are kept from run to run: the user vouches
    for the function, and gives another name when it changes.

    Raises:
        InputError: no such module or function, or a module that cannot be imported.
    """
    del options
    where, settings = split_settings(where, ["version"])
    module, _, attribute = where.partition(":")
    if not module or not attribute:
        raise InputError(f"{where!r}", where="--reward-model", expected=_EXPECTED)
    module = module.removesuffix(".py").replace("/", ".")
    found = _imported(module)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise InputError(f"no function {attribute!r} in {module}", where="--reward-model", expected=_EXPECTED)
        found = getattr(found, part)
    if not callable(found):
        raise InputError(f"{module}:{attribute} is no function", where="--reward-model", expected=_EXPECTED)
    place = f"{module}:{attribute}"
    version = settings.get("version")
    return PythonFunction(name or place, f"py:{place}", found, version and f"py:{place}?version={version}")


def _imported(module: str) -> Any:
    """Import a module, also from the current folder, which is not on the path of an installed command."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(module)
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}.")
        what = f"no module {module!r}" if missing else f"cannot import {module}: {_told(error)}"
        raise InputError(what, where="--reward-model", expected=_EXPECTED) from None


def _told(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
