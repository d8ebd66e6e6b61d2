"""Does the longer answer win? Asked both ways, in every part of the data: a shortness shortcut is a shortcut too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from dehusk.core.findings import VERDICTS, Estimate, Finding, Verdict
from dehusk.core.messages import say
from dehusk.core.tables import Floats, Ints, Measures, Pairs
from dehusk.probes.data.contrast import weights_of
from dehusk.probes.data.strata import Level, levels
from dehusk.stats.ranking import win_shares

# Share of the winning direction and its Wilson bound from which a rule of thumb is a warning, or a failure.
LENGTHS = ("characters", "words")
WARN, WARN_BOUND, FAIL, FAIL_BOUND, ENOUGH = 0.60, 0.55, 0.70, 0.60, 100


@dataclass(frozen=True)
class Reading:
    """One test of the rule: its unit, the part of the data (None: all of it), and what came out."""

    unit: str
    level: Level | None
    estimate: Estimate
    pairs: int
    ties: int


def readings(pairs: Pairs, measures: Measures) -> list[Reading]:
    """How often the longer one is chosen among pairs of unequal length, overall and by part, one test each."""
    found = list(_readings(pairs, _characters(pairs), "characters"))
    if "words" in {feature.name for feature in measures.on("chosen")}:
        words = measures.values("chosen", "words") - measures.values("rejected", "words")
        found += _readings(pairs, words, "words")
    return found


def longer_wins(found: Sequence[Reading], rates: Floats) -> Iterator[Finding]:
    """One finding a unit for the whole, and one for each part that is worse or turns around.

    Args:
        found: What `readings` gave, r of them.
        rates: Their false-discovery rates, shape (r,).
    """
    for unit in LENGTHS:
        told = [_finding(one, float(q)) for one, q in zip(found, rates, strict=True) if one.unit == unit]
        parts = [finding for finding in told if finding.details["part"]]
        by = [{**finding.details["part"], "estimate": finding.estimate} for finding in parts]
        for finding in told:
            if finding not in parts:
                overall = replace(finding, details={**finding.details, "by": by})
                yield overall
                yield from (part for part in parts if _stands_out(part, overall))


def _stands_out(part: Finding, overall: Finding) -> bool:
    """Whether a part is a finding of its own: more serious than the whole, or serious in the other direction."""
    if part.estimate is None or overall.estimate is None or part.verdict not in ("warn", "fail"):
        return False
    turned = (part.estimate.value > 0.5) != (overall.estimate.value > 0.5)
    return turned or VERDICTS.index(part.verdict) > VERDICTS.index(overall.verdict)


def _characters(pairs: Pairs) -> Floats:
    sides = pairs.frame.select(pl.col("chosen", "rejected").str.len_chars().cast(pl.Float64))
    return (sides["chosen"] - sides["rejected"]).to_numpy()


def _readings(pairs: Pairs, difference: Floats, unit: str) -> Iterator[Reading]:
    everything = np.arange(len(pairs))
    for level in (None, *levels(pairs)):
        rows = everything if level is None else level.rows
        share = _share(pairs, difference[rows], rows)
        if share is not None:
            known = ~np.isnan(difference[rows])
            ties = int((difference[rows] == 0).sum())
            yield Reading(unit, level, share, int(known.sum()) - ties, ties)


def _share(pairs: Pairs, difference: Floats, rows: Ints) -> Estimate | None:
    margins = np.where(difference == 0, np.nan, difference)[:, None]
    shares = win_shares(margins, pairs.groups[rows], weights=weights_of(pairs)[rows])
    if np.isnan(shares.low[0]):
        return None
    value, low, high, p = (float(array[0]) for array in shares[:4])
    method = "Wilson interval at the effective number of pairs"
    return Estimate(value, low, high, int(shares.n[0]), "share of pairs", method, p)


def _verdict(reading: Reading, q: float) -> Verdict:
    number = reading.estimate
    share = max(number.value, 1 - number.value)
    bound = max(number.low, 1 - number.high)
    if q > 0.05:
        return "pass"
    if reading.pairs < ENOUGH:
        return "inform"
    if share >= FAIL and bound > FAIL_BOUND:
        return "fail"
    return "warn" if share >= WARN and bound > WARN_BOUND else "inform"


def _finding(reading: Reading, q: float) -> Finding:
    number, verdict = reading.estimate, _verdict(reading, q)
    longer = number.value >= 0.5
    place = say("data.length.everywhere")
    if reading.level is not None:
        place = say("data.length.in_part", column=reading.level.column, level=reading.level.name)
    direction = "even" if verdict == "pass" else "longer" if longer else "shorter"
    return Finding(
        probe="data.association",
        stage="data",
        sentence=say(
            f"data.length.{direction}",
            place=place,
            unit=say(f"data.length.{reading.unit}"),
            share=number.value if longer or direction == "even" else 1 - number.value,
            low=number.low if longer or direction == "even" else 1 - number.high,
            high=number.high if longer or direction == "even" else 1 - number.low,
            n=reading.pairs,
        ),
        verdict=verdict,
        feature=reading.unit,
        family="length",
        estimate=number,
        q=q,
        remedy=say("data.remedy.length") if verdict in ("warn", "fail") else None,
        details={
            "reading": "longer_wins",
            "part": None if reading.level is None else {"column": reading.level.column, "level": reading.level.name},
            "pairs": reading.pairs,
            "ties": reading.ties,
        },
    )
