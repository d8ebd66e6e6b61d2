"""False discoveries held in check."""

from __future__ import annotations

from typing import Any

import numpy as np

FAMILIES = 2  # declared and mined features, which every audit tests side by side
Floats = np.ndarray[Any, np.dtype[np.float64]]


def benjamini_hochberg(p: Floats, *, families: int = 1) -> Floats:
    """Smallest false-discovery rate at which each hypothesis would be rejected (Benjamini and Hochberg, 1995).

    Args:
        p: Two-sided p-values of one family, shape (k,); NaN for a hypothesis that was not tested.
        families: Families tested side by side. Each gets its share of the rate (Bonferroni), so that data without
            any effect show something in no more runs than the rate says.

    Returns:
        q-values, shape (k,), NaN where p is; untested hypotheses do not count in the family.

    >>> benjamini_hochberg(np.array([0.01, 0.02, 0.5])).round(3).tolist()
    [0.03, 0.03, 0.5]
    """
    q = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    if tested.size == 0:
        return q
    order = tested[np.argsort(p[tested], kind="stable")]
    scaled = families * p[order] * tested.size / np.arange(1, tested.size + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q
