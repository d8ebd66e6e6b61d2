"""Two stages on the same prompts: which features to read how, and what changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import polars as pl

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Estimate
from dehusk.core.kinds import Feature
from dehusk.core.tables import Bools, Floats, Ints, Measures, Responses
from dehusk.stats.effects import wilson
from dehusk.stats.matching import (
    Effects,
    StageMeans,
    contrast,
    length_strata,
    prompt_means,
    sign_p,
    stage_means,
)
from dehusk.stats.multiplicity import FAMILIES, benjamini_hochberg
from dehusk.text.canonical import END, START, canonical
from dehusk.text.language import mainly_chinese

Kind = Literal["rate", "mean"]
LEAST_PROMPTS = 10
_ALWAYS = 0.95  # a feature that this many answers have is read by its mean: its rate has nowhere to go
_CELLS = 8_000_000  # numbers worked on at once, 64 MB


@dataclass(frozen=True)
class Reading:
    """One way to read a feature: how often it is there, or how much of it there is."""

    feature: Feature
    kind: Kind

    def of(self, values: Floats) -> Floats:
        """Turn measured values into what is averaged, NaN kept, shape (n,)."""
        return values if self.kind == "mean" else np.where(np.isnan(values), np.nan, values > 0)

    @property
    def unit(self) -> str:
        """Unit of a difference."""
        return "share" if self.kind == "rate" else self.feature.unit


@dataclass(frozen=True)
class Change:
    """What happened to one reading from one stage to a later one."""

    before: float
    after: float
    raw: Estimate
    matched: Estimate | None  # at equal length; None when no answers of equal length exist, or for length itself
    log_odds: Estimate | None  # of rates only
    log_odds_matched: Estimate | None
    ratio_low: float | None  # lower bound of after / before, rates only
    overlap: dict[str, float]  # coverage, strata and dropped strata of the matching
    left_out: int  # prompts that lack one of the two stages

    @property
    def outgrows_length(self) -> bool:
        """Whether the change stands at equal length, in the direction of the raw one (or length is no matter)."""
        return self.matched is None or (self.matched.low > 0 if self.raw.value > 0 else self.matched.high < 0)


def words(text: pl.Expr) -> pl.Expr:
    """Words of each text, a Chinese or Japanese character being a word, as a list."""
    return canonical(text).str.extract_all(rf"[^\s{START}{END}]+")


def false_discovery(p: Sequence[float], features: Sequence[Feature]) -> Floats:
    """q-values, shape (k,): declared and mined features are two families of tests."""
    values, mined = np.array(p, dtype=np.float64), np.array([feature.mined for feature in features], dtype=bool)
    q: Floats = np.where(
        mined,
        benjamini_hochberg(np.where(mined, values, np.nan), families=FAMILIES),
        benjamini_hochberg(np.where(mined, np.nan, values), families=FAMILIES),
    )
    return q


def readings(responses: Responses, measures: Measures) -> list[tuple[Reading, ...]]:
    """How each feature on the responses is read, headline first; features that no answer has are left out.

    The choice sees all stages together, so it cannot favour a difference between them.
    """
    found: list[tuple[Reading, ...]] = []
    for feature in measures.on("response"):
        values = measures.all_values("response", feature.name)
        values = values[~np.isnan(values)]
        if not values.any():
            continue
        rate, mean = Reading(feature, "rate"), Reading(feature, "mean")
        if feature.unit == "presence":
            found.append((rate,))
        elif feature.family == "length" or values.min() < 0 or (values > 0).mean() >= _ALWAYS:
            found.append((mean,))
        else:
            found.append((rate, mean))
    return found


class Comparison:
    """All stages of one table of responses, ready to be compared two at a time."""

    def __init__(self, responses: Responses, measures: Measures) -> None:
        """Keep the tables; refuses a single stage.

        Raises:
            NotEnoughData: with fewer than two stages.
        """
        if len(responses.stages) < 2:
            raise NotEnoughData(f"answers of at least 2 stages, got {len(responses.stages)}")
        self.responses, self.measures = responses, measures
        self.stage = responses.frame["stage"].to_numpy()

    @cached_property
    def lengths(self) -> Floats:
        """Length of each answer in characters, shape (n,)."""
        return self.responses.frame["response"].str.len_chars().cast(pl.Float64).to_numpy()

    @cached_property
    def chinese(self) -> Bools:
        """Whether each answer is to a Chinese prompt, shape (n,): characters of two scripts are not one unit."""
        return self.responses.frame.select(mainly_chinese(pl.col("prompt")))["prompt"].to_numpy()

    def values(self, reading: Reading) -> Floats:
        """What a reading averages, NaN where it must not be tested, shape (n,)."""
        return reading.of(self.measures.values("response", reading.feature.name))

    def blocks(self, reads: Sequence[Reading]) -> Iterator[tuple[list[int], Bools, Floats]]:
        """Readings that may be tested on the same rows, some at a time.

        Yields:
            Positions in `reads`, the rows (n,) they may be tested on, their values (rows, k).
        """
        by_rows: dict[bytes, list[int]] = {}
        for at, reading in enumerate(reads):
            by_rows.setdefault(np.packbits(~np.isnan(self.values(reading))).tobytes(), []).append(at)
        width = max(1, _CELLS // max(1, self.stage.size))
        for positions in by_rows.values():
            for start in range(0, len(positions), width):
                some = positions[start : start + width]
                tested = ~np.isnan(self.values(reads[some[0]]))
                yield some, tested, np.column_stack([self.values(reads[at])[tested] for at in some])

    def changes(self, reads: Sequence[Reading], earlier: str, later: str) -> list[Change | None]:
        """What changed from `earlier` to `later`; None where too few prompts have both."""
        found: list[Change | None] = [None] * len(reads)
        for positions, tested, values in self.blocks(reads):
            rows, prompts, left_out = self._shared(tested, earlier, later)
            if prompts.size == 0 or prompts.max() + 1 < LEAST_PROMPTS:
                continue
            block = values[np.searchsorted(np.flatnonzero(tested), rows)]
            after = self.stage[rows] == later
            raw = stage_means(block, after, prompts)
            try:
                matched = stage_means(block, after, prompts, length_strata(self.lengths[rows], self.chinese[rows]))
            except NotEnoughData:
                matched = None
            some = [reads[at] for at in positions]
            made = _changes(some, raw, matched, sign_p((block > 0).astype(np.float64), after, prompts), left_out)
            for at, change in zip(positions, made, strict=True):
                found[at] = change
        return found

    def _shared(self, tested: Bools, earlier: str, later: str) -> tuple[Ints, Ints, int]:
        """Rows of prompts that have both stages, their prompts as 0 … g−1, and how many prompts have only one."""
        groups = self.responses.groups
        has = [np.zeros(int(groups.max()) + 1, dtype=bool) for _ in range(2)]
        for side, stage in enumerate((earlier, later)):
            has[side][groups[tested & (self.stage == stage)]] = True
        both = has[0] & has[1]
        rows = np.flatnonzero(tested & both[groups] & ((self.stage == earlier) | (self.stage == later)))
        return rows, (np.cumsum(both) - 1)[groups[rows]], int((has[0] ^ has[1]).sum())

    def levels(self, reads: Sequence[Reading]) -> list[list[dict[str, Any]]]:
        """Each reading at each stage, in the order of the pipeline: its level over the prompts of that stage."""
        found: list[list[dict[str, Any]]] = [[] for _ in reads]
        for positions, tested, values in self.blocks(reads):
            for stage in self.responses.stages:
                here = self.stage[tested] == stage
                if not here.any():
                    continue
                means = prompt_means(values[here], self.responses.groups[tested][here])
                for column, at in enumerate(positions):
                    found[at].append({"stage": stage, **level(reads[at].kind, means[:, column])})
        return found


def shown(value: float, kind: Kind) -> float:
    """A level as a sentence shows it: rates as they are, means to three digits.

    >>> shown(1692.347, "mean"), shown(0.41234, "mean")
    (1692, 0.412)
    """
    return value if kind == "rate" else round(value) if abs(value) >= 100 else float(f"{value:.3g}")


def level(kind: Kind, by_prompt: Floats) -> dict[str, Any]:
    """Level of one reading over prompts (g,): a rate with Wilson's interval, or a mean with a normal one."""
    g, mean = by_prompt.size, float(by_prompt.mean())
    if kind == "rate":
        _, low, high = wilson(float(by_prompt.sum()), g)
        return {"rate": mean, "low": low, "high": high, "n": g}
    half = 1.96 * float(by_prompt.std(ddof=1)) / g**0.5 if g > 1 else 0.0
    return {"mean": mean, "low": mean - half, "high": mean + half, "n": g}


