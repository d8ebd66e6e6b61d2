"""`data.catchphrases`: phrases found on one half of the prompts, put to the test on the other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Finding, Verdict
from dehusk.core.kinds import Feature, probes
from dehusk.core.messages import say
from dehusk.core.tables import Measures, Pairs
from dehusk.probes.data.contrast import Contrast, contrast, estimate
from dehusk.stats.multiplicity import FAMILIES, benjamini_hochberg

LARGE = 0.01  # one answer in a hundred: the policy of such data says it where it said nothing


@probes.add("data.catchphrases")
def catchphrases(pairs: Pairs, measures: Measures, *, q: float = 0.05) -> Iterator[Finding]:
    """Phrases and templates that stand more often in chosen than in rejected answers, or less often.

    Found on half of the prompts and tested on the other half only: the difference of presence within the pair, with
    an exact sign test on prompts. A confirmed difference of a point or more is a warning.

    Args:
        pairs: The preference pairs.
        measures: With the features mined from these pairs.
        q: False-discovery rate among the phrases.

    Raises:
        NotEnoughData: when no phrase was mined, or fewer than 20 prompts are left to test on.
    """
    found = contrast(pairs, measures)
    mined = [k for k, one in enumerate(found.features) if one.discovered == "pairs" and one.unit == "presence"]
    if not mined:
        raise NotEnoughData("at least 1 phrase mined from the pairs, got none")
    if found.shift.n[mined].max() < 20:
        raise NotEnoughData(f"at least 20 prompts to confirm phrases on, got {found.shift.n[mined].max()}")
    rates = benjamini_hochberg(found.shift.p[mined], families=FAMILIES)
    for k, rate in zip(mined, rates.tolist(), strict=True):
        if not np.isnan(rate):
            feature = found.features[k]
            yield _finding(found, k, feature, rate, q, _counts(measures, feature, len(pairs)))


def _counts(measures: Measures, feature: Feature, pairs: int) -> dict[str, int]:
    """Answers that hold the phrase, all pairs counted: for describing, never for testing."""
    sides = {side: int((measures.all_values(side, feature.name) > 0).sum()) for side in ("chosen", "rejected")}
    return {**sides, "pairs": pairs}


def _finding(found: Contrast, k: int, feature: Feature, rate: float, q: float, counts: dict[str, int]) -> Finding:
    chosen, rejected = (float(mean) for mean in found.means[k])
    difference = estimate(found.shift, k, "presence", "held-out difference, exact sign test on prompts")
    verdict: Verdict = "pass"
    if rate <= q:
        verdict = "warn" if abs(found.shift.value[k]) >= LARGE else "inform"
    readings = {
        "length_conditional": estimate(
            found.at_equal_length, k, "presence", "logistic model with a spline of log length, clustered by prompt"
        )
    }
    direction = "unconfirmed" if verdict == "pass" else "chosen" if chosen > rejected else "rejected"
    return Finding(
        probe="data.catchphrases",
        stage="data",
        sentence=say(
            f"data.catchphrases.{direction}",
            feature=feature.name,
            chosen=chosen,
            rejected=rejected,
            odds=_odds(chosen, rejected, int(found.counts[k].sum())),
            n=int(found.shift.n[k]),
        ),
        verdict=verdict,
        feature=feature.name,
        family=feature.family,
        estimate=difference,
        q=rate,
        remedy=say("data.remedy.catchphrase", feature=feature.name) if verdict == "warn" else None,
        details={
            **feature.details,
            **{name: reading for name, reading in readings.items() if reading is not None},
            "counts": counts,
        },
    )


def _odds(chosen: float, rejected: float, tested: int) -> float:
    """How many times the odds of the rarer side, at least 1; half a text is added to each count so that 0 divides."""
    high, low = max(chosen, rejected) * tested + 0.5, min(chosen, rejected) * tested + 0.5
    return high * (tested + 1 - low) / (low * (tested + 1 - high))
