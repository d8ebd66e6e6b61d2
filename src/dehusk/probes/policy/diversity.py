"""How varied the answers of each stage are."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Estimate, Finding, Verdict
from dehusk.core.kinds import probes
from dehusk.core.messages import say
from dehusk.core.tables import Responses
from dehusk.probes.policy.comparison import LEAST_PROMPTS, estimate, words
from dehusk.probes.policy.variety import Measured, distinct, of_answers
from dehusk.stats.effects import clustered_mean
from dehusk.stats.matching import contrast, length_strata, stage_means
from dehusk.stats.multiplicity import benjamini_hochberg

_BLOCKS = (
    20  # distinct n-grams are counted in blocks of prompts: an average over blocks has an interval, a count has none
)
_WORSE_WHEN_MORE = ("self_repetition", "common_openings")
_NOTABLE = 0.05  # a share of answers, or of an answer, that is worth a warning when it has doubled

_Compared = tuple[Estimate, Estimate | None]  # raw, length-matched


@probes.add("policy.diversity")
def diversity(
    responses: Responses, rng: np.random.Generator, *, most_prompts: int = 5000, q: float = 0.05
) -> Iterator[Finding]:
    """Whether the answers of later stages are less varied: words, repetition, openings, formats.

    Distinct words, pairs and triples are shares of all those in the same number of words, prompt by prompt, at every
    stage. Repetition is the share of an answer's four-word runs that it has used before. An opening (three words, or
    six Chinese characters) is common if it is among the ten commonest of the *other* half of the prompts, so that
    chance does not make it so. The variety of formats is the entropy, in bits, of plain, bold, list, headers, table
    and code.

    Args:
        responses: Answers of at least two stages.
        rng: Makes the halves and blocks, and the sample of prompts.
        most_prompts: Prompts looked at; more are sampled.
        q: False-discovery rate over the measures.

    Raises:
        NotEnoughData: with one stage, or fewer than ten prompts that all stages answered.
    """
    frame = _shared(responses, rng, most_prompts)
    measured = distinct(frame) | of_answers(frame)
    stages = responses.stages
    compared = {name: _compare(one, stages[0], stages[-1]) for name, one in measured.items()}
    found = {name: change for name, change in compared.items() if change is not None}
    adjusted = benjamini_hochberg(np.array([change.p for change, _ in found.values()], dtype=np.float64))
    for at, (name, change) in enumerate(found.items()):
        yield _finding(name, measured[name], change, float(adjusted[at]), stages, q)


def _shared(responses: Responses, rng: np.random.Generator, most_prompts: int) -> pl.DataFrame:
    """Answers of the prompts that every stage answered: stage, prompt 0 … g−1, fold, block, response, words."""
    stages = responses.stages
    if len(stages) < 2:
        raise NotEnoughData(f"answers of at least 2 stages, got {len(stages)}")
    # Groups in the order of their names, so that the sample does not depend on the order of the rows.
    common = (
        responses.frame.group_by("group")
        .agg(pl.col("stage").n_unique().alias("seen"))
        .filter(pl.col("seen") == len(stages))["group"]
        .sort()
    )
    if common.len() < LEAST_PROMPTS:
        raise NotEnoughData(f"at least {LEAST_PROMPTS} prompts answered by every stage, got {common.len()}")
    order = rng.permutation(common.len())[:most_prompts]
    place = np.arange(order.size)
    drawn = pl.DataFrame(
        {
            "group": common[order],
            "prompt": place,
            "fold": place % 2,
            "block": place * min(_BLOCKS, order.size) // order.size,
        }
    )
    return (
        responses.frame.select("stage", "group", "response")
        .join(drawn, on="group", how="inner", maintain_order="left")
        .with_columns(words(pl.col("response")).alias("words"))
        .sort("prompt", "stage", "response")
        .with_row_index("answer")
    )


def _finding(name: str, one: Measured, found: _Compared, q: float, stages: tuple[str, ...], alpha: float) -> Finding:
    change, matched = found
    levels = {stage: level for stage in stages if (level := _level(one, stage)) is not None}
    read = "rate" if one.unit == "share" else "mean"
    before, after = levels[stages[0]][read], levels[stages[-1]][read]
    moved = q <= alpha and change.value != 0
    verdict: Verdict = "inform" if moved else "pass"
    # As for a habit: the rise is surely larger than all there was before.
    if moved and name in _WORSE_WHEN_MORE and change.low > before and after >= _NOTABLE:
        verdict = "warn"
    way = "steady" if not moved else "grew" if change.value > 0 else "fell"
    numbers = {} if way == "steady" else {"value": change.value, "low": change.low, "high": change.high}
    details = {"measure": name, "stages": [{"stage": stage, **level} for stage, level in levels.items()], **one.details}
    if matched is not None:
        details["length_matched"] = matched
    if len(stages) > 2:
        details["steps"] = [
            {"earlier": earlier, "later": later, "estimate": step[0]}
            for earlier, later in pairwise(stages)
            if (step := _compare(one, earlier, later)) is not None
        ]
    return Finding(
        probe="policy.diversity",
        stage="policy",
        sentence=say(
            f"policy.diversity_{way}",
            measure=say(f"policy.measure_{name}"),
            before=before,
            after=after,
            earlier=stages[0],
            later=stages[-1],
            **numbers,
        ),
        verdict=verdict,
        estimate=change,
        q=q,
        remedy=say("policy.remedy_diversity") if verdict == "warn" else None,
        details=details,
    )


def _compare(one: Measured, earlier: str, later: str) -> _Compared | None:
    """Difference of a measure between two stages, raw and (where it matters) at equal length."""
    at = {stage: (one.stages == stage).to_numpy() & ~np.isnan(one.values) for stage in (earlier, later)}
    shared = np.intersect1d(one.clusters[at[earlier]], one.clusters[at[later]])
    rows = np.flatnonzero((at[earlier] | at[later]) & np.isin(one.clusters, shared))
    values, after = one.values[rows][:, None], at[later][rows]
    clusters = np.searchsorted(shared, one.clusters[rows])
    try:
        raw = estimate(contrast(stage_means(values, after, clusters)), 0, one.unit, "paired by prompt")
    except NotEnoughData:
        return None
    if one.lengths is None:
        return raw, None
    try:
        means = stage_means(values, after, clusters, length_strata(one.lengths[rows]))
    except NotEnoughData:
        return raw, None
    return raw, estimate(contrast(means), 0, one.unit, "length-matched")


def _level(one: Measured, stage: str) -> dict[str, Any] | None:
    here = (one.stages == stage).to_numpy()
    try:
        effect = clustered_mean(one.values[here], one.clusters[here])
    except NotEnoughData:
        return None
    return {
        "rate" if one.unit == "share" else "mean": effect.value,
        "low": effect.low,
        "high": effect.high,
        "n": effect.n,
    }
