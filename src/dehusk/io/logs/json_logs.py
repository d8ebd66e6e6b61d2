"""Logs written as JSON: the Trainer's `trainer_state.json`, and one object a line by everyone else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dehusk.core.errors import InputError
from dehusk.core.messages import Text, say
from dehusk.io.logs.points import LOGS, Logged, gathered

Row = Mapping[str, Any]


def read_json(text: str, where: str, *, step: str | None = None, framework: str = "unknown") -> Logged:
    """Read a JSON log of any known form.

    Python's own reader is used because a trainer writes NaN and Infinity, which JSON does not have.

    Args:
        text: The whole file.
        where: Its name for errors.
        step: Key of the step, if the user named it.
        framework: What the neighbours of the file say.

    Raises:
        InputError: broken JSON with its line, or JSON that is no log.
    """
    rows, cut = _lines(text, where)
    notes: tuple[Text, ...] = (say("training_run.note.cut"),) if cut else ()
    if rows is None:
        logged = _document(_parsed(text, where), where, step, framework)
    elif all(isinstance(row.get("data"), dict) for row in rows):
        flat = [{**row["data"], "step": row.get("step")} for row in rows]
        logged = gathered(flat, "verl", where, step=step, framework="verl")
    else:
        kind, known = _form(rows)
        logged = gathered(rows, kind, where, step=step, framework=known if framework == "unknown" else framework)
    return Logged(**{**vars(logged), "notes": logged.notes + notes})


def _form(rows: list[Row]) -> tuple[str, str]:
    """Form and framework of one object a line, by the keys that only one trainer writes."""
    names = {name for row in rows for name in row}
    if "current_steps" in names:
        return "trainer_log", "llama-factory"
    return ("logging", "ms-swift") if "global_step/max_steps" in names else ("jsonl", "unknown")


def _document(tree: Any, where: str, step: str | None, framework: str) -> Logged:
    history = tree.get("log_history") if isinstance(tree, dict) else tree
    if isinstance(history, list) and history and all(isinstance(row, dict) for row in history):
        kind = "trainer_state" if isinstance(tree, dict) else "json"
        return gathered(history, kind, where, step=step, framework=framework)
    if history == []:
        raise InputError("nothing was logged yet", where=where, expected="at least one entry in log_history")
    what = "JSON without log_history" if isinstance(tree, dict) else "JSON that is no list of objects"
    raise InputError(what, where=where, expected=LOGS)


def _lines(text: str, where: str) -> tuple[list[Row] | None, bool]:
    """Rows of one object a line, and whether the last one was cut off; None for a JSON document.

    A last line without an end is what a killed run leaves; a broken line anywhere else is an error.
    """
    lines = text.split("\n")
    filled = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    rows: list[Row] = []
    for number, line in filled:
        try:
            row = json.loads(line)
        except RecursionError:
            raise InputError("JSON nested too deeply", where=where, row=number, expected=LOGS) from None
        except ValueError as error:
            if not rows:
                return None, False
            if number == len(lines):
                return rows, True
            raise InputError(
                f"broken JSON: {getattr(error, 'msg', error)}", where=where, row=number, expected="one object a line"
            ) from None
        if not isinstance(row, dict) or ("log_history" in row and len(filled) == 1):
            return None, False
        rows.append(row)
    return rows, False


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        fix = "an earlier checkpoint-*/trainer_state.json" if "log_history" in text[:100_000] else None
        what = f"broken JSON: {error.msg}"
        raise InputError(what, where=where, row=error.lineno, expected="a whole document", fix=fix) from None
    except RecursionError:
        raise InputError("JSON nested too deeply", where=where, expected=LOGS) from None
