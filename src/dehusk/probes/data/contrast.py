"""Chosen against rejected, feature by feature: the numbers behind `data.association`, many features at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from weakref import WeakKeyDictionary, ref

import numpy as np
import polars as pl

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Estimate
from dehusk.core.kinds import Feature
from dehusk.core.tables import Floats, Ints, Measures, Pairs
from dehusk.stats.bounding import bounded
from dehusk.stats.panel import Effects, clustered_means, clustered_sign_ps, effects_of
from dehusk.stats.ranking import mean_shares
from dehusk.stats.regression import marginal_shifts, paired_logit

SHIFT_UNIT = "win-rate shift"
NEAR = 0.9  # correlation of differences above which two features cannot be told apart
_BLOCK = 1_000_000  # numbers worked on at a time, so that they stay in the processor's cache


@dataclass(frozen=True)
class Contrast:
    """What each of k features has to do with the label; entry j of every array belongs to `features[j]`."""

    features: tuple[Feature, ...]
    counts: Ints  # (k, 3): pairs in which chosen has more, rejected has more, both the same
    means: Floats  # (k, 2): mean in chosen, in rejected
    shift: Effects  # share of pairs where chosen has more − share where rejected has; p exact for presence
    win_rate: Effects  # among pairs that differ, how often the one with more is chosen
    standardised: Effects  # mean difference / pooled standard deviation
    at_equal_length: Effects  # the shift with the lengths of the pair held


_KNOWN: WeakKeyDictionary[Pairs, tuple[ref[Measures], Contrast]] = WeakKeyDictionary()


def contrast(pairs: Pairs, measures: Measures) -> Contrast:
    """Compare the two sides on every feature, each row weighted, clustered by prompt.

    Two probes ask for it, so the answer is kept for as long as the tables are.

    Raises:
        NotEnoughData: without features.
    """
    known = _KNOWN.get(pairs)
    if known is None or known[0]() is not measures:
        known = ref(measures), _contrast(pairs, measures, measures.on("chosen"))
        _KNOWN[pairs] = known
    return known[1]


def _contrast(pairs: Pairs, measures: Measures, features: tuple[Feature, ...]) -> Contrast:
    lengths = length_terms(pairs)
    parts = [_block(pairs, measures, block, lengths) for block in _blocks(features, len(pairs))]
    if not parts:
        raise NotEnoughData("at least 1 feature measured on both sides")
    return Contrast(
        features,
        np.concatenate([part.counts for part in parts]),
        np.concatenate([part.means for part in parts]),
        shift=_joined([part.shift for part in parts]),
        win_rate=_joined([part.win_rate for part in parts]),
        standardised=_joined([part.standardised for part in parts]),
        at_equal_length=_joined([part.at_equal_length for part in parts]),
    )


def shifts(pairs: Pairs, measures: Measures, features: Sequence[Feature], parts: Sequence[Ints]) -> list[Effects]:
    """Win-rate shift of every feature in each part of the data, given by its row numbers."""
    clusters, weights = pairs.groups, weights_of(pairs)
    found: list[list[Effects]] = [[] for _ in parts]
    for block in _blocks(features, len(pairs)):
        sign = np.sign(np.stack(list(differences(measures, block)), axis=1))
        for effects, rows in zip(found, parts, strict=True):
            effects.append(_shift(sign[rows], clusters[rows], weights[rows], block))
    return [_joined(effects) for effects in found]


def adjusted(pairs: Pairs, measures: Measures, features: Sequence[Feature]) -> tuple[Effects, list[list[str]]]:
    """Win-rate shift of each feature with all the others held, and the features it can hardly be told from.

    One logistic model of all features, each difference bounded as tanh(difference / root mean square) so that no single
    extreme pair decides; a pair where a value is missing counts as equal.

    Raises:
        NotEnoughData: with fewer than ten prompts a feature.
    """
    prompts = int(pairs.groups.max()) + 1
    if prompts < 10 * len(features) or not features:
        raise NotEnoughData(
            f"at least {10 * max(len(features), 1)} prompts for {len(features)} features, got {prompts}"
        )
    weights = weights_of(pairs)
    x = np.stack([bounded(np.nan_to_num(values)) for values in differences(measures, features)], axis=1)
    fit = paired_logit(x, weights=weights)
    effects = effects_of(*marginal_shifts(x, fit, weights=weights), pairs.groups)
    scaled = x / np.sqrt((x**2).sum(axis=0))
    close = np.abs(scaled.T @ scaled) >= NEAR
    np.fill_diagonal(close, False)
    return effects, [[features[int(other)].name for other in np.flatnonzero(row)] for row in close]


def estimate(effects: Effects, index: int, unit: str, method: str, p: float | None = None) -> Estimate | None:
    """One entry as an `Estimate`, or None where there is no number."""
    numbers = [float(array[index]) for array in effects[:4]]
    if not np.isfinite(numbers).all():
        return None
    value, low, high, own_p = numbers
    return Estimate(value, low, high, int(effects.n[index]), unit, method, own_p if p is None else p)


def differences(measures: Measures, features: Sequence[Feature]) -> Iterator[Floats]:
    """Chosen − rejected of each feature, shape (n,), NaN where it must not be tested."""
    for feature in features:
        yield measures.values("chosen", feature.name) - measures.values("rejected", feature.name)


def bounded_differences(measures: Measures, features: Sequence[Feature], rows: Ints) -> Floats:
    """Bounded chosen − rejected of the features that vary in some rows of the pairs, shape (n, k); missing is 0."""
    columns = [bounded(np.nan_to_num(column[rows])) for column in differences(measures, features)]
    varying = [column for column in columns if column.any()]
    return np.stack(varying, axis=1) if varying else np.zeros((len(rows), 0))


def weights_of(pairs: Pairs) -> Floats:
    """Weight of each pair, shape (n,)."""
    weights = pairs.frame["weight"].to_numpy()
    shares: Floats = weights / weights.max(initial=0.0)  # their scale means nothing, and a huge one overflows
    return shares


def log_lengths(pairs: Pairs) -> Floats:
    """Log of 1 + characters of chosen − that of rejected, shape (n,)."""
    sides = pairs.frame.select(pl.col("chosen", "rejected").str.len_chars().cast(pl.Float64).log1p())
    return (sides["chosen"] - sides["rejected"]).to_numpy()


def length_terms(pairs: Pairs) -> Floats:
    """Odd functions of the length difference, piecewise linear with knots at its terciles, shape (n, m <= 3)."""
    difference = log_lengths(pairs)
    size, sign = np.abs(difference), np.sign(difference)
    low, high = np.quantile(size, [1 / 3, 2 / 3])
    pieces = (np.minimum(size, low), np.clip(size - low, 0, high - low), np.maximum(size - high, 0))
    scales = [float(np.sqrt(np.mean(piece**2))) for piece in pieces]
    kept = [sign * piece / scale for piece, scale in zip(pieces, scales, strict=True) if scale > 0]
    return np.stack(kept, axis=1) if kept else np.zeros((len(pairs), 0))


def _joined(parts: Sequence[Effects]) -> Effects:
    return Effects(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _blocks(features: Sequence[Feature], rows: int) -> list[tuple[Feature, ...]]:
    """Neighbours of one kind, so that a block's columns have the same rows to be tested on."""
    size = max(1, _BLOCK // max(rows, 1))
    kinds = [tuple(kind) for _, kind in groupby(features, key=lambda feature: feature.discovered)]
    return [kind[start : start + size] for kind in kinds for start in range(0, len(kind), size)]


def _block(pairs: Pairs, measures: Measures, features: tuple[Feature, ...], lengths: Floats) -> Contrast:
    chosen = np.stack([measures.values("chosen", feature.name) for feature in features], axis=1)
    rejected = np.stack([measures.values("rejected", feature.name) for feature in features], axis=1)
    rows = np.flatnonzero(~np.isnan(chosen).all(axis=1))  # a block of mined features has no use for half of the rows
    rows = rows if rows.size else np.arange(len(pairs))  # nothing may be tested: all NaN, and so are the estimates
    clusters, weights, lengths = pairs.groups[rows], weights_of(pairs)[rows], lengths[rows]
    chosen, rejected = chosen[rows], rejected[rows]
    sign = np.sign(chosen - rejected)
    counts = np.stack([(sign > 0).sum(axis=0), (sign < 0).sum(axis=0), (sign == 0).sum(axis=0)], axis=1)
    kept = ~np.isnan(sign)
    total = np.maximum(kept.sum(axis=0), 1)
    means = np.stack([np.where(kept, side, 0).sum(axis=0) / total for side in (chosen, rejected)], axis=1)
    return Contrast(
        features,
        counts.astype(np.int64),
        means,
        _shift(sign, clusters, weights, features),
        mean_shares(np.where(sign == 0, np.nan, (sign + 1) / 2), clusters, weights=weights),
        _standardised(chosen, rejected, clusters, weights),
        _at_equal_length(chosen - rejected, lengths, clusters, weights),
    )


def _shift(sign: Floats, clusters: Ints, weights: Floats, features: Sequence[Feature]) -> Effects:
    effects = clustered_means(sign, clusters, weights=weights)
    presence = np.array([feature.unit == "presence" for feature in features]) & ~np.isnan(effects.p)
    if presence.any():
        counted = np.where(weights[:, None] > 0, sign[:, presence], 0)
        effects.p[presence] = clustered_sign_ps(counted, clusters)
    return effects


def _standardised(chosen: Floats, rejected: Floats, clusters: Ints, weights: Floats) -> Effects:
    kept = ~np.isnan(chosen - rejected) & (weights > 0)[:, None]
    share = kept * weights[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = share / share.sum(axis=0)
        chosen, rejected = np.where(kept, chosen, 0), np.where(kept, rejected, 0)
        first, second = (share * chosen).sum(axis=0), (share * rejected).sum(axis=0)
        spread = ((chosen - first) ** 2 + (rejected - second) ** 2) / 2
        variance = (share * spread).sum(axis=0)
        value = (first - second) / np.sqrt(variance)
        # The standard deviation is estimated too: delta method on mean / sqrt(variance).
        error = (chosen - rejected - (first - second)) / np.sqrt(variance) - value * (spread - variance) / (
            2 * variance
        )
        return effects_of(value, share * error, clusters, present=kept)


def _at_equal_length(difference: Floats, lengths: Floats, clusters: Ints, weights: Floats) -> Effects:
    value, influence = np.full(difference.shape[1], np.nan), np.zeros(difference.shape)
    present = ~np.isnan(difference) & (weights > 0)[:, None]
    if lengths.shape[1] and len(lengths) >= 10:
        start = np.concatenate([[0.0], paired_logit(lengths, weights=weights).beta])  # saves half of the steps
        for column in range(difference.shape[1]):
            rows = np.flatnonzero(present[:, column])
            own = difference[rows, column]
            if np.count_nonzero(own) < 10:
                continue
            x = np.column_stack([bounded(own), lengths[rows]])
            fit = paired_logit(x, weights=weights[rows], start=start, tolerance=1e-6)
            value[column : column + 1], found = marginal_shifts(x, fit, columns=1, weights=weights[rows])
            influence[rows, column] = found[:, 0]
    return effects_of(value, influence, clusters, present=present)
