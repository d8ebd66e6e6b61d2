"""Finding the reader that knows a file, and reading it."""

from __future__ import annotations

from dehusk.core.errors import InputError
from dehusk.core.run import InputRecord
from dehusk.core.tables import TrainLog


def read_log(path: str) -> tuple[TrainLog, InputRecord]:
    """Read a trainer's output folder or log file.

    Raises:
        InputError: nothing in it is known as a log.
    """
    raise InputError("logs cannot be read yet", where=path)
