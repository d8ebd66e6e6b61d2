"""`forecast.amplification`: what a policy will say more often once it is trained on a reward, before it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dehusk.core.findings import Curve, Estimate, Finding
from dehusk.core.kinds import probes
from dehusk.core.messages import Text, say
from dehusk.core.tables import Measures, Responses, Scores
from dehusk.probes.forecast.tilts import RESAMPLES, Tilts, best_of_equal
from dehusk.probes.policy.amplification import Growth
from dehusk.probes.policy.comparison import Change, Reading, false_discovery, readings, shown
from dehusk.probes.selection.lifts import changes, curve, estimate, sentence
from dehusk.probes.selection.pools import Block, pool_of
from dehusk.stats.selection import best_of_nats, deviation, sizes
from dehusk.stats.stratified import bootstrap_weights

FEWEST = 4  # answers a prompt: the correction leaves out two of them
TILTED = "self-normalised weights, jackknife of second order, bootstrap over prompts"


@probes.add("forecast.amplification")
def amplification(
    responses: Responses,
    measures: Measures,
    scores: Scores,
    rng: np.random.Generator,
    *,
    q: float = 0.05,
    nats: float = 1.0,
) -> Iterator[Finding]:
    """How often a policy trained on this reward would show each feature, from scored answers of the policy as it is.

    Training on a reward r under a KL penalty β is best done by π*(y|x) ∝ π(y|x) exp(r(x, y)/β). Answers of π weighted
    by exp(r/β) within their prompt stand for π*, with one β for all prompts; each β has its divergence from π, and
    features are read off against that. A few answers a prompt hold few of the most rewarded ones, so weights and
    divergences are corrected for their number, and the curve ends where too few answers carry the weight: nothing is
    said past it. Best-of-n that goes as far stands beside it. It needs no correction, but it is another policy: it
    spends the same divergence on every prompt, and moves less, above all where the reward has a long upper tail.

    Args:
        responses: Answers of the policy that training starts from: the first stage with several a prompt.
        measures: Features of the answers.
        scores: Scores of the answers; the main model pays.
        rng: For the draws.
        q: False-discovery rate over features.
        nats: Divergence from the starting policy that is spoken of; the pool's reach where that is shorter.

    Raises:
        NotEnoughData: without four scored answers to each of ten prompts, or with equal scores throughout.
    """
    pool = pool_of(responses, scores, rng, last=False, fewest=FEWEST)
    tilts = Tilts.of(pool, nats)
    yield _reach_finding(tilts, nats, rng)
    reads = [several[0] for several in readings(responses, measures)]
    found = list(_forecasts(tilts, reads, measures, rng))
    rates = false_discovery(
        [forecast.change.raw.p or 0.0 for forecast in found], [forecast.reading.feature for forecast in found]
    )
    for forecast, rate in zip(found, rates, strict=True):
        yield _finding(tilts, forecast, Growth((forecast.reading,), (forecast.change,), float(rate), q), nats)


@dataclass(frozen=True)
class _Forecast:
    """One reading at the divergence that is spoken of."""

    reading: Reading
    change: Change
    level: Estimate
    best_of: Estimate  # by best-of-n that goes as far
    curves: tuple[Curve, Curve]


def _forecasts(tilts: Tilts, reads: list[Reading], measures: Measures, rng: np.random.Generator) -> Iterator[_Forecast]:
    x = tuple(tilts.axis.tolist()), tuple(map(best_of_nats, sizes(tilts.pool.least)))
    for block in tilts.pool.blocks(reads, measures, each=RESAMPLES * max(len(tilts.strengths), len(x[0]))):
        draws = bootstrap_weights(block.prompts.size, rng, most=RESAMPLES)
        some = [reads[at] for at in block.positions]
        course = tilts.course(block, np.array([reading.kind == "rate" for reading in some]), draws)
        for column, change in enumerate(changes(tilts.pool, block, reads, course.picked, draws)):
            unit = "rate" if some[column].kind == "rate" else some[column].feature.unit  # of a level, not a change
            yield _Forecast(
                some[column],
                change,
                estimate(course.level, column, len(block.prompts), unit, TILTED),
                estimate(course.equal, column, len(block.prompts), unit),
                (
                    curve("tilt", "nats", some[column].unit, x[0], course.tilt, column),
                    curve("best_of_n", "nats", some[column].unit, x[1], course.best_of, column),
                ),
            )


def _reach_finding(tilts: Tilts, asked: float, rng: np.random.Generator) -> Finding:
    """How far the pool can say, and what the score would gain there."""
    pool = tilts.pool
    scores = pool.scores / deviation(pool.scores)
    scores = scores - np.nanmean(scores, axis=1, keepdims=True)
    block = Block([0], np.arange(len(scores)), scores[..., None])
    course = tilts.course(block, np.array([False]), bootstrap_weights(len(scores), rng, most=RESAMPLES))
    gain, short = estimate(course.level, 0, len(scores), "SD", TILTED), tilts.reach < asked
    samples = int((~np.isnan(pool.scores)).sum(axis=1).max())
    beta = 1 / tilts.at(tilts.strengths)
    told = {"stage": pool.stage, "model": pool.model, "samples": samples, "reach": tilts.reach, "asked": asked}
    way = "reaches" if not short else "saturated" if tilts.saturated else "short"
    return Finding(
        probe="forecast.amplification",
        stage="forecast",
        sentence=say(f"forecast.{way}", **told, beta=beta, value=gain.value),
        verdict="inform" if short else "pass",
        estimate=gain,
        remedy=say("forecast.remedy_short") if way == "short" else None,
        details={
            "nats": tilts.nats,
            "reach": tilts.reach,
            "beta": beta,
            "effective_answers": tilts.at(tilts.plain.effective),
            "heaviest_answer": tilts.at(tilts.plain.top),
            "left_out": pool.left_out,
            "curves": (curve("proxy", "nats", "SD", tuple(tilts.axis.tolist()), course.tilt, 0),),
        },
    )


def _finding(tilts: Tilts, forecast: _Forecast, growth: Growth, asked: float) -> Finding:
    change, reading, level = forecast.change, forecast.reading, forecast.level
    n, share = best_of_equal(tilts.nats, tilts.pool.least)
    odds = change.log_odds
    details: dict[str, Any] = {
        "reading": reading.kind,
        "rate": level if reading.kind == "rate" else None,
        "levels": {"before": change.before, "after": level.value, "low": level.low, "high": level.high},
        "length_matched": change.matched,
        "log_odds_per_nat": None if odds is None else _scaled(odds, 1 / tilts.nats, "log odds a nat"),
        "ratio_low": change.ratio_low,
        "best_of_n": {"n": n + share, **{name: getattr(forecast.best_of, name) for name in ("value", "low", "high")}},
        "nats": tilts.nats,
        "curves": forecast.curves,
    }
    low, high = (shown(end, reading.kind) for end in (level.low, level.high))
    return Finding(
        probe="forecast.amplification",
        stage="forecast",
        feature=reading.feature.name,
        family=reading.feature.family,
        estimate=change.raw,
        q=growth.q,
        verdict=growth.verdict,
        sentence=sentence("forecast", growth, low=low, high=high, nats=_spoken(tilts, asked)),
        remedy=say("forecast.remedy", feature=reading.feature.name) if growth.verdict == "warn" else None,
        details={name: value for name, value in details.items() if value is not None},
    )


def _scaled(odds: Estimate, factor: float, unit: str) -> Estimate:
    return replace(odds, value=odds.value * factor, low=odds.low * factor, high=odds.high * factor, unit=unit)


def _spoken(tilts: Tilts, asked: float) -> Text:
    """The divergence that is spoken of, in words."""
    if tilts.reach < asked:
        samples = int((~np.isnan(tilts.pool.scores)).sum(axis=1).max())
        return say("forecast.reached", nats=tilts.nats, samples=samples)
    return say("forecast.one_nat") if asked == 1 else say("forecast.nats", nats=asked)
