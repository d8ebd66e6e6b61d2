"""`reward_model.association`: which features a reward model's scores go with, what the label is worth held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Estimate, Finding, Verdict
from dehusk.core.kinds import Feature, probes
from dehusk.core.messages import say
from dehusk.core.tables import Floats, Ints, Measures, Pairs, Scores
from dehusk.probes.data.contrast import differences, estimate, length_terms
from dehusk.probes.data.length import LENGTHS
from dehusk.probes.policy.comparison import false_discovery
from dehusk.stats.bounding import bounded
from dehusk.stats.panel import Effects, effects_of
from dehusk.stats.regression import paired_logit
from dehusk.stats.slopes import ranks_within, standardised_slopes, within_prompt_correlations
from dehusk.stats.splines import dependence

UNIT = "SD of score difference per SD"
LARGE = 0.1  # a tenth of a standard deviation: half of Cohen's "small", as for data.association
LENGTH_WARN, LENGTH_FAIL = 0.2, 0.4  # RM-LEN: the slope on length alone
FEWEST_PROMPTS, FEWEST_DIFFERING = 20, 10


class _Scored(NamedTuple):
    """Pairs that have both scores: their rows, score differences in SD-free units, prompts and length terms."""

    rows: Ints
    margins: Floats
    prompts: Ints
    lengths: Floats


@probes.add("reward_model.association")
def association(pairs: Pairs, measures: Measures, scores: Scores, *, q: float = 0.05) -> Iterator[Finding]:
    """Which features a reward model's scores go with, with the label held: raw, at equal length, on the verdict.

    The score difference of each pair is regressed on the difference of the feature with an intercept: pairs are
    oriented by their label, so the intercept is what the label is worth and the slope is what the feature is worth
    beside it. A model that follows the label alone has slope 0, whatever the chosen answers look like. Both signs are
    findings: a model that punishes length is as wrong as one that pays for it.

    Args:
        pairs: The preference pairs.
        measures: Features of both sides.
        scores: Scores of both sides; the main model is looked at.
        q: False-discovery rate, held apart for declared and for mined features.

    Raises:
        NotEnoughData: with fewer than 20 scored prompts.
    """
    scored = _scored(pairs, scores)
    features = list(measures.on("chosen"))
    x = regressors(measures, features, scored.rows)
    tested = np.flatnonzero((~np.isnan(x)).any(axis=0))
    features, x = [features[k] for k in tested], x[:, tested]
    if not features:
        raise NotEnoughData(f"a feature that differs in at least {FEWEST_DIFFERING} scored pairs")
    paid = standardised_slopes(x, scored.margins, scored.prompts)
    at_equal_length = standardised_slopes(x, scored.margins, scored.prompts, scored.lengths)
    verdicts = _on_verdicts(x, scored)
    rates = false_discovery(np.nan_to_num(paid.p, nan=1.0).tolist(), features)
    answers = _answers(pairs, measures, scores, features)
    inside = _inside_prompts(answers)
    for k, feature in enumerate(features):
        raw = estimate(paid, k, UNIT, "regression with the label held, clustered by prompt")
        if raw is None:
            continue
        readings = {
            "length_conditional": None
            if feature.name in LENGTHS
            else estimate(at_equal_length, k, UNIT, "regression with the label and log length held"),
            "verdict": estimate(verdicts, k, "log odds per SD", "logistic model of the verdict with the label held"),
            "within_prompt_pearson": estimate(inside[0], k, "correlation", "mean over prompts"),
            "within_prompt_spearman": estimate(inside[1], k, "correlation", "mean over prompts"),
        }
        bend = _curvature(answers, k) if rates[k] <= q and feature.unit != "presence" else {}
        yield _finding(scores.main, feature, raw, float(rates[k]), q, readings, bend, len(scored.rows))


def _scored(pairs: Pairs, scores: Scores) -> _Scored:
    margins = scores.of("chosen") - scores.of("rejected")
    rows = np.flatnonzero(np.isfinite(margins))
    prompts = pairs.groups[rows]
    count = len(np.unique(prompts))
    if count < FEWEST_PROMPTS:
        raise NotEnoughData(f"at least {FEWEST_PROMPTS} prompts with scores of both answers, got {count}")
    return _Scored(rows, margins[rows], prompts, length_terms(pairs)[rows])


def regressors(measures: Measures, features: Sequence[Feature], rows: Ints) -> Floats:
    """Bounded chosen − rejected of each feature in some rows, shape (n, k), NaN where it may not be tested.

    That is throughout a column in which too few of the pairs differ.
    """
    found = np.full((len(rows), len(features)), np.nan)
    for k, difference in enumerate(differences(measures, features)):
        known = ~np.isnan(difference[rows])
        if np.count_nonzero(difference[rows][known]) >= FEWEST_DIFFERING:
            found[known, k] = bounded(difference[rows][known])
    return found


def _on_verdicts(x: Floats, scored: _Scored) -> Effects:
    """Log odds that the model prefers the chosen answer, a standard deviation of each feature, with an intercept."""
    side = np.sign(scored.margins)
    value, influence = np.full(x.shape[1], np.nan), np.zeros(x.shape)
    present = ~np.isnan(x) & (side != 0)[:, None]
    for k in range(x.shape[1]):
        rows = np.flatnonzero(present[:, k])
        spread = float(np.std(x[rows, k])) if rows.size else 0.0
        if np.count_nonzero(x[rows, k]) < FEWEST_DIFFERING or spread == 0:
            continue
        fit = paired_logit(side[rows, None] * np.column_stack([x[rows, k] / spread, np.ones(rows.size)]))
        value[k], influence[rows, k] = fit.beta[0], fit.influence[:, 0]
    return effects_of(value, influence, scored.prompts, present=present)


class _Answers(NamedTuple):
    """The distinct scored answers of every prompt: shapes (m,), (m,) and (m, k)."""

    prompts: Ints
    scores: Floats
    x: Floats


def _answers(pairs: Pairs, measures: Measures, scores: Scores, features: Sequence[Feature]) -> _Answers:
    both = pl.concat(
        [
            pl.DataFrame({"prompt": pairs.groups, "text": pairs.frame[side], "score": scores.of(side)}).with_columns(
                pl.Series(f"x{k}", measures.values(side, feature.name)) for k, feature in enumerate(features)
            )
            for side in ("chosen", "rejected")
        ]
    )
    kept = both.filter(pl.col("score").is_finite()).unique(["prompt", "text"], maintain_order=True)
    x = kept.drop("prompt", "text", "score").to_numpy().astype(np.float64)
    return _Answers(kept["prompt"].to_numpy().astype(np.int64), kept["score"].to_numpy(), x)


def _inside_prompts(answers: _Answers) -> tuple[Effects, Effects]:
    """Pearson's and Spearman's correlations within prompts, averaged over prompts."""
    ranked = np.column_stack([ranks_within(column, answers.prompts) for column in answers.x.T])
    return (
        within_prompt_correlations(answers.x, answers.scores, answers.prompts),
        within_prompt_correlations(ranked, ranks_within(answers.scores, answers.prompts), answers.prompts),
    )


def _finding(
    model: str,
    feature: Feature,
    raw: Estimate,
    rate: float,
    q: float,
    readings: dict[str, Estimate | None],
    bend: dict[str, Any],
    pairs: int,
) -> Finding:
    significant = rate <= q
    verdict = _verdict(feature, raw, readings["length_conditional"], significant)
    details: dict[str, Any] = {name: reading for name, reading in readings.items() if reading is not None}
    details |= bend | {"model": model}
    way = "none" if not significant else "pays" if raw.value > 0 else "punishes"
    equal = readings["length_conditional"]
    tail = say("reward_model.association_no_tail")
    if significant and equal is not None:
        tail = say("reward_model.association_equal", value=equal.value, low=equal.low, high=equal.high)
    return Finding(
        probe="reward_model.association",
        stage="reward_model",
        feature=feature.name,
        family=feature.family,
        estimate=raw,
        q=rate,
        verdict=verdict,
        sentence=say(
            f"reward_model.association_{way}",
            feature=feature.name,
            model=model,
            value=raw.value,
            low=raw.low,
            high=raw.high,
            n=pairs,
            tail=tail,
        ),
        remedy=say("reward_model.remedy_association", feature=feature.name) if verdict in ("warn", "fail") else None,
        details=details,
    )


def _curvature(answers: _Answers, column: int) -> dict[str, Any]:
    """How much of the scores within prompts a line and a spline of the feature explain."""
    x = answers.x[:, column]
    known = ~np.isnan(x)
    try:
        found = dependence(x[known], answers.scores[known], answers.prompts[known])
    except NotEnoughData:
        return {}
    return {"linear_r2": found.linear, "spline_r2": found.spline, "spline_p": found.p}


def _verdict(feature: Feature, raw: Estimate, equal: Estimate | None, significant: bool) -> Verdict:
    if not significant:
        return "pass"
    size = abs(raw.value)
    if feature.name in LENGTHS:
        return "fail" if size > LENGTH_FAIL else "warn" if size > LENGTH_WARN else "inform"
    stands = equal is None or (equal.direction == raw.direction and abs(equal.value) >= LARGE / 2)
    return "warn" if size >= LARGE and stands else "inform"
