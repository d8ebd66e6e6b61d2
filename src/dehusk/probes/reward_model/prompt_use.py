"""`reward_model.prompt_use`: does a reward model read the prompt, or the answer alone?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Curve, Estimate, Finding, Verdict
from dehusk.core.kinds import RewardModel, probes, scores_new_texts
from dehusk.core.messages import say
from dehusk.core.tables import Floats, Ints, Measures, Pairs, Scores
from dehusk.probes.reward_model.answers_alone import answers_alone
from dehusk.probes.reward_model.relevance import Relevance, relevance
from dehusk.probes.reward_model.swaps import KEPT, Gaps, gaps, prompt_free, response_share, trial, wins
from dehusk.stats.effects import clustered_mean
from dehusk.stats.stratified import bootstrap_weights

LEAST = 20  # prompts
WARN, FAIL = 0.8, 0.9  # RM-PROMPT: accuracy under foreign prompts against accuracy under the own one


class _Use(NamedTuple):
    """How one model uses the prompt; every estimate is over the same pairs."""

    gaps: Gaps
    own: Estimate
    foreign: Estimate
    gain: Estimate
    share: Estimate


@probes.add("reward_model.prompt_use")
def prompt_use(
    pairs: Pairs,
    measures: Measures,
    scores: Scores,
    reward_models: tuple[RewardModel, ...],
    rng: np.random.Generator,
    *,
    texts: int = 100,
    swaps: int = 8,
) -> Iterator[Finding]:
    """Accuracy under the own prompt, part of it and prompts of other pairs; what a model of the answers reproduces.

    Prompt gain is what the own prompt adds to accuracy. A helpful answer often looks helpful under any prompt, so
    accuracy under foreign prompts need not be a half; but where it is nearly the whole accuracy, the model goes by the
    answer alone, and a policy will learn to write that answer to everything. A model of the answers alone, fitted to
    the labels, says how much of that the labels themselves invite. With several checkpoints, an alarm is raised when
    accuracy still rises while the prompt gain falls.

    Args:
        pairs: The preference pairs.
        measures: Features of both sides, for the model of the answers alone.
        scores: Scores of both sides, to which it is fitted.
        reward_models: Earlier checkpoints first; those that can score new texts are asked.
        rng: Chooses pairs and prompts.
        texts: Prompts looked at.
        swaps: Foreign prompts a pair.

    Raises:
        NotEnoughData: no model that can score new texts, fewer than 20 prompts, or fewer than 50 scored ones.
    """
    models = [model for model in reward_models if scores_new_texts(model)]
    if models:
        yield from _swapped(pairs, models, rng, texts=texts, swaps=swaps)
    yield answers_alone(pairs, measures, scores, rng)
    if not models:
        raise NotEnoughData("reward_model")


def _swapped(
    pairs: Pairs, models: Sequence[RewardModel], rng: np.random.Generator, *, texts: int, swaps: int
) -> Iterator[Finding]:
    chosen = trial(pairs, rng, texts=texts, swaps=swaps, least=LEAST)
    answers = pairs.frame[chosen.rows].select(pl.concat_str("chosen", "rejected", separator="\n")).to_series()
    weighed = relevance(chosen.swapped, answers.to_list())
    draws = bootstrap_weights(len(chosen.rows), rng)
    used = [_use(gaps(model, pairs, chosen), draws) for model in models]
    yield _finding(models[-1].name, used[-1], weighed)
    if len(models) > 1:
        yield _checkpoints([model.name for model in models], used)


def _use(found: Gaps, draws: Floats) -> _Use:
    rows = np.arange(len(found.own))
    return _Use(
        found,
        own=_mean(wins(found.own), rows, "share of pairs"),
        foreign=_mean(wins(found.swapped).mean(axis=1), rows, "share of pairs"),
        gain=_mean(_gained(found), rows, "accuracy gap"),
        share=_share(found.swapped, draws),
    )


def _mean(values: Floats, rows: Ints, unit: str) -> Estimate:
    value, low, high, p, n = clustered_mean(values, rows)
    shown = None if unit == "share of pairs" else p
    return Estimate(value, low, high, n, unit, "mean over prompts", shown)


def _share(gap: Floats, draws: Floats) -> Estimate:
    drawn = [response_share(np.repeat(gap, weights.astype(np.int64), axis=0)) for weights in draws[:200]]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Estimate(
        response_share(gap), float(low), float(high), len(gap), "share of variance", "bootstrap over prompts"
    )


def _finding(model: str, use: _Use, weighed: Relevance) -> Finding:
    ratio = use.foreign.value / use.own.value if use.own.value > 0 else 1.0
    able = use.own.low > 0.5
    verdict: Verdict = "inform" if not able else "fail" if ratio >= FAIL else "warn" if ratio >= WARN else "pass"
    free = prompt_free(use.gaps.swapped, weighed.weights)
    related = use.gaps.own - free
    rows = np.arange(len(free))
    return Finding(
        probe="reward_model.prompt_use",
        stage="reward_model",
        estimate=use.gain,
        verdict=verdict,
        sentence=say(
            f"reward_model.prompt_use_{verdict}",
            model=model,
            own=use.own.value,
            foreign=use.foreign.value,
            gain=use.gain.value * 100,
            low=use.gain.low * 100,
            high=use.gain.high * 100,
            share=use.share.value,
            n=use.own.n,
        ),
        remedy=say("reward_model.remedy_prompt_use") if verdict in ("warn", "fail") else None,
        details={
            "model": model,
            "accuracy_own": use.own,
            "accuracy_foreign": use.foreign,
            "accuracy_empty": _mean(wins(use.gaps.empty), rows, "share of pairs"),
            "response_share": use.share,
            "prompt_free_gap": _mean(free, rows, "reward"),
            "prompt_related_gap": _mean(related, rows, "reward"),
            "effective_prompts": float(np.median(weighed.effective)),
            "share_evenly_weighted": float(weighed.even.mean()),
            "curves": (_curve(use),),
        },
    )


def _curve(use: _Use) -> Curve:
    """Accuracy by the share of the own prompt that is kept, from a foreign prompt (0) to the own one (1)."""
    rows = np.arange(len(use.gaps.own))
    between = [_mean(wins(use.gaps.mixed[:, at]), rows, "share of pairs") for at in range(len(KEPT))]
    points = [use.foreign, *between, use.own]
    return _drawn("accuracy", "share of the prompt", (0.0, *KEPT, 1.0), points)


def _drawn(name: str, axis: str, x: Sequence[float], points: Sequence[Estimate]) -> Curve:
    return Curve(
        name,
        axis,
        points[0].unit,
        tuple(x),
        tuple(point.value for point in points),
        tuple(point.low for point in points),
        tuple(point.high for point in points),
    )


def _gained(found: Gaps) -> Floats:
    """What the own prompt adds to the accuracy of each pair, shape (n,)."""
    gained: Floats = wins(found.own) - wins(found.swapped).mean(axis=1)
    return gained


def _checkpoints(names: Sequence[str], used: Sequence[_Use]) -> Finding:
    """From the checkpoint with the highest prompt gain to the last: did accuracy rise while the gain fell?"""
    best = int(np.argmax([use.gain.value for use in used[:-1]]))
    before, after = used[best], used[-1]
    rows = np.arange(len(before.gaps.own))

    moved = _gained(after.gaps) - _gained(before.gaps)
    # The best of several was chosen for being high: each comparison gets its share of the level (Bonferroni).
    value, low, high, p, n = clustered_mean(moved, rows, level=1 - 0.05 / (len(used) - 1))
    change = Estimate(value, low, high, n, "accuracy change", "mean over prompts", p, 1 - 0.05 / (len(used) - 1))
    fell = change.high < 0
    rose = after.own.value >= before.own.value
    verdict: Verdict = "warn" if fell and rose else "inform" if fell else "pass"
    x = tuple(float(at) for at in range(1, len(used) + 1))
    return Finding(
        probe="reward_model.prompt_use",
        stage="reward_model",
        estimate=change,
        verdict=verdict,
        sentence=say(
            f"reward_model.checkpoints_{verdict}",
            first=names[best],
            last=names[-1],
            before=before.own.value,
            after=after.own.value,
            gain_before=before.gain.value * 100,
            gain_after=after.gain.value * 100,
            low=change.low * 100,
            high=change.high * 100,
        ),
        remedy=say("reward_model.remedy_checkpoints", first=names[best]) if verdict == "warn" else None,
        details={
            "checkpoints": [
                {
                    "model": name,
                    "accuracy_own": use.own,
                    "accuracy_foreign": use.foreign,
                    "prompt_gain": use.gain,
                    "response_share": use.share,
                }
                for name, use in zip(names, used, strict=True)
            ],
            "curves": (
                _drawn("accuracy", "checkpoint", x, [use.own for use in used]),
                _drawn("accuracy under foreign prompts", "checkpoint", x, [use.foreign for use in used]),
            ),
        },
    )
