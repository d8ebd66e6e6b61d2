"""How much of a reward model a model of the answers alone reproduces, and how far answers alone predict the labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Estimate, Finding, Verdict
from dehusk.core.messages import say
from dehusk.core.tables import Floats, Ints, Measures, Pairs, Scores
from dehusk.probes.data.contrast import bounded_differences
from dehusk.probes.data.terms import bags
from dehusk.stats.effects import clustered_mean
from dehusk.stats.folds import grouped_folds
from dehusk.stats.ranking import win_shares
from dehusk.stats.ridge import cross_fitted_ridge
from dehusk.stats.stratified import bootstrap_weights

FOLDS, FEWEST_PROMPTS = 5, 50
PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0)  # a score is less noisy than a label: looser ones than separability has
WARN = 0.85  # agreement from words, signs and layout alone that leaves a model little of its own


class Alone(NamedTuple):
    """One model on n held-out pairs, beside a model that was fitted to it and never saw a prompt."""

    agreement: Estimate  # share of pairs in which both prefer the same answer
    reproduced: Estimate  # R² of the score differences
    accuracy: Estimate  # of the reward model, on the labels
    ahead: Estimate  # its accuracy − that of the model of answers fitted to the labels, in the same pairs


def answers_alone(
    pairs: Pairs, measures: Measures, scores: Scores, rng: np.random.Generator, *, most: int = 2_000
) -> Finding:
    """Fit a Bradley-Terry-like model of the answers to each reward model, and to the labels, across held-out prompts.

    Wording (as in `data.separability`) and declared features stand side by side in one ridge kernel, each block of the
    same total weight; a prompt is never seen and never on both sides of a split. What the fit reproduces of a reward
    model is a lower bound of what does not depend on the prompt: with more pairs it would find more. Its accuracy on
    the labels is the ceiling, as far as so many pairs show it, of shortcuts and legitimate taste together.

    Args:
        pairs: The preference pairs.
        measures: Features of both sides; mined ones are left out, because they were found with the labels.
        scores: Scores of both sides by every model.
        rng: Sample, folds and resamples.
        most: Pairs used, a random sample of larger data.

    Returns:
        The finding about the main model, with a table of all models where there are several.

    Raises:
        NotEnoughData: fewer than 50 prompts with scores of every model, or answers that do not differ.
    """
    margins = {model: scores.of("chosen", model) - scores.of("rejected", model) for model in scores.models}
    scored = np.flatnonzero(np.isfinite(np.stack(list(margins.values()))).all(axis=0))
    rows = np.sort(rng.permutation(scored)[:most])
    prompts = pairs.groups[rows]
    count = np.unique(prompts).size
    if count < FEWEST_PROMPTS:
        raise NotEnoughData(f"at least {FEWEST_PROMPTS} prompts with scores of both answers, got {count}")
    kernel = _kernel(pairs, measures, rows)
    folds = grouped_folds(prompts, FOLDS, rng)
    draws = bootstrap_weights(count, rng)
    guess = np.round(_held_out(kernel, folds, np.ones(len(rows))), 9)  # of the label
    ceiling = _share(guess, prompts)
    found = {}
    for model, margin in margins.items():
        spread = float(np.sqrt(np.mean(margin[rows] ** 2)))
        if spread > 0:  # a constant model prefers nothing
            own = margin[rows] / spread
            found[model] = _alone(_held_out(kernel, folds, own), own, guess, prompts, draws)
    if scores.main not in found:
        raise NotEnoughData("scores that differ")
    return _finding(scores.main, found, ceiling, len(rows))


def _kernel(pairs: Pairs, measures: Measures, rows: Ints) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Products of what two pairs differ in, shape (n, n): wording and features, each of mean 1 on the diagonal."""
    declared = [feature for feature in measures.on("chosen") if not feature.mined]
    blocks = (
        bags(pairs.frame["chosen"][rows], pairs.frame["rejected"][rows]).differences(),
        bounded_differences(measures, declared, rows).astype(np.float32),
    )
    kernel = np.zeros((len(rows), len(rows)), dtype=np.float32)
    for block in blocks:
        size = float(np.einsum("nv,nv->", block, block)) / len(rows)
        if size > 0:
            kernel += block @ block.T / np.float32(size)
    if not kernel.any():
        raise NotEnoughData("pairs that have words or features")
    return kernel


