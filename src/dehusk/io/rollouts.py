"""Folders of rollouts as trainers dump them: TRL (a Parquet file a step) and verl (`<step>.jsonl`)."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import polars as pl

from dehusk.io.files import RawTable, guard_os, read_raw, stacked

_STEP = re.compile(r"^(?:completions_)?0*(\d+)\.(parquet|jsonl)$")


def dump_in(folder: Path) -> Path | None:
    """The folder that holds rollouts, one file a step: this one, or TRL's `completions` in it."""
    places = (folder, folder / "completions")
    return next((place for place in places if place.is_dir() and any(map(_step_of, place.iterdir()))), None)


def _step_of(file: Path) -> re.Match[str] | None:
    return _STEP.match(file.name)


def read_dump(folder: Path) -> RawTable:
    """All steps of a dump as one table, in the order of the steps; `step` comes from the file name if it is not inside.

    Raises:
        InputError: naming the file that cannot be read.
    """
    files = guard_os(
        lambda: sorted((int(found[1]), item) for item in folder.iterdir() if (found := _step_of(item))), folder
    )
    parts = []
    for step, file in files:
        raw = read_raw(str(file))
        known = "step" in raw.frame.columns
        parts.append(raw if known else replace(raw, frame=raw.frame.with_columns(step=pl.lit(step, pl.Int64))))
    return stacked(parts, str(folder), "rollouts")
