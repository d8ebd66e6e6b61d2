"""`policy.hygiene`: answers that went wrong as text, counted at each stage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from dehusk.core.findings import Estimate, Finding, Verdict
from dehusk.core.kinds import probes
from dehusk.core.messages import Text, say
from dehusk.core.tables import ResponseChecks, Responses
from dehusk.probes.policy.comparison import LEAST_PROMPTS, level
from dehusk.stats.effects import clustered_mean
from dehusk.stats.matching import sign_p
from dehusk.stats.multiplicity import benjamini_hochberg

KINDS = (
    "truncated",
    "role_marker",
    "empty",
    "duplicate",
    "prompt_in_response",
    "mixed_encoding",
    "lone_surrogate",
)
_HARMFUL = ("truncated", "role_marker")  # the policy no longer ends its turn: it runs into the limit, or on as the user
_NOTABLE = 0.02
_SHOWN = 10  # rows named, a stage


@probes.add("policy.hygiene")
def hygiene(responses: Responses, response_checks: ResponseChecks, *, q: float = 0.05) -> Iterator[Finding]:
    """Answers that are empty, cut off, repeated, garbled or hold role markers, as shares of each stage.

    With several stages the last is compared with the first on the same prompts. More answers that are cut off or hold
    role markers are a warning: beyond chance after Benjamini-Hochberg over the checks, and by more than 2 points.

    Args:
        responses: Answers of one stage or more.
        response_checks: What was noticed while reading them; answers that were left out are counted as well.
        q: False-discovery rate over the checks.
    """
    names = [name for name in KINDS if name in set(response_checks.frame["check"])]
    names += sorted(set(response_checks.frame["check"]) - set(KINDS))
    answers = _answers(responses, response_checks, names)
    if not names:
        yield _finding(say("policy.hygiene_clean", answers=answers.height), "pass")
    stages = [*responses.stages, *sorted(set(answers["stage"]) - set(responses.stages))]
    changes = [_change(answers, name, stages[0], stages[-1]) for name in names]
    adjusted = benjamini_hochberg(np.array([np.nan if one is None else one.p for one in changes], dtype=np.float64))
    for name, change, found_q in zip(names, changes, adjusted.tolist(), strict=True):
        counts, levels = _levels(answers, name, stages)
        surely = change is not None and change.direction > 0 and change.value > _NOTABLE and found_q <= q
        worse = surely and name in _HARMFUL
        yield _finding(
            _sentence(name, counts, change, moved=found_q <= q),
            "warn" if worse else "inform",
            estimate=change,
            q=None if change is None else found_q,
            remedy=say(f"policy.remedy_{name}") if worse else None,
            details={
                "check": name,
                "stages": levels,
                "counts": {stage: count for stage, (count, _) in counts.items()},
                "rows": _rows(response_checks, name, stages),
            },
        )


def _finding(sentence: Text, verdict: Verdict, **more: Any) -> Finding:
    return Finding(probe="policy.hygiene", stage="policy", sentence=sentence, verdict=verdict, **more)


def _answers(responses: Responses, checks: ResponseChecks, names: list[str]) -> pl.DataFrame:
    """Every answer read, also those left out: response_id, stage, group, and a column of 0 and 1 a check."""
    whose = ("response_id", "stage", "group")
    lost = checks.frame.filter(~pl.col("kept")).select(whose).unique("response_id", maintain_order=True)
    ids = {name: checks.frame.filter(check=name)["response_id"].implode() for name in names}
    return pl.concat([responses.frame.select(whose), lost]).with_columns(
        pl.col("response_id").is_in(ids[name]).cast(pl.Float64).alias(name) for name in names
    )


def _change(answers: pl.DataFrame, name: str, first: str, last: str) -> Estimate | None:
    """Last − first share on the prompts that both stages answered; None where there are too few of them."""
    if first == last:
        return None
    at = {stage: answers.filter(stage=stage).group_by("group").agg(pl.col(name).mean()) for stage in (first, last)}
    both = at[first].join(at[last], on="group", suffix="_later").sort("group")
    if both.height < LEAST_PROMPTS:
        return None
    value, low, high, _, n = clustered_mean((both[f"{name}_later"] - both[name]).to_numpy(), np.arange(both.height))
    shared = answers.filter(pl.col("stage").is_in([first, last]), pl.col("group").is_in(both["group"].implode()))
    prompts = shared["group"].rank("dense").to_numpy().astype(np.int64) - 1
    p = sign_p(shared[name].to_numpy()[:, None], (shared["stage"] == last).to_numpy(), prompts)[0]
    return Estimate(value, low, high, n, "share", "paired by prompt", float(p))


def _levels(
    answers: pl.DataFrame, name: str, stages: list[str]
) -> tuple[dict[str, tuple[int, int]], list[dict[str, Any]]]:
    """At each stage: how many answers of how many, and the share over prompts."""
    counts, levels = {}, []
    for stage in stages:
        here = answers.filter(stage=stage)
        by_prompt = here.group_by("group", maintain_order=True).agg(pl.col(name).mean())[name].to_numpy()
        counts[stage] = int(here[name].sum()), here.height
        levels.append({"stage": stage, **level("rate", by_prompt)})
    return counts, levels


def _rows(checks: ResponseChecks, name: str, stages: list[str]) -> dict[str, list[int]]:
    """The first rows of each stage's file, for whoever wants to look."""
    rows = {stage: checks.frame.filter(check=name, stage=stage)["row"].unique().sort() for stage in stages}
    return {stage: found.head(_SHOWN).to_list() for stage, found in rows.items() if len(found)}


def _sentence(name: str, counts: dict[str, tuple[int, int]], change: Estimate | None, *, moved: bool) -> Text:
    told = say(f"policy.check_{name if name in KINDS else 'other'}", check=name.replace("_", " "))
    (earlier, (before, of_before)), (later, (after, of_after)) = (list(counts.items())[end] for end in (0, -1))
    if len(counts) == 1:
        return say("policy.hygiene_stage", check=told, count=before, answers=of_before, stage=earlier)
    if change is None:
        compared = say("policy.hygiene_apart")
    elif moved:
        points = {end: 100 * getattr(change, end) for end in ("value", "low", "high")}
        compared = say("policy.hygiene_moved", **points)
    else:
        compared = say("policy.hygiene_steady")
    return say(
        "policy.hygiene_stages",
        check=told,
        before=before,
        of_before=of_before,
        earlier=earlier,
        after=after,
        of_after=of_after,
        later=later,
        compared=compared,
    )
