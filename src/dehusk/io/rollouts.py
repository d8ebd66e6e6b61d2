"""Folders of rollouts as trainers dump them: TRL (a Parquet file a step) and verl (`<step>.jsonl`)."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import polars as pl

from dehusk.core.errors import InputError
from dehusk.io.files import RawTable, guard_os, read_raw

_STEP = re.compile(r"^(?:completions_)?0*(\d+)\.(parquet|jsonl)$")


def is_dump(folder: Path) -> bool:
    """Whether a folder holds rollouts, one file a step."""
    return folder.is_dir() and any(_STEP.match(item.name) for item in folder.iterdir())


def read_dump(folder: Path) -> RawTable:
    """All steps of a dump as one table, in the order of the steps; `step` comes from the file name if it is not inside.

    Raises:
        InputError: naming the file that cannot be read.
    """
    files = guard_os(
        lambda: sorted((int(m[1]), item) for item in folder.iterdir() if (m := _STEP.match(item.name))), folder
    )
    parts, digest, damaged, done = [], hashlib.sha256(), [], 0
    for step, file in files:
        raw = read_raw(str(file))
        digest.update(raw.sha256.encode())
        frame = raw.frame
        if "step" not in frame.columns:
            frame = frame.with_columns(step=pl.lit(step, pl.Int64))
        parts.append(frame)
        damaged.append(raw.damaged + done)
        done += frame.height
    try:
        frame = pl.concat(parts, how="diagonal_relaxed")
    except pl.exceptions.PolarsError:
        raise InputError(
            "files with different types of columns", where=str(folder), expected="one run's dump"
        ) from None
    return RawTable(str(folder), "rollouts", frame, digest.hexdigest(), damaged=np.concatenate(damaged))
