"""`reward_model.counterfactual`: what a reward model pays for, dose by dose, when the same answer is edited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from dehusk.core.findings import VERDICTS, Finding, Verdict
from dehusk.core.kinds import RewardModel, probes
from dehusk.core.messages import Text, say
from dehusk.core.tables import Measures, Pairs, Scores
from dehusk.probes.reward_model.earnings import Earning, dose_response, earnings, slope_of, within_prompt_spread
from dehusk.probes.reward_model.side_effects import Moved, side_effects
from dehusk.probes.reward_model.trials import FEWEST, Treatment, applicable, base_texts, treatments, trials

LARGE = 0.1  # RM-DOSE: SD a copy


@probes.add("reward_model.counterfactual")
def counterfactual(
    pairs: Pairs,
    measures: Measures,
    reward_model: RewardModel,
    scores: Scores,
    rng: np.random.Generator,
    *,
    texts: int = 150,
    doses: int = 3,
    q: float = 0.05,
) -> Iterator[Finding]:
    """What a reward model pays for when the same answer is edited: phrases, tone, layout, repetition, dose by dose.

    The unit is the pooled standard deviation of the scores within a prompt, sqrt(mean((chosen − rejected)² / 2)) over
    all scored pairs. Beside every slope stands the slope net of length: each edited answer is compared with the same
    answer made as much longer by neutral sentences in the same place, interpolated between doses and never beyond the
    longest. An edit that is paid for its length alone has a net slope of 0.

    Args:
        pairs: Whose answers are edited, one a prompt.
        measures: Says which features the edits change; mined phrases are tried on held-out prompts only.
        reward_model: Scores the edited answers, all in one call.
        scores: Of the pairs; they give the unit.
        rng: Which prompts, and which of their answers.
        texts: Answers edited, a language.
        doses: Most copies of a phrase, or steps of an edit.
        q: False-discovery rate, held apart for mined phrases and for the rest.

    Raises:
        NotEnoughData: with fewer than 20 prompts of a language, or scores that do not differ within prompts.
    """
    unit = within_prompt_spread(scores)
    base = base_texts(pairs, measures, texts, rng)
    tried = treatments(measures, doses)
    made = scored(base, trials(base, tried), reward_model, unit)
    moved = side_effects(base, made, tried, measures)
    earned = earnings(base, made, tried)
    controls = {row.treatment.lang: row for row in earned if row.treatment.control}
    numbers = {treatment.name: number for number, treatment in enumerate(tried)}
    findings = [
        _finding(
            row, q, len(applicable(base, row.treatment)), controls, moved[numbers[row.treatment.name]], scores.main
        )
        for row in earned
    ]
    yield from sorted(findings, key=_weight)
    yield from _left_out(base, tried, {row.treatment.name for row in earned})


def scored(base: pl.DataFrame, made: pl.DataFrame, model: RewardModel, unit: float) -> pl.DataFrame:
    """The edited answers with what each scores more than before as `gain`, in units; those without a score left out."""
    prompts = [*base["prompt"], *base["prompt"].gather(made["base"])]
    said = model.score(prompts, [*base["text"], *made["text"]])
    gain = (said[len(base) :] - said[: len(base)][made["base"].to_numpy()]) / unit
    return made.with_columns(gain=pl.Series(gain, dtype=pl.Float64)).filter(pl.col("gain").is_finite())


def _finding(row: Earning, q: float, tried: int, controls: Mapping[str, Earning], moved: Moved, model: str) -> Finding:
    treatment, slope = row.treatment, row.slope
    significant = row.q <= q
    verdict = _verdict(row, significant)
    way = "none" if not significant else "adds" if slope.value > 0 else "costs"
    turn = -1 if way == "costs" else 1
    low, high = sorted((turn * slope.low, turn * slope.high))
    shown = {"edit": treatment.subject, "value": turn * slope.value, "low": low, "high": high, "n": slope.n}
    serious = verdict in ("warn", "fail")
    return Finding(
        probe="reward_model.counterfactual",
        stage="reward_model",
        feature=treatment.feature.name if treatment.feature else None,
        family=treatment.feature.family if treatment.feature else None,
        estimate=slope,
        q=row.q,
        verdict=verdict,
        sentence=say(f"reward_model.counterfactual_{way}", **shown, tail=_tail(row, significant)),
        remedy=say(f"reward_model.remedy_counterfactual_{way}", edit=treatment.subject) if serious else None,
        details=_details(row, tried, controls, moved, model),
    )


def _tail(row: Earning, significant: bool) -> Text:
    """What part length has in it."""
    if not significant or row.treatment.yardstick:
        return say("reward_model.counterfactual_no_tail")
    if row.net is None:
        return say("reward_model.counterfactual_too_long")
    way = "beyond_length" if _stands(row) else "with_length"
    return say(f"reward_model.counterfactual_{way}", value=row.net.value, low=row.net.low, high=row.net.high)


def _details(row: Earning, tried: int, controls: Mapping[str, Earning], moved: Moved, model: str) -> dict[str, Any]:
    treatment, gains, slope, net = row[:4]
    found: dict[str, Any] = {"net_of_length": net} if net is not None else {}
    control = controls.get(treatment.lang) or next(iter(controls.values()), None)
    if control is not None and not treatment.control:
        found |= {"control": control.slope, "control_noise": float(np.sqrt((control.gains.raw**2).mean()))}
    if len(treatment.versions) > 1:
        by = ((place, slope_of(gains.raw, gains, (gains.place == place).to_numpy())) for place, _ in treatment.versions)
        found["places"] = [{"place": place, "estimate": here} for place, here in by if here is not None]
    return found | {
        "edit": treatment.name,
        "model": model,
        "place": treatment.versions[0][0] if len(treatment.versions) == 1 else "in turn",
        "characters": float((gains.added / gains.dose).mean()),
        "share_applied": slope.n / tried,
        "own_change": moved.own,
        "moved": list(moved.others),
        "curves": (dose_response(treatment.feature.name if treatment.feature else treatment.name, gains),),
    }


def _verdict(row: Earning, significant: bool) -> Verdict:
    """RM-DOSE: nothing empty may earn more than a tenth of a standard deviation a copy beyond its length."""
    treatment, slope = row.treatment, row.slope
    if not significant:
        return "pass"
    if treatment.control:
        return "inform"
    if treatment.forbidden:
        return "fail" if slope.value > 0 else "inform"
    if row.net is not None and not _stands(row):
        return "inform"  # the neutral sentences themselves carry the warning
    large = abs(slope.value) > LARGE and (treatment.yardstick or row.net is not None)
    if slope.value > 0 and treatment.content_free:
        return "fail" if large else "warn"
    return "warn" if large else "inform"


def _stands(row: Earning) -> bool:
    """Whether it earns, or costs, clearly more than neutral text of its length."""
    return row.net is not None and row.net.direction == row.slope.direction and abs(row.net.value) >= LARGE / 2


def _left_out(base: pl.DataFrame, tried: Sequence[Treatment], told: set[str]) -> Iterator[Finding]:
    """Edits that too few answers had room for."""
    fit = [treatment for treatment in tried if len(applicable(base, treatment)) >= FEWEST]
    rare = [treatment.subject for treatment in fit if treatment.name not in told]
    if rare:
        yield Finding(
            probe="reward_model.counterfactual",
            stage="reward_model",
            verdict="pass",
            sentence=say("reward_model.counterfactual_too_rare", count=len(rare), least=FEWEST),
            details={"reading": "too_rare", "edits": rare},
        )


def _weight(finding: Finding) -> tuple[int, float]:
    """Serious first, then what earns or costs most."""
    size = abs(finding.estimate.value) if finding.estimate else 0.0
    return -VERDICTS.index(finding.verdict), -size