def _changes(
    reads: Sequence[Reading], raw: StageMeans, matched: StageMeans | None, signs: Floats, left_out: int
) -> Iterator[Change]:
    plain, odds, ratio = contrast(raw), contrast(raw, "log_odds"), contrast(raw, "log_ratio")
    equal, equal_odds = (None, None) if matched is None else (contrast(matched), contrast(matched, "log_odds"))
    overlap = (
        {"coverage": 0.0, "strata": 0, "strata_dropped": 0}
        if matched is None
        else {"coverage": matched.coverage, "strata": matched.strata, "strata_dropped": matched.dropped}
    )
    for column, reading in enumerate(reads):
        is_rate, is_length = reading.kind == "rate", reading.feature.family == "length"
        yield Change(
            before=float(raw.earlier[column]),
            after=float(raw.later[column]),
            raw=estimate(plain, column, reading.unit, "paired by prompt", p=signs[column] if is_rate else None),
            matched=None if equal is None or is_length else estimate(equal, column, reading.unit, "length-matched"),
            log_odds=estimate(odds, column, "log odds", "paired by prompt") if is_rate else None,
            log_odds_matched=estimate(equal_odds, column, "log odds", "length-matched")
            if is_rate and equal_odds is not None
            else None,
            ratio_low=float(np.exp(ratio.low[column])) if is_rate else None,
            overlap={} if is_length else overlap,
            left_out=left_out,
        )


def estimate(effects: Effects, column: int, unit: str, method: str, *, p: float | None = None) -> Estimate:
    """One feature's effect as an `Estimate`; `p` replaces the test of the interval where an exact one exists."""
    return Estimate(
        value=float(effects.value[column]),
        low=float(effects.low[column]),
        high=float(effects.high[column]),
        n=effects.n,
        unit=unit,
        method=method,
        p=float(effects.p[column] if p is None else p),
    )
