"""Where in an output folder the log is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dehusk.core.errors import InputError
from dehusk.io.logs.points import STEPS
from dehusk.io.logs.tensorboard import PATTERN

STATE = "trainer_state.json"
_LINES = {"logging.jsonl": "ms-swift", "trainer_log.jsonl": "llama-factory"}
_TABLES = (".jsonl", ".csv", ".tsv", ".parquet")
_HEAD = 1 << 16  # bytes read to see what a table is about


@dataclass(frozen=True)
class Place:
    """The files of one log (several only for TensorBoard), and the framework their neighbours tell of."""

    files: tuple[Path, ...]
    framework: str = "unknown"
    others: tuple[Path, ...] = ()  # other runs that were not read


def find_log(folder: Path) -> Place:
    """The fullest log in an output folder: ms-swift's, the last trainer state, LLaMA-Factory's, then event files.

    Raises:
        InputError: nothing known in it, or several runs in folders of their own.
    """
    found = _in(folder)
    if found is not None:
        return found
    runs = [(run, place) for run in _folders(folder) if (place := _in(run)) is not None]
    if len(runs) == 1:
        return runs[0][1]
    if runs:
        names = ", ".join(run.name for run, _ in runs[:6])
        raise InputError(
            f"{len(runs)} runs: {names}", where=str(folder), expected="one run", fix=f"--log {runs[-1][0]}"
        )
    tables = sorted(path for path in folder.iterdir() if path.suffix in _TABLES and path.is_file())
    logs = [path for path in tables if _counts_steps(path)]
    if len(logs) == 1 or len(tables) == 1:  # a single table that is no log is read, and explained
        return Place(((logs or tables)[0],))
    if logs:
        names = ", ".join(path.name for path in logs[:6])
        what = f"{len(logs)} files that may be logs: {names}"
        raise InputError(what, where=str(folder), expected="one", fix=f"--log {logs[-1]}")
    expected = f"checkpoint-*/{STATE}, {', '.join(_LINES)}, {PATTERN} or a table with a column {STEPS[0]}"
    raise InputError("a folder without a log", where=str(folder), expected=expected)


def _counts_steps(path: Path) -> bool:
    """Whether the head of a table names a step, which tells a log from the pairs and answers lying beside it."""
    if path.suffix == ".parquet":
        try:
            return not set(STEPS).isdisjoint(pl.read_parquet_schema(path))
        except (OSError, pl.exceptions.PolarsError):
            return False
    with path.open("rb") as file:
        head = file.readline(_HEAD).decode("utf-8", "replace")
    names = re.findall(r'"([^"]*)"\s*:', head) if path.suffix == ".jsonl" else re.split(r"[,;\t]", head)
    return not set(STEPS).isdisjoint(name.strip().strip('"\ufeff') for name in names)


def framework_beside(path: Path) -> str:
    """The framework whose own log lies beside a file, or beside the checkpoint it is in."""
    for folder in (path.parent, path.parent.parent):
        for name, framework in _LINES.items():
            if (folder / name).is_file():
                return framework
    return "unknown"


def _in(folder: Path) -> Place | None:
    if (folder / "logging.jsonl").is_file():
        return Place((folder / "logging.jsonl",), "ms-swift")
    state = _last_state(folder)
    if state is not None:
        return Place((state,), framework_beside(state))
    if (folder / "trainer_log.jsonl").is_file():
        return Place((folder / "trainer_log.jsonl",), "llama-factory")
    return _events(folder)


def _last_state(folder: Path) -> Path | None:
    """The trainer state of the highest checkpoint, or the one of the folder itself if it is as far."""
    found = [(_step_of(path), path) for path in folder.glob(f"checkpoint-*/{STATE}")]
    own = folder / STATE
    if own.is_file():
        found.append((_step_in(own), own))
    return max(found, key=lambda one: one[0])[1] if found else None


def _step_of(state: Path) -> int:
    digits = re.fullmatch(r"checkpoint-(\d+)", state.parent.name)
    return int(digits[1]) if digits else -1


def _step_in(state: Path) -> int:
    named = _step_of(state)
    if named >= 0:
        return named
    try:
        return int(json.loads(state.read_text("utf-8"))["global_step"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 0  # a broken file is read, and explained, only if there is no checkpoint


def _events(folder: Path) -> Place | None:
    """Event files of the newest run at or under a folder (the Trainer has `runs/<date>_<host>/`)."""
    runs: dict[Path, list[Path]] = {}
    for path in folder.rglob(PATTERN):
        runs.setdefault(path.parent, []).append(path)
    if not runs:
        return None
    for run in [run for run in runs if any(parent in runs for parent in run.parents)]:
        del runs[run]  # torch's `add_hparams` writes a run of its own inside the run
    order = sorted(runs, key=lambda run: max(path.stat().st_mtime for path in runs[run]))
    return Place(tuple(sorted(runs[order[-1]])), others=tuple(order[:-1]))


def _folders(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.iterdir() if path.is_dir())
