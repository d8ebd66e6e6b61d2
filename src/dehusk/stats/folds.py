"""Splits that keep a prompt's rows together."""

from __future__ import annotations

from typing import Any

import numpy as np

from dehusk.core.errors import NotEnoughData

Ints = np.ndarray[Any, np.dtype[np.int64]]


def grouped_folds(groups: Ints, count: int, rng: np.random.Generator) -> Ints:
    """Fold 0 … count − 1 of each row, shape (n,); rows of one group share a fold, folds have equal numbers of groups.

    Args:
        groups: Group of each row, shape (n,).
        count: Number of folds.
        rng: Which group goes where.

    Raises:
        NotEnoughData: with fewer groups than folds.

    >>> folds = grouped_folds(np.array([0, 0, 1, 2, 2]), 3, np.random.default_rng(0))
    >>> bool(folds[0] == folds[1]), len(set(folds.tolist()))
    (True, 3)
    """
    names, index = np.unique(groups, return_inverse=True)
    if names.size < count:
        raise NotEnoughData(f"at least {count} prompts, got {names.size}")
    folds: Ints = (rng.permutation(names.size) % count)[index]
    return folds
