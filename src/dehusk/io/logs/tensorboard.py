"""Scalars of a TensorBoard run: one event file, or all those of one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from dehusk.core.errors import InputError
from dehusk.core.messages import say
from dehusk.io.logs.events import scalars
from dehusk.io.logs.points import SCHEMA, Logged

PATTERN = "events.out.tfevents.*"


def read_events(contents: Sequence[tuple[Path, bytes]], where: str) -> Logged:
    """Read the event files of one run, oldest first: a resumed run writes another file.

    Raises:
        InputError: a damaged record, or no scalar at all.
    """
    points, cut = [], False
    for path, data in contents:
        found, unfinished = scalars(data, str(path))
        points += found
        cut |= unfinished
    if not points:
        expected = "a run that logged numbers, e.g. train/loss"
        raise InputError("event files without a scalar", where=where, expected=expected)
    frame = pl.DataFrame(points, schema=SCHEMA, orient="row")
    notes = (say("training_run.note.cut"),) if cut else ()
    return Logged(frame, "tensorboard", frame["step"].n_unique(), frozenset(frame["key"]), notes=notes)
