"""Pools of scored answers to the same prompts: what best-of-n, or a tilt towards the score, picks from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl

from dehusk.core.errors import NotEnoughData
from dehusk.core.tables import Bools, Floats, Ints, Measures, Responses, Scores
from dehusk.probes.policy.comparison import LEAST_PROMPTS, Reading
from dehusk.stats.selection import pooled
from dehusk.stats.splines import natural_spline
from dehusk.text.language import mainly_chinese

_CELLS = 8_000_000  # numbers worked on at once, 64 MB
_FEW = 0.1  # share of the prompts that may have fewer answers than the rest and are left out
_KNOTS = (0.05, 0.275, 0.5, 0.725, 0.95)  # quantiles of log length where its curve bends


@dataclass(frozen=True, eq=False)
class Pool:
    """Scored answers of one stage, P prompts with up to N answers each, in a random order."""

    responses: Responses
    stage: str
    model: str
    rows: Ints  # (P, N) rows of the responses, −1 where a prompt has fewer answers
    scores: Floats  # (P, N), NaN where a prompt has fewer answers
    least: int  # answers that every prompt has
    left_out: int  # prompts of the stage that have fewer

    def spread(self, values: Floats) -> Floats:
        """Values of all responses, shape (n,), as (P, N), NaN where a prompt has fewer answers."""
        return np.where(self.rows < 0, np.nan, values[self.rows])

    @cached_property
    def length_terms(self) -> Floats:
        """Natural splines of log length, one a language, shape (P, N, m), any value where a prompt has fewer answers.

        Characters of two scripts are not one unit.
        """
        frame = self.responses.frame
        logs = frame["response"].str.len_chars().cast(pl.Float64).log1p().to_numpy()
        chinese = frame.select(mainly_chinese(pl.col("prompt")))["prompt"].to_numpy()
        used: Bools = np.zeros(logs.size, dtype=bool)
        used[self.rows[self.rows >= 0]] = True
        columns = [_curve(logs, used & kind) * kind[:, None] for kind in (chinese, ~chinese) if (used & kind).any()]
        terms: Floats = np.concatenate(columns, axis=1)[self.rows]
        return terms

    def blocks(self, reads: Sequence[Reading], measures: Measures, *, each: int) -> Iterator[Block]:
        """Readings that may be tested on the same prompts, some at a time.

        Args:
            reads: How features are read.
            measures: Features of the responses.
            each: Numbers that will be held of each reading, beside its values.
        """
        by_prompts: dict[bytes, list[int]] = {}
        for at, reading in enumerate(reads):
            tested = self._tested(measures.values("response", reading.feature.name))
            by_prompts.setdefault(np.packbits(tested).tobytes(), []).append(at)
        width = max(1, _CELLS // max(1, each, self.rows.size))
        for positions in by_prompts.values():
            prompts = np.flatnonzero(self._tested(measures.values("response", reads[positions[0]].feature.name)))
            for start in range(0, len(positions), width) if prompts.size >= LEAST_PROMPTS else ():
                some = positions[start : start + width]
                columns = [reads[at].of(measures.values("response", reads[at].feature.name)) for at in some]
                yield Block(some, prompts, np.stack([self.spread(column)[prompts] for column in columns], axis=2))

    def _tested(self, values: Floats) -> Bools:
        """Prompts on all of whose answers a feature, shape (n,), has a value that may be tested, shape (P,)."""
        tested: Bools = np.all(~np.isnan(values)[self.rows] | (self.rows < 0), axis=1)
        return tested


class Block(NamedTuple):
    """Readings tested on the same prompts."""

    positions: list[int]  # among all readings
    prompts: Ints  # (p,) of the pool
    values: Floats  # (p, N, k)


def pool_of(responses: Responses, scores: Scores, rng: np.random.Generator, *, last: bool, fewest: int) -> Pool:
    """The last (or first) stage with several scored answers a prompt.

    Prompts with fewer answers than nine in ten of the others have are left out.

    Args:
        responses: Answers of one or more stages.
        scores: Scores of the answers; the main model counts.
        rng: For the order within prompts.
        last: Whether the last such stage is meant, or the first.
        fewest: Answers a prompt must have.

    Raises:
        NotEnoughData: no stage has that many scored answers to ten prompts.
    """
    given, stage = scores.of("response"), responses.frame["stage"].to_numpy()
    found = 0
    for name in reversed(responses.stages) if last else responses.stages:
        rows = np.flatnonzero((stage == name) & np.isfinite(given))
        _, prompt, count = np.unique(responses.groups[rows], return_inverse=True, return_counts=True)
        several = count[count >= fewest]
        found = max(found, several.size)
        if several.size < LEAST_PROMPTS:
            continue
        least = int(np.quantile(several, _FEW, method="lower"))
        kept = rows[(count >= least)[prompt]]
        side_by_side = pooled(responses.groups[kept], rng)
        padded = np.where(side_by_side < 0, -1, kept[side_by_side])
        spread = np.where(padded < 0, np.nan, given[padded])
        left_out = np.unique(responses.groups[stage == name]).size - len(padded)
        return Pool(responses, name, scores.main, padded, spread, least, left_out)
    raise NotEnoughData(f"at least {fewest} scored answers to each of at least {LEAST_PROMPTS} prompts, got {found}")


def _curve(logs: Floats, used: Bools) -> Floats:
    """A natural spline of log length with its knots where the used answers are, shape (n, m)."""
    knots = np.unique(np.quantile(logs[used], _KNOTS))
    return natural_spline(logs, knots) if knots.size > 2 else logs[:, None]
