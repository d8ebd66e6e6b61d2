"""What a policy says more often, or less, than the stage before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Finding, Verdict
from dehusk.core.kinds import probes
from dehusk.core.messages import Text, say
from dehusk.core.tables import Measures, Responses
from dehusk.probes.policy.comparison import LEAST_PROMPTS, Change, Comparison, Reading, false_discovery, readings, shown

FOUND = ("kind", "position", "variants", "related")  # what a miner says of its feature
_RATIO, _RATE = 2.0, 0.01  # STAGE-AMP: the rate at least doubled, surely, and is worth a reader's time


@dataclass(frozen=True)
class Growth:
    """One feature from the first stage to the last: its readings, headline first, what changed, and q."""

    reads: tuple[Reading, ...]
    changes: tuple[Change, ...]
    q: float
    alpha: float

    @property
    def change(self) -> Change:
        """The headline."""
        return self.changes[0]

    @property
    def moved(self) -> bool:
        """Whether the raw change is beyond chance."""
        return self.q <= self.alpha and self.change.raw.value != 0

    @property
    def comparable(self) -> bool:
        """Whether there were answers of equal length to compare, where that matters."""
        return self.change.matched is not None or self.reads[0].feature.family == "length"

    @property
    def grew(self) -> bool:
        """Whether it grew, and by more than length explains."""
        return self.moved and self.comparable and self.change.raw.value > 0 and self.change.outgrows_length

    @property
    def verdict(self) -> Verdict:
        """A warning where a rate grew by more than length explains, surely doubled and reaches 1 %."""
        ratio = self.change.ratio_low
        doubled = ratio is not None and ratio > _RATIO and self.change.after >= _RATE
        return "warn" if self.grew and doubled else "inform" if self.moved else "pass"


_KNOWN: WeakKeyDictionary[Responses, tuple[ref[Measures], float, list[Growth]]] = WeakKeyDictionary()


def growths(comparison: Comparison, alpha: float) -> list[Growth]:
    """Every feature some answer has, first stage against last; declared and mined ones are two families of tests.

    Two probes ask for it, so the answer is kept for as long as the tables are.

    Raises:
        NotEnoughData: when too few prompts were answered at both stages.
    """
    known = _KNOWN.get(comparison.responses)
    if known is None or known[0]() is not comparison.measures or known[1] != alpha:
        known = ref(comparison.measures), alpha, _growths(comparison, alpha)
        _KNOWN[comparison.responses] = known
    return known[2]


def _growths(comparison: Comparison, alpha: float) -> list[Growth]:
    stages = comparison.responses.stages
    reads = readings(comparison.responses, comparison.measures)
    flat = [reading for several in reads for reading in several]
    changes = dict(zip(flat, comparison.changes(flat, stages[0], stages[-1]), strict=True))
    made = [(several, [changes[reading] for reading in several]) for several in reads]
    whole = [(several, tuple(change for change in found if change is not None)) for several, found in made]
    whole = [(several, found) for several, found in whole if len(found) == len(several)]
    if flat and not whole:
        shared = np.intersect1d(*(comparison.responses.groups[comparison.stage == stages[end]] for end in (0, -1))).size
        raise NotEnoughData(f"at least {LEAST_PROMPTS} prompts answered by the first and the last stage, got {shared}")
    q = false_discovery([found[0].raw.p or 0.0 for _, found in whole], [several[0].feature for several, _ in whole])
    return [Growth(several, found, float(q[at]), alpha) for at, (several, found) in enumerate(whole)]


@probes.add("policy.amplification")
def amplification(responses: Responses, measures: Measures, *, q: float = 0.05) -> Iterator[Finding]:
    """How much more, or less, the last stage does of each feature than the first, on the same prompts.

    Rates of answers that have the feature (and means of what can be counted) are compared raw and at equal length.
    "Grew" needs both: a raw change beyond chance after Benjamini-Hochberg, and a length-matched interval on the same
    side of 0. A rate that surely doubled and reaches 1 % is a warning.

    Args:
        responses: Answers of at least two stages.
        measures: Features of the answers.
        q: False-discovery rate.

    Raises:
        NotEnoughData: with one stage, or fewer than ten prompts answered at both ends.
    """
    comparison = Comparison(responses, measures)
    found = growths(comparison, q)
    flat = [reading for growth in found for reading in growth.reads]
    levels = dict(zip(flat, comparison.levels(flat), strict=True))
    steps = _steps(comparison, [growth.reads[0] for growth in found])
    for growth, walked in zip(found, steps, strict=True):
        head = growth.reads[0]
        yield Finding(
            probe="policy.amplification",
            stage="policy",
            feature=head.feature.name,
            family=head.feature.family,
            estimate=growth.change.raw,
            q=growth.q,
            verdict=growth.verdict,
            sentence=_sentence(growth, responses.stages),
            remedy=say("policy.remedy_amplified") if growth.verdict == "warn" else None,
            details=_details(growth, [levels[reading] for reading in growth.reads], walked)
            | {"counts": _counts(comparison, head)},
        )


def _steps(comparison: Comparison, reads: Sequence[Reading]) -> list[list[dict[str, Any]]]:
    """Each reading from every stage to the next, when there are more than two."""
    stages = comparison.responses.stages
    found: list[list[dict[str, Any]]] = [[] for _ in reads]
    for earlier, later in pairwise(stages) if len(stages) > 2 else ():
        for steps, change in zip(found, comparison.changes(reads, earlier, later), strict=True):
            if change is not None:
                step = {"earlier": earlier, "later": later, "estimate": change.raw, "left_out": change.left_out}
                steps.append(step | ({"length_matched": change.matched} if change.matched else {}))
    return found


def _counts(comparison: Comparison, reading: Reading) -> dict[str, int]:
    """Number of answers that have the feature, at each stage, over all answers."""
    has = comparison.measures.all_values("response", reading.feature.name) > 0
    return {stage: int(has[comparison.stage == stage].sum()) for stage in comparison.responses.stages}


def _sentence(growth: Growth, stages: tuple[str, ...]) -> Text:
    change, kind = growth.change, growth.reads[0].kind
    told = {
        "feature": growth.reads[0].feature.name,
        "before": shown(change.before, kind),
        "after": shown(change.after, kind),
        "earlier": stages[0],
        "later": stages[-1],
    }
    if not growth.moved:
        return say(f"policy.steady_{kind}", **told)
    way = "grew" if change.raw.value > 0 else "fell"
    if growth.reads[0].feature.family == "length":
        return say(f"policy.{way}_length", **told)
    if change.matched is None:
        return say(f"policy.{way}_{kind}", **told, at_equal_length=say("policy.no_equal_length"))
    unit = 100 if kind == "rate" else 1  # points of a percentage
    numbers = {
        "raw": unit * change.raw.value,
        "matched": unit * change.matched.value,
        "low": unit * change.matched.low,
        "high": unit * change.matched.high,
    }
    held = "beyond_length" if change.outgrows_length else "with_length"
    return say(f"policy.{way}_{kind}", **told, at_equal_length=say(f"policy.{held}_{kind}", **numbers))


def _details(growth: Growth, levels: list[list[dict[str, Any]]], steps: list[dict[str, Any]]) -> dict[str, Any]:
    change, feature = growth.change, growth.reads[0].feature
    stages = levels[0]
    details: dict[str, Any] = {"reading": growth.reads[0].kind, "left_out": change.left_out}
    details |= {key: feature.details[key] for key in FOUND if key in feature.details}
    if len(growth.changes) > 1:
        second = growth.changes[1]
        stages = [row | {"mean": mean["mean"]} for row, mean in zip(levels[0], levels[1], strict=True)]
        details |= {"mean": second.raw, "mean_length_matched": second.matched}
    named = {
        "length_matched": change.matched,
        "log_odds": change.log_odds,
        "log_odds_length_matched": change.log_odds_matched,
        "ratio_low": change.ratio_low,
        "steps": steps,
        "matching": change.overlap,
    }
    details |= named | {"stages": stages}
    return {name: value for name, value in details.items() if value is not None and value not in ([], {})}
