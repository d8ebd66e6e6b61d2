"""How far a row lies from 0 when columns go together: lengths under a covariance that few rows cannot distort."""

from __future__ import annotations

from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]


def shrunk_covariance(x: Floats) -> Floats:
    """Covariance about 0, drawn towards a multiple of the identity (Ledoit and Wolf, 2004), shape (k, k).

    By as much as is expected to bring it nearest to the truth: hardly with many rows, almost wholly where there are
    fewer rows than columns. Differences of pairs are centred at 0 by nature, so no mean is taken out, and turning pairs
    around changes nothing.

    Args:
        x: Columns of comparable scale, shape (n, k), k >= 1.
    """
    n, k = x.shape
    found: Floats = x.T @ x / n
    level = np.trace(found) / k
    apart = ((found - level * np.eye(k)) ** 2).sum()
    noise = ((x**2).sum(axis=1) ** 2).sum() / n**2 - (found**2).sum() / n
    share = min(1.0, max(0.0, noise / apart)) if apart > 0 else 1.0
    shrunk: Floats = (1 - share) * found + share * level * np.eye(k)
    return shrunk


def mahalanobis_lengths(x: Floats) -> Floats:
    """Distance of each row from 0 in units of the shrunk covariance (Mahalanobis, 1936), shape (n,).

    Two columns that say the same count once.

    Args:
        x: Differences, in any units, no column all 0, shape (n, k).

    >>> mahalanobis_lengths(np.array([[1.0], [-1.0], [2.0], [0.0]])).round(2).tolist()
    [0.82, 0.82, 1.63, 0.0]
    """
    standard = x / np.sqrt((x**2).mean(axis=0))
    solved = np.linalg.solve(shrunk_covariance(standard), standard.T)
    lengths: Floats = np.sqrt(np.einsum("nk,kn->n", standard, solved))
    return lengths
