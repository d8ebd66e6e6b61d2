"""What each thing that was done to answers earns a dose, and what it earns beyond neutral text of its length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Curve, Estimate
from dehusk.core.tables import Floats, Ints, Scores
from dehusk.probes.reward_model.trials import FEWEST, Treatment
from dehusk.stats.doses import dose_slope
from dehusk.stats.effects import clustered_mean
from dehusk.stats.multiplicity import FAMILIES, benjamini_hochberg

UNIT = "SD per dose"
METHOD = "slope over doses, clustered by prompt"
_FEWEST_AT_A_DOSE = 5  # prompts that a point of a curve needs


class Gains(NamedTuple):
    """What n edited answers score more than before, in SD, turned so that it says what the feature earns."""

    raw: Floats
    net: Floats  # less what neutral text of the same length earns there; NaN where that is not known
    dose: Floats
    prompt: Ints
    place: pl.Series
    added: Floats  # characters


class Earning(NamedTuple):
    """What one treatment earns a dose."""

    treatment: Treatment
    gains: Gains
    slope: Estimate
    net: Estimate | None
    q: float


def within_prompt_spread(scores: Scores) -> float:
    """Pooled standard deviation of the scores within a prompt: sqrt(mean(difference² / 2)) over the scored pairs.

    Raises:
        NotEnoughData: when no pair is scored or no two scores differ.
    """
    difference = scores.of("chosen") - scores.of("rejected")
    difference = difference[np.isfinite(difference)]
    spread = float(np.sqrt((difference**2).mean() / 2)) if difference.size else 0.0
    if spread == 0:
        raise NotEnoughData("scores that differ")
    return spread


def earnings(base: pl.DataFrame, made: pl.DataFrame, tried: Sequence[Treatment]) -> list[Earning]:
    """Slopes of all that was tried on at least 20 prompts; mined phrases and the rest are two families of tests.

    Args:
        base: The answers before, columns text and group.
        made: The edited answers, columns treatment, base, place, dose, text and gain (in SD).
        tried: What the numbers in `treatment` mean.
    """
    length = pl.col("text").str.len_chars().cast(pl.Int64)
    before = base.select(length)["text"].gather(made["base"])
    made = made.with_columns(added=length - before, prompt=base["group"].gather(made["base"]))
    neutral = _Neutral(made, tried)
    found: list[tuple[Treatment, Gains, Estimate, Estimate | None]] = []
    for number, treatment in enumerate(tried):
        rows = made.filter(pl.col("treatment") == number)
        gains = _gains(rows, treatment.sign, None if treatment.yardstick else neutral.gains(rows))
        slope = slope_of(gains.raw, gains)
        if slope is not None:
            net = slope_of(gains.net, gains) if np.isfinite(gains.net).mean() >= 0.5 else None
            found.append((treatment, gains, slope, net))
    p = np.array([slope.p for _, _, slope, _ in found], dtype=np.float64)
    mined = np.array([treatment.is_mined for treatment, *_ in found], dtype=bool)
    q = np.where(
        mined,
        benjamini_hochberg(np.where(mined, p, np.nan), families=FAMILIES),
        benjamini_hochberg(np.where(mined, np.nan, p), families=FAMILIES),
    )
    return [Earning(*parts, float(rate)) for parts, rate in zip(found, q, strict=True)]


def _gains(rows: pl.DataFrame, sign: int, neutral: Floats | None) -> Gains:
    raw = rows["gain"].to_numpy()
    net = np.full(raw.shape, np.nan) if neutral is None else raw - neutral
    dose, added = (rows[name].cast(pl.Float64).to_numpy() for name in ("dose", "added"))
    return Gains(sign * raw, sign * net, dose, rows["prompt"].to_numpy(), rows["place"], added)


class _Neutral:
    """What neutral text earns each answer: lines through the doses of neutral sentences, by place."""

    def __init__(self, made: pl.DataFrame, tried: Sequence[Treatment]) -> None:
        yardsticks = [number for number, treatment in enumerate(tried) if treatment.yardstick]
        rows = made.filter(pl.col("treatment").is_in(yardsticks)).sort("added")
        self._lines: dict[tuple[int, str], tuple[list[float], list[float]]] = {}
        for base, place, added, gain in rows.select("base", "place", "added", "gain").iter_rows():
            x, y = self._lines.setdefault((base, place), ([0.0], [0.0]))
            x.append(added)
            y.append(gain)

    def gains(self, rows: pl.DataFrame) -> Floats:
        """Gain from as many neutral characters, shape (n,), none beyond the longest; taking away is adding turned."""
        found = np.full(len(rows), np.nan)
        for row, (base, place, added) in enumerate(rows.select("base", "place", "added").iter_rows()):
            x, y = self._lines.get((base, "end" if place == "throughout" else place), ([0.0], [0.0]))
            if abs(added) <= x[-1]:
                found[row] = np.sign(added) * np.interp(abs(added), x, y)
        return found


def slope_of(values: Floats, gains: Gains, rows: Floats | None = None) -> Estimate | None:
    """Slope over the doses, None from too few prompts; `rows` is a mask of what counts, shape (n,)."""
    kept = np.isfinite(values) if rows is None else np.isfinite(values) & (rows > 0)
    if np.unique(gains.prompt[kept]).size < FEWEST:
        return None
    value, low, high, p, n = dose_slope(values[kept], gains.dose[kept], gains.prompt[kept])
    return Estimate(value, low, high, n, UNIT, METHOD, p)


def dose_response(name: str, gains: Gains) -> Curve:
    """Mean gain at every dose that enough answers got, from 0 at dose 0."""
    points: list[tuple[float, float, float | None, float | None]] = [(0.0, 0.0, None, None)]
    for dose in np.unique(gains.dose).tolist():
        here = gains.dose == dose
        if np.unique(gains.prompt[here]).size >= _FEWEST_AT_A_DOSE:
            points.append((dose, *clustered_mean(gains.raw[here], gains.prompt[here])[:3]))
    x, value, low, high = zip(*points, strict=True)
    return Curve(name, "dose", "SD", x, value, low, high)
