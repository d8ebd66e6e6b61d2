"""Differences kept from outweighing each other."""

from __future__ import annotations

from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]


def bounded(differences: Floats) -> Floats:
    """An odd, bounded, unit-free version of differences: tanh(difference / root mean square), column by column.

    Args:
        differences: Shape (n,) or (n, k), without gaps; a column of zeros stays one.

    >>> bounded(np.array([-1.0, 0.0, 1.0, 300.0])).round(2).tolist()
    [-0.01, 0.0, 0.01, 0.96]
    """
    scale = np.sqrt(np.mean(differences**2, axis=0))
    found: Floats = np.tanh(differences / np.where(scale > 0, scale, 1.0))
    return found