def _held_out(kernel: np.ndarray[Any, np.dtype[np.float32]], folds: Ints, target: Floats) -> Floats:
    """What the model fitted without a row's fold predicts for it, shape (n,)."""
    fit = cross_fitted_ridge(kernel, folds, PENALTIES, target=target)
    predicted: Floats = (kernel @ fit.held_out)[np.arange(len(folds)), folds].astype(np.float64)
    return predicted


def _alone(predicted: Floats, own: Floats, guess: Floats, prompts: Ints, draws: Floats) -> Alone:
    right = np.sign(own) - np.sign(guess)
    value, low, high, p, n = clustered_mean(right / 2, prompts)
    return Alone(
        agreement=_share(np.where(own == 0, np.nan, np.round(predicted, 9) * np.sign(own)), prompts),
        reproduced=_reproduced(predicted, own, prompts, draws),
        accuracy=_share(own, prompts),
        ahead=Estimate(value, low, high, n, "accuracy gap", "mean over prompts", p),
    )


def _share(margins: Floats, prompts: Ints) -> Estimate:
    found = win_shares(margins[:, None], prompts)
    value, low, high, p = (float(column[0]) for column in found[:4])
    return Estimate(
        value, low, high, int(found.n[0]), "share of pairs", "5 folds by prompt, Wilson interval given the fits", p
    )


def _reproduced(predicted: Floats, own: Floats, prompts: Ints, draws: Floats) -> Estimate:
    """R² about zero, which is where a pair turned around balances; prompts drawn again for the interval."""
    _, index = np.unique(prompts, return_inverse=True)
    wrong, all_of_it = (np.bincount(index, part**2) for part in (own - predicted, own))
    drawn = 1 - (draws @ wrong) / (draws @ all_of_it)
    low, high = np.quantile(drawn, [0.025, 0.975])
    value = 1 - wrong.sum() / all_of_it.sum()
    return Estimate(float(value), float(low), float(high), len(wrong), "share of variance", "bootstrap over prompts")


def _finding(model: str, found: Mapping[str, Alone], ceiling: Estimate, sample: int) -> Finding:
    main = found[model]
    verdict: Verdict = "pass"
    if main.agreement.low >= WARN or main.ahead.high < 0:
        verdict = "warn"
    elif main.agreement.low > 0.5:
        verdict = "inform"
    ending = "behind" if main.ahead.high < 0 else "ahead" if main.ahead.low > 0 else "level"
    compared = {"accuracy": main.accuracy.value, "ceiling": ceiling.value}
    ahead = {"points": main.ahead.value * 100, "low": main.ahead.low * 100, "high": main.ahead.high * 100}
    return Finding(
        probe="reward_model.prompt_use",
        stage="reward_model",
        estimate=main.agreement,
        verdict=verdict,
        sentence=say(
            "reward_model.alone",
            model=model,
            agreement=main.agreement.value,
            low=main.agreement.low,
            high=main.agreement.high,
            reproduced=max(main.reproduced.value, 0.0),
            n=sample,
            ending=say(f"reward_model.alone_{ending}", model=model, **compared, **ahead),
        ),
        remedy=say("reward_model.remedy_alone") if verdict == "warn" else None,
        details={
            "reading": "answers_alone",
            "model": model,
            "reproduced": main.reproduced,
            "accuracy_own": main.accuracy,
            "accuracy_answers_alone": ceiling,
            "ahead_of_answers_alone": main.ahead,
        }
        | _by_model(found),
    )


def _by_model(found: Mapping[str, Alone]) -> dict[str, Any]:
    """A table of all checkpoints, where there are several."""
    if len(found) < 2:
        return {}
    rows = [
        {"model": model, "accuracy_own": one.accuracy, "agreement": one.agreement, "reproduced": one.reproduced}
        for model, one in found.items()
    ]
    return {"checkpoints": rows}
