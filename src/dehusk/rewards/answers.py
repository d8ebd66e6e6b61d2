"""What a reward model answered, as numbers: one finite score a text, or the error that says which one is not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dehusk.core.errors import BackendError
from dehusk.core.tables import Floats


def as_scores(answer: Any, count: int, who: str) -> Floats:
    """Scores of `count` texts, shape (count,).

    A missing score is an error and never 0: a reward that a server failed to compute must not look like a low one.

    Args:
        answer: Numbers in the order of the texts: a list, an array, a tensor.
        count: How many texts were asked about.
        who: Whose answer it is, for the error.

    Raises:
        BackendError: another number of scores, or one that is no finite number.
    """
    try:
        values = list(answer)
    except TypeError:
        raise BackendError(f"{who}: answered {_shown(answer)}; expected {count:,} scores") from None
    if len(values) != count:
        raise BackendError(f"{who}: answered {len(values):,} scores for {count:,} texts")
    scores = np.empty(count)
    for place, value in enumerate(values):
        scores[place] = _number(value)
        if not math.isfinite(scores[place]):
            raise BackendError(f"{who}: no score for text {place + 1:,} of {count:,}, but {_shown(value)}")
    return scores


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _shown(value: Any) -> str:
    return " ".join(repr(value).split())[:80]
