"""Numbers by step and key, as a trainer wrote them, from whatever holds them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from dehusk.core.errors import InputError
from dehusk.core.messages import Text, say
from dehusk.io.columns import mapping

# Keys that hold the step, the exact ones first: a row of wandb's own counter counts calls, not steps.
STEPS = (
    "step", "global_step", "train/global_step", "trainer/global_step", "eval/global_step", "current_steps",
    "global_step/max_steps", "training/global_step", "iteration", "iter", "Step", "steps", "update",
)  # fmt: skip
_COUNTERS = ("_step",)
_TEXTS = ("prompt", "completion", "response", "output", "chosen", "messages")  # rows of texts are not a log
LOGS = "what a trainer wrote: trainer_state.json, logging.jsonl, trainer_log.jsonl, TensorBoard, JSON Lines or CSV"
SCHEMA = {"step": pl.Int64, "key": pl.String, "value": pl.Float64}


@dataclass(frozen=True)
class Logged:
    """A log before its keys are known: frame of step, key and value in the order of the file."""

    frame: pl.DataFrame
    kind: str  # form of the file: "trainer_state", "tensorboard", "jsonl", "csv", …
    rows: int
    names: frozenset[str]  # every key met, also those without a number
    framework: str = "unknown"  # what the form of the file, or its neighbours, say
    notes: tuple[Text, ...] = ()


def number(value: Any) -> float | None:
    """The value as a number, NaN and infinity included; None where it is none.

    >>> number("5.0e-06"), number("0:00:12"), number(True)
    (5e-06, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def gathered(
    rows: Iterable[Mapping[str, Any]], kind: str, where: str, *, step: str | None = None, framework: str = "unknown"
) -> Logged:
    """Rows of keys and values as a log.

    Args:
        rows: One mapping a row of the file.
        kind: Form of the file.
        where: Name of the file for errors.
        step: Key that holds the step, if the user named it.
        framework: What the form of the file says.

    Raises:
        InputError: no row has a step, the rows are texts, or nothing in them is a number.
    """
    rows = [row for row in rows if "log_history" not in row]  # ms-swift ends its file with a summary
    names = dict.fromkeys(name for row in rows for name in row)
    _refuse_texts(rows, names, where)
    keys = _step_keys(names, step, where)
    points: list[tuple[int, str, float]] = []
    lost = 0
    for row in rows:
        at = next((found for key in keys if (found := _step(row.get(key))) is not None), None)
        if at is None:
            lost += 1
            continue
        points += _points(at, row, keys)
    if not points:
        raise InputError("no numbers with a step", where=where, expected=LOGS)
    frame = pl.DataFrame(points, schema=SCHEMA, orient="row")
    notes = (say("training_run.note.no_step", count=lost),) if lost else ()
    return Logged(frame, kind, len(rows), frozenset(names), framework, notes)


def _points(at: int, row: Mapping[str, Any], keys: Iterable[str]) -> Iterator[tuple[int, str, float]]:
    """The numbers of one row; a table that is long already has one number a row, and the key beside it."""
    named = next((row[name] for name in ("metric", "Metric", "key", "tag") if isinstance(row.get(name), str)), None)
    value = number(row.get("value", row.get("Value")))
    if named is not None:
        if value is not None:
            yield at, named, value
        return
    for key, item in row.items():
        found = None if key in keys else number(item)
        if found is not None:
            yield at, key, found


def _step_keys(names: Iterable[str], step: str | None, where: str) -> tuple[str, ...]:
    names = list(names)
    if step is not None and step not in names:
        near = difflib.get_close_matches(step, names, n=1, cutoff=0.5)
        fix = mapping({"step": near[0]}) if near else None
        raise InputError(f"no column {step!r}", where=where, expected=f"one of {', '.join(names[:12])}", fix=fix)
    for wanted in ((step,) if step else STEPS, _COUNTERS):
        keys = tuple(key for key in wanted if key in names)
        if keys:
            return keys
    near = [
        match for name in ("step", "global_step", "iter") for match in difflib.get_close_matches(name, names, 1, 0.5)
    ]
    raise InputError(
        f"no step among {', '.join(names[:12]) or 'no columns'}",
        where=where,
        expected="step or global_step",
        fix=mapping({"step": near[0] if near else "COLUMN"}),
    )


def _step(value: Any) -> int | None:
    """A step, also ms-swift's "5/100"."""
    found = number(value.partition("/")[0] if isinstance(value, str) else value)
    return int(found) if found is not None and math.isfinite(found) and abs(found) < 2**53 else None


def _refuse_texts(rows: list[Mapping[str, Any]], names: Iterable[str], where: str) -> None:
    texts = [name for name in _TEXTS if any(isinstance(row.get(name), str | list) for row in rows[:20])]
    if texts:
        pairs = {"chosen", "rejected"} <= set(names)
        fix = f"--pairs {where}" if pairs else f"--responses {where}"
        raise InputError(f"rows of texts ({', '.join(texts)})", where=where, expected=LOGS, fix=fix)
