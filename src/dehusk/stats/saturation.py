"""When training on pairs has nothing left to learn: one rule for finished logs and for runs under way."""

from __future__ import annotations

from typing import Any

import numpy as np

Bools = np.ndarray[Any, np.dtype[np.bool_]]

FULL, EMPTY = 0.97, 0.05  # accuracy, and loss, under an exponential average (RM-SAT)
NOT_LEARNT = 0.9  # accuracy below which a loss of 0 is no saturation
EARLY = 0.2  # of the run, or of the first epoch
GROWN = 1.1  # times the margin at saturation, where there are too few points for a slope
_MOSTLY = 0.9


def for_good(there: Bools) -> int | None:
    """First place from which at least nine tenths of a curve is there, its end included; None without one.

    >>> for_good(np.array([False, True, True, True])), for_good(np.array([True, True, False]))
    (1, None)
    """
    rest = np.cumsum(there[::-1])[::-1] / np.arange(there.size, 0, -1)
    places = np.flatnonzero(there & (rest >= _MOSTLY))
    return int(places[0]) if places.size and there[-1] else None
