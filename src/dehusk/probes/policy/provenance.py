"""Where a habit came from: its rate in the data beside its rate after every stage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Estimate, Finding
from dehusk.core.kinds import probes
from dehusk.core.messages import Text, say
from dehusk.core.tables import Measures, Pairs, Responses
from dehusk.probes.policy.amplification import growths
from dehusk.probes.policy.comparison import Comparison, Reading, level, shown
from dehusk.stats.effects import clustered_mean, clustered_sign_p
from dehusk.stats.matching import prompt_means

_SIDES = ("rejected", "chosen")


@probes.add("policy.provenance")
def provenance(responses: Responses, pairs: Pairs, measures: Measures, *, q: float = 0.05) -> Iterator[Finding]:
    """The path of each feature that grew: rejected and chosen answers of the data, then every stage.

    The estimate is chosen − rejected, clustered by prompt: whether the labels prefer what RL made more of.

    Args:
        responses: Answers of at least two stages.
        pairs: The preference data the stages were trained on.
        measures: Features of both.
        q: False-discovery rate at which a feature counts as grown (see `policy.amplification`).

    Raises:
        NotEnoughData: with one stage, or too few prompts or pairs.
    """
    comparison = Comparison(responses, measures)
    measured = {feature.name for feature in measures.on("chosen")}
    grown = [growth for growth in growths(comparison, q) if growth.grew]
    reads = [growth.reads[0] for growth in grown if growth.reads[0].feature.name in measured]
    for reading, stages in zip(reads, comparison.levels(reads), strict=True):
        sides, preferred = _in_data(reading, pairs, measures)
        path = [{"stage": side, **sides[side]} for side in _SIDES] + stages
        yield Finding(
            probe="policy.provenance",
            stage="policy",
            feature=reading.feature.name,
            family=reading.feature.family,
            estimate=preferred,
            verdict="inform",
            sentence=_sentence(reading, path, preferred),
            remedy=say("policy.remedy_preferred") if preferred.low > 0 else None,
            details={"reading": reading.kind, "stages": path},
        )


def _in_data(reading: Reading, pairs: Pairs, measures: Measures) -> tuple[dict[str, dict[str, Any]], Estimate]:
    """Level of a reading in chosen and rejected answers, and its chosen − rejected difference."""
    values = {side: reading.of(measures.values(side, reading.feature.name)) for side in _SIDES}
    tested = ~np.isnan(values["chosen"]) & ~np.isnan(values["rejected"])
    prompts = np.unique(pairs.groups[tested], return_inverse=True)[1]
    if prompts.size == 0 or prompts.max() < 1:
        raise NotEnoughData("at least 2 prompts with pairs")
    levels = {side: level(reading.kind, prompt_means(values[side][tested][:, None], prompts)[:, 0]) for side in _SIDES}
    difference = values["chosen"] - values["rejected"]
    effect = clustered_mean(difference, pairs.groups, weights=pairs.frame["weight"].to_numpy())
    p = clustered_sign_p(difference, pairs.groups) if reading.kind == "rate" else effect.p
    method = "chosen − rejected, clustered by prompt"
    return levels, Estimate(effect.value, effect.low, effect.high, effect.n, reading.unit, method, p)


def _sentence(reading: Reading, path: list[dict[str, Any]], preferred: Estimate) -> Text:
    kind = reading.kind
    told: Text | None = None
    for row in path[len(_SIDES) :]:
        words = {"level": shown(row[kind], kind), "stage": row["stage"]}
        told = (
            say(f"policy.path_first_{kind}", **words)
            if told is None
            else say(f"policy.path_next_{kind}", so_far=told, **words)
        )
    origin = "preferred" if preferred.low > 0 else "dispreferred" if preferred.high < 0 else "neutral"
    return say(
        f"policy.provenance_{kind}",
        feature=reading.feature.name,
        rejected=shown(path[0][kind], kind),
        chosen=shown(path[1][kind], kind),
        path=told,
        origin=say(f"policy.origin_{origin}"),
    )
