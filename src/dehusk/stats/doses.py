"""What one dose of a treatment does, from responses at several doses."""

from __future__ import annotations

from typing import Any

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.stats.effects import Effect
from dehusk.stats.panel import effects_of

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


def dose_slope(gains: Floats, doses: Floats, clusters: Ints, *, level: float = 0.95) -> Effect:
    """Slope through the origin of a gain over dose 0: sum(dose · gain) / sum(dose²), the least-squares line.

    Args:
        gains: Change against the same subject without the treatment, shape (n,); NaN rows are left out.
        doses: Positive, shape (n,).
        clusters: Shape (n,), any integers; the interval lets only clusters vary (CR1).
        level: Coverage of the interval.

    Raises:
        NotEnoughData: with fewer than two clusters.

    >>> dose_slope(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]), np.arange(3)).value
    1.0
    """
    kept = ~np.isnan(gains)
    gains, doses, clusters = gains[kept], doses[kept], clusters[kept]
    if np.unique(clusters).size < 2:
        raise NotEnoughData(f"at least 2 prompts with a value, got {np.unique(clusters).size}")
    power = float((doses**2).sum())
    slope = float(doses @ gains) / power
    influence = doses * (gains - slope * doses) / power
    found = effects_of(np.array([slope]), influence[:, None], clusters, level=level)
    return Effect(slope, float(found.low[0]), float(found.high[0]), float(found.p[0]), int(found.n[0]))
