"""`reward_model.scale` and `reward_model.spread`: what the numbers a reward model gives look like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Estimate, Finding, Verdict
from dehusk.core.kinds import probes
from dehusk.core.messages import say
from dehusk.core.tables import Floats, Pairs, Responses, Scores
from dehusk.stats.effects import clustered_mean

FEWEST = 20  # prompts
INDISTINCT = 0.1  # RM-DISC: median score difference of a pair in SD of the scores
FAR = 5.0  # RM-SCALE: mean score in SD of the scores
SATURATED = 0.5  # share of pairs whose loss is below 0.01 nats
SPREAD = 0.2  # RM-VAR: SD within prompts against SD of all scores
_SURE = -np.log(np.expm1(0.01))  # a margin at which -log sigmoid(margin) is 0.01


@probes.add("reward_model.scale")
def scale(pairs: Pairs, scores: Scores) -> Iterator[Finding]:
    """Agreement with the labels, ties, how far apart the answers of a pair are, where the scores lie, saturation.

    One finding a model and question; with several checkpoints the drift of the mean from the first to the last.

    Raises:
        NotEnoughData: with fewer than 20 scored prompts.
    """
    told = 0
    for name in scores.models:
        chosen, rejected = scores.of("chosen", name), scores.of("rejected", name)
        kept = np.isfinite(chosen - rejected)
        prompts = pairs.groups[kept]
        if len(np.unique(prompts)) < FEWEST:
            continue
        told += 1
        yield _agreement(name, np.sign(chosen - rejected)[kept], prompts)
        yield _discrimination(name, chosen[kept], rejected[kept], prompts)
        yield _place(name, np.concatenate([chosen[kept], rejected[kept]]), np.tile(prompts, 2))
        yield _saturation(name, (chosen - rejected)[kept], prompts)
    if not told:
        raise NotEnoughData(f"at least {FEWEST} prompts with scores of both answers")
    if len(scores.models) > 1:
        yield from _drift(pairs, scores)


def _finding(reading: str, verdict: Verdict, estimate: Estimate, model: str, **values: Any) -> Finding:
    serious = verdict in ("warn", "fail")
    return Finding(
        probe="reward_model.scale",
        stage="reward_model",
        estimate=estimate,
        verdict=verdict,
        sentence=say(f"reward_model.scale_{reading}_{verdict}", model=model, value=estimate.value, **values),
        remedy=say(f"reward_model.remedy_{reading}") if serious else None,
        details={"reading": reading, "model": model},
    )


def _mean(values: Floats, prompts: Any, unit: str) -> Estimate:
    value, low, high, p, n = clustered_mean(values, prompts)
    return Estimate(value, low, high, n, unit, "mean over pairs, clustered by prompt", p if unit != "share" else None)


def _agreement(model: str, side: Floats, prompts: Any) -> Finding:
    """Ties count as halves. 65 to 70 % on human labels is normal, and is said so."""
    accuracy = _mean((side + 1) / 2, prompts, "share of pairs")
    ties = float((side == 0).mean())
    verdict: Verdict = "warn" if accuracy.low <= 0.5 else "inform"
    return _finding("agreement", verdict, accuracy, model, low=accuracy.low, high=accuracy.high, ties=ties)


def _discrimination(model: str, chosen: Floats, rejected: Floats, prompts: Any) -> Finding:
    spread = float(np.std(np.concatenate([chosen, rejected])))
    gap = np.abs(chosen - rejected) / spread if spread > 0 else np.zeros(len(chosen))
    near = _mean((gap < INDISTINCT).astype(np.float64), prompts, "share of pairs")
    verdict: Verdict = "fail" if near.low > 0.5 else "warn" if near.value > 0.25 else "pass"
    return _finding("discrimination", verdict, near, model, least=INDISTINCT)


def _place(model: str, values: Floats, prompts: Any) -> Finding:
    spread = float(np.std(values))
    mean = _mean(values, prompts, "reward")
    far = spread > 0 and abs(mean.value) > FAR * spread
    return _finding("place", "warn" if far else "inform", mean, model, spread=spread)


def _saturation(model: str, margins: Floats, prompts: Any) -> Finding:
    sure = _mean((margins > _SURE).astype(np.float64), prompts, "share of pairs")
    return _finding("saturation", "warn" if sure.low > SATURATED else "pass", sure, model)


def _drift(pairs: Pairs, scores: Scores) -> Iterator[Finding]:
    """The mean score of the same texts, last checkpoint minus first, in SD of the first."""
    first, last = scores.models[0], scores.models[-1]
    both = [np.concatenate([scores.of(side, name) for side in ("chosen", "rejected")]) for name in (first, last)]
    kept = np.isfinite(both[0] - both[1])
    spread = float(np.std(both[0][kept])) if kept.any() else 0.0
    prompts = np.tile(pairs.groups, 2)[kept]
    if spread == 0 or len(np.unique(prompts)) < FEWEST:
        return
    moved = _mean((both[1] - both[0])[kept] / spread, prompts, "SD")
    yield _finding("drift", "warn" if abs(moved.value) > FAR else "pass", moved, last, first=first)


@probes.add("reward_model.spread")
def spread(responses: Responses, scores: Scores) -> Iterator[Finding]:
    """How much of the spread of scores is between answers to the same prompt, where a policy can move.

    A reward that varies between prompts only cannot teach a policy anything; below a fifth of the whole it is weak.

    Raises:
        NotEnoughData: with fewer than 20 prompts that have two scored answers.
    """
    values = scores.of("response")
    kept = np.isfinite(values)
    _, prompts, counts = np.unique(responses.groups[kept], return_inverse=True, return_counts=True)
    if (counts > 1).sum() < FEWEST:
        raise NotEnoughData(f"at least {FEWEST} prompts with two scored answers, got {(counts > 1).sum()}")
    values = values[kept]
    centred = values - (np.bincount(prompts, values) / counts)[prompts]
    several = counts[prompts] > 1
    whole = float(np.var(values))
    if whole == 0:
        raise NotEnoughData("scores that differ")
    inside = centred[several] ** 2 * (counts / np.maximum(counts - 1, 1))[prompts][several]
    share = _mean(inside / whole, prompts[several], "share of variance")
    weak = np.sqrt(share.high) < SPREAD
    yield Finding(
        probe="reward_model.spread",
        stage="reward_model",
        estimate=share,
        verdict="warn" if weak else "pass",
        sentence=say(f"reward_model.spread_{'weak' if weak else 'enough'}", model=scores.main, share=share.value),
        remedy=say("reward_model.remedy_spread") if weak else None,
        details={"model": scores.main},
    )
