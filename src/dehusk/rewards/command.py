"""`cmd:`, a command that reads JSON Lines and writes JSON Lines."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dehusk.core.errors import BackendError, InputError
from dehusk.core.kinds import reward_models
from dehusk.core.options import Scoring
from dehusk.core.tables import Floats
from dehusk.rewards.answers import as_scores
from dehusk.rewards.opening import split_settings


@dataclass(frozen=True)
class Command:
    """A command that is run once a call."""

    name: str
    words: tuple[str, ...]
    identity: str | None
    texts_a_call: int | None  # None: all at once, because a start may mean loading a model

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> Floats:  # noqa: D102 - see the protocol
        who = f"cmd:{self.words[0]}"
        rows = zip(prompts, responses, strict=True)
        lines = "".join(json.dumps({"prompt": prompt, "response": answer}) + "\n" for prompt, answer in rows)
        try:
            # The user's own command, and no shell.
            done = subprocess.run(self.words, input=lines.encode(), capture_output=True, check=False)  # noqa: S603
        except OSError as error:
            raise BackendError(f"{who}: cannot be run: {(error.strerror or str(error)).lower()}") from None
        if done.returncode:
            said = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
            last = f": {' '.join(said[-1].split())[:200]}" if said else ""
            raise BackendError(f"{who}: ended with code {done.returncode}{last}")
        written = [line for line in done.stdout.decode(errors="replace").splitlines() if line.strip()]
        return as_scores([_score(line, f"{who}: line {at}") for at, line in enumerate(written, 1)], len(responses), who)


def _score(line: str, where: str) -> Any:
    """The score in a line: a number, or an object with `score`."""
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if isinstance(value, dict) and "score" in value:
        return value["score"]
    if isinstance(value, int | float):
        return value
    raise BackendError(f'{where}: {" ".join(line.split())[:80]!r}; expected a number or {{"score": number}}')


@reward_models.add("cmd")
def open_command(name: str | None, where: str, options: Scoring) -> Command:
    """A command that reads lines of {"prompt": …, "response": …} and writes a line with the score for each.

    A line is a number or an object with `score`. There is no shell. The command is run once for all texts, or with
    ?batch=N once for every N. With ?version=NAME the scores are kept from run to run.

    Raises:
        InputError: quotes that are not closed, or no such command.
    """
    del options
    where, settings = split_settings(where, ["version", "batch"])
    try:
        words = tuple(shlex.split(where))
    except ValueError as error:
        raise InputError(f"{where!r}: {str(error).lower()}", where="--reward-model", expected="cmd:COMMAND") from None
    if not words or shutil.which(words[0]) is None:
        raise InputError(f"no command {words[0] if words else where!r}", where="--reward-model", expected="cmd:COMMAND")
    batch = settings.get("batch")
    if batch is not None and not (batch.isdecimal() and int(batch)):
        raise InputError(f"batch={batch}", where="--reward-model", expected="texts a run, such as batch=1000")
    version = settings.get("version")
    identity = version and f"cmd:{where}?version={version}"
    return Command(name or shlex.join(words)[:40], words, identity, int(batch) if batch else None)
