"""`data.association`: which features go with being chosen, raw, at equal length, and with the other features held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Estimate, Finding, Verdict
from dehusk.core.kinds import probes
from dehusk.core.messages import Text, say
from dehusk.core.tables import Floats, Measures, Pairs
from dehusk.probes.data.contrast import SHIFT_UNIT, Contrast, adjusted, contrast, estimate
from dehusk.probes.data.length import LENGTHS, longer_wins, readings
from dehusk.probes.data.strata import Parts
from dehusk.stats.multiplicity import FAMILIES, benjamini_hochberg

# On the files this was tried on, 0.10 is where a shift shows by eye in ten pairs, 0.2 is Cohen's "small".
LARGE_SHIFT, LARGE_DIFFERENCE = 0.10, 0.20
FEWEST_PROMPTS, FEWEST_DIFFERING = 20, 10


@probes.add("data.association")
def association(pairs: Pairs, measures: Measures, *, q: float = 0.05) -> Iterator[Finding]:
    """Which features go with being chosen: raw, at equal length, with the others held, and by source.

    A warning is a significant association that is large (win-rate shift of at least 0.10, or 0.2 standard deviations)
    and does not vanish at equal length; other significant ones are mentioned.

    Args:
        pairs: The preference pairs.
        measures: Features of both sides.
        q: False-discovery rate, held apart for declared and for mined features.

    Raises:
        NotEnoughData: with fewer than 20 prompts or no feature.
    """
    prompts = len(np.unique(pairs.groups))
    if prompts < FEWEST_PROMPTS:
        raise NotEnoughData(f"at least {FEWEST_PROMPTS} prompts, got {prompts}")
    found = contrast(pairs, measures)
    differing = found.counts[:, :2].sum(axis=1)
    tested = (differing >= FEWEST_DIFFERING) & ~np.isnan(found.shift.p)
    if not tested.all():
        yield _too_rare([found.features[k].name for k in np.flatnonzero(~tested)])
    lengths = readings(pairs, measures)
    rates, length_rates = false_discovery_rates(found, tested, [reading.estimate.p for reading in lengths])
    parts = Parts(pairs, measures, [found.features[k] for k in np.flatnonzero(tested)])
    joint = _joint(pairs, measures, found, tested)
    for k in np.flatnonzero(tested):
        yield _finding(found, int(k), float(rates[k]), q, parts, joint)
    yield from parts.turned(q, LARGE_SHIFT / 2)
    yield from longer_wins(lengths, length_rates)


def false_discovery_rates(
    found: Contrast, tested: np.ndarray[Any, np.dtype[np.bool_]], lengths: Sequence[float | None]
) -> tuple[Floats, Floats]:
    """Adjusted p of each feature, shape (k,), and of each length rule, shape (r,).

    Declared features and the rules of length are one family, mined features another; untested ones are in none.
    """
    rates = np.full(len(found.features), np.nan)
    p = np.where(tested, found.shift.p, np.nan)
    mined = np.array([feature.mined for feature in found.features])
    rates[mined] = benjamini_hochberg(p[mined], families=FAMILIES)
    declared = benjamini_hochberg(np.concatenate([p[~mined], np.array(lengths, dtype=np.float64)]), families=FAMILIES)
    rates[~mined], of_lengths = np.split(declared, [int((~mined).sum())])
    return rates, of_lengths


def _joint(
    pairs: Pairs, measures: Measures, found: Contrast, tested: np.ndarray[Any, np.dtype[np.bool_]]
) -> dict[str, tuple[Estimate | None, list[str]]] | str:
    """Adjusted estimate and near twins of each declared feature; or why there are none."""
    common = found.counts[:, :2].sum(axis=1) >= 0.01 * len(pairs)  # a model of rare features is a model of noise
    features = [
        feature for feature, fits in zip(found.features, tested & common, strict=True) if fits and not feature.mined
    ]
    try:
        effects, twins = adjusted(pairs, measures, features)
    except NotEnoughData as refusal:
        return refusal.needs
    method = f"joint logistic model of {len(features)} features, clustered by prompt"
    return {feature.name: (estimate(effects, k, SHIFT_UNIT, method), twins[k]) for k, feature in enumerate(features)}


def _too_rare(names: list[str]) -> Finding:
    return Finding(
        probe="data.association",
        stage="data",
        sentence=say("data.association.too_rare", count=len(names), least=FEWEST_DIFFERING),
        verdict="pass",
        details={"reading": "too_rare", "features": names},
    )


def _finding(
    found: Contrast,
    k: int,
    rate: float,
    q: float,
    parts: Parts,
    joint: dict[str, tuple[Estimate | None, list[str]]] | str,
) -> Finding:
    feature = found.features[k]
    method = "clustered mean of signs" + (", exact sign test" if feature.unit == "presence" else "")
    details = _details(found, k, joint)
    if rate <= q:
        details["by"] = parts.of(feature.name)
    equal = details.get("length_conditional")
    verdict = _verdict(found, k, rate <= q, equal)
    raw = estimate(found.shift, k, SHIFT_UNIT, method)
    return Finding(
        probe="data.association",
        stage="data",
        sentence=_sentence(found, k, verdict, equal),
        verdict=verdict,
        feature=feature.name,
        family=feature.family,
        estimate=raw,
        q=rate,
        remedy=say("data.remedy.rebalance", feature=feature.name) if verdict == "warn" else None,
        details=details,
    )


def _details(found: Contrast, k: int, joint: dict[str, tuple[Estimate | None, list[str]]] | str) -> dict[str, Any]:
    feature = found.features[k]
    more, less, same = (int(count) for count in found.counts[k])
    details: dict[str, Any] = {
        "reading": "association",
        "counts": {"chosen_more": more, "rejected_more": less, "equal": same},
        "means": {"chosen": float(found.means[k, 0]), "rejected": float(found.means[k, 1])},
    }
    absent: dict[str, Text] = {}
    own, twins = (None, []) if isinstance(joint, str) else joint.get(feature.name, (None, []))
    readings = {
        "win_rate": estimate(found.win_rate, k, "share of pairs", "Wilson interval at the effective number of pairs"),
        "standardised": estimate(found.standardised, k, "SD", "clustered mean / pooled SD"),
        "length_conditional": estimate(
            found.at_equal_length, k, SHIFT_UNIT, "logistic model with a spline of log length, clustered by prompt"
        ),
        "adjusted": own,
    }
    if feature.name in LENGTHS:  # what a length is at equal length says nothing
        readings["length_conditional"] = None
        absent["length_conditional"] = say("data.absent.is_length")
    elif readings["length_conditional"] is None:
        absent["length_conditional"] = say("data.absent.no_length_variation")
    if own is None:
        absent["adjusted"] = (
            say("data.absent.mined")
            if feature.mined
            else say("data.absent.needs", needs=joint)
            if isinstance(joint, str)
            else say("data.absent.rare")
        )
    details |= {name: reading for name, reading in readings.items() if reading is not None}
    if twins:
        details["collinear_with"] = twins
    if absent:
        details["absent"] = absent
    return details


def _verdict(found: Contrast, k: int, significant: bool, equal: Estimate | None) -> Verdict:
    if not significant:
        return "pass"
    shift, difference = float(found.shift.value[k]), float(found.standardised.value[k])
    large = abs(shift) >= LARGE_SHIFT or abs(difference) >= LARGE_DIFFERENCE
    return "warn" if large and not _explained(shift, equal) else "inform"


def _explained(shift: float, equal: Estimate | None) -> bool:
    """Whether little is left at equal length: less than half, or an interval that holds 0."""
    return equal is not None and (equal.low <= 0 <= equal.high or equal.value / shift < 0.5)


def _sentence(found: Contrast, k: int, verdict: Verdict, equal: Estimate | None) -> Text:
    feature, shift = found.features[k], float(found.shift.value[k])
    more, less, same = found.counts[k]
    total = int(more + less + same)
    tail = say("data.association.no_tail")
    if equal is not None and verdict != "pass":
        key = "explained" if _explained(shift, equal) else "remains"
        tail = say(f"data.association.{key}", points=equal.value * 100)
    direction = "none" if verdict == "pass" else "chosen" if shift > 0 else "rejected"
    return say(
        f"data.association.{direction}",
        feature=feature.name,
        more=float(more / total),
        less=float(less / total),
        points=shift * 100,
        low=float(found.shift.low[k]) * 100,
        high=float(found.shift.high[k]) * 100,
        n=total,
        tail=tail,
    )
