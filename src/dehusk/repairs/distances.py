"""How far the two answers of a pair lie apart, in style and in content, each beyond what texts of their size do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from dehusk.core.errors import NotEnoughData
from dehusk.core.tables import Floats, Ints, Measures, Pairs
from dehusk.repairs.targets import difference
from dehusk.stats.bounding import bounded
from dehusk.stats.covariance import mahalanobis_lengths

Points = np.ndarray[Any, np.dtype[np.float32]]
OFTEN = 0.05  # share of the pairs that must differ in a feature: a rarer one would make each of them far apart
PENALTIES = (0.01, 0.1, 1.0)  # of the mean squared feature difference times the rows
SMALLEST = 1e-3  # of the median: a distance below counts as this, so that it has a logarithm


def style_differences(measures: Measures) -> Floats:
    """Differences chosen − rejected of the declared features that vary, bounded.

    Returns:
        Shape (n, k); 0 where a feature means nothing.

    Raises:
        NotEnoughData: no declared feature differs in any pair.
    """
    names = [feature.name for feature in measures.on("chosen") if not feature.mined]
    x = np.nan_to_num(np.stack([difference(measures, name) for name in names], axis=1)) if names else np.zeros((0, 0))
    x = x[:, x.any(axis=0)]
    if not x.shape[1]:
        raise NotEnoughData("at least 1 declared feature that differs within pairs")
    return bounded(x)


def style_distance(pairs: Pairs, style: Floats, folds: Ints) -> Floats:
    """Mahalanobis length of the style differences, as a multiple of what answers of such lengths have, shape (n,).

    Features that differ in fewer than 5 % of the pairs are left out.

    Args:
        pairs: The pairs.
        style: Bounded differences, shape (n, k).
        folds: Fold of each row by prompt, shape (n,).

    Raises:
        NotEnoughData: every feature is rarer than that.
    """
    common = (np.abs(style) > OFTEN).mean(axis=0) >= OFTEN
    if not common.any():
        raise NotEnoughData("at least 1 declared feature that differs within 5% of the pairs")
    return beyond(mahalanobis_lengths(style[:, common]), _lengths(pairs), folds)


def content_distance(pairs: Pairs, points: tuple[Points, Points], style: Floats, folds: Ints) -> Floats:
    """Distance of the two answers' points, as a multiple of what answers of such lengths and style have, shape (n,).

    First the part of the difference that the style differences predict is taken out, by a ridge regression fitted on
    other prompts. What is left still grows where answers are short, where they are unlike in length and where much is
    unlike in style, in whatever direction; that size is taken out second.

    Args:
        pairs: The pairs.
        points: Of the chosen and of the rejected answers, shape (n, d) each.
        style: Bounded differences, shape (n, k).
        folds: Fold of each row by prompt, shape (n,).

    Raises:
        NotEnoughData: the points of the two answers are the same in most pairs.
    """
    gap = (points[0].astype(np.float64) - points[1]).astype(np.float64)
    size = np.sqrt((_unpredicted(gap, style, folds) ** 2).sum(axis=1))
    return beyond(size, np.column_stack([_lengths(pairs), np.abs(style)]), folds)


def beyond(size: Floats, known: Floats, folds: Ints) -> Floats:
    """Sizes as multiples of what is usual where the known numbers are what they are, shape (n,).

    Logarithms are regressed on the known numbers, on other folds each time, and what is left is raised again.

    Args:
        size: Non-negative, shape (n,).
        known: Shape (n, k).
        folds: Shape (n,).

    Raises:
        NotEnoughData: most sizes are 0.
    """
    middle = float(np.median(size))
    if middle <= 0:
        raise NotEnoughData("answers that lie apart in most pairs")
    logs = np.log(np.maximum(size, SMALLEST * middle))
    spread = known.std(axis=0)
    standard = (known - known.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    left = np.empty(len(logs))
    for here, rest in _splits(folds):
        slopes = _ridge(standard[rest], logs[rest] - logs[rest].mean(), PENALTIES[0])
        left[here] = logs[here] - logs[rest].mean() - standard[here] @ slopes
    return np.exp(left)


def _unpredicted(gap: Floats, style: Floats, folds: Ints) -> Floats:
    """What of the difference of two points (n, d) their style does not predict, by the penalty that predicts best."""
    standard = style / np.sqrt((style**2).mean(axis=0))
    best: Floats = gap
    least = np.inf
    for penalty in PENALTIES:
        left: Floats = np.zeros(gap.shape)
        for here, rest in _splits(folds):
            left[here] = gap[here] - standard[here] @ _ridge(standard[rest], gap[rest], penalty)
        loss = float((left**2).sum())
        if loss < least:
            best, least = left, loss
    return best


def _ridge(x: Floats, y: Floats, penalty: float) -> Floats:
    gram = x.T @ x
    solved: Floats = np.linalg.solve(gram + penalty * len(x) * np.eye(len(gram)), x.T @ y).astype(np.float64)
    return solved


def _splits(folds: Ints) -> Iterator[tuple[Any, Any]]:
    for fold in np.unique(folds):
        yield folds == fold, folds != fold


def _lengths(pairs: Pairs) -> Floats:
    """Log characters of the prompt, the longer and the shorter answer, and how they bend, shape (n, 7)."""
    logs = pairs.frame.select(pl.col("prompt", "chosen", "rejected").str.len_chars().cast(pl.Float64).log1p())
    prompt, longer, shorter = (
        expression.to_numpy()
        for expression in logs.select(
            "prompt", longer=pl.max_horizontal("chosen", "rejected"), shorter=pl.min_horizontal("chosen", "rejected")
        )
    )
    return np.column_stack([prompt, longer, shorter, prompt**2, longer**2, shorter**2, (longer - shorter) ** 2])
