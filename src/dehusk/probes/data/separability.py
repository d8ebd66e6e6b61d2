"""`data.separability`: how well the label can be guessed without reading for meaning.

If counting words, or knowing who wrote an answer, predicts the label, a reward model can learn that and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Estimate, Finding, Verdict
from dehusk.core.kinds import probes
from dehusk.core.messages import Text, say
from dehusk.core.tables import Floats, Ints, Measures, Pairs
from dehusk.probes.data.contrast import bounded_differences
from dehusk.probes.data.terms import Bags, bags
from dehusk.stats.folds import grouped_folds
from dehusk.stats.ranking import auc, win_shares
from dehusk.stats.regression import paired_logit
from dehusk.stats.ridge import cross_fitted_ridge, masked_ridge

WARN, FAIL = 0.75, 0.90
# p above which "better than chance" is not said. Folds that were fitted on each other lean together: without an effect
# their share varies up to sqrt(2) times as much as a count would, so this is about 0.003 in truth.
CHANCE = 1e-4
FOLDS, FEWEST_PROMPTS, SHOWN = 5, 50, 20
PENALTIES = (1.0, 3.0, 10.0)  # of the mean squared length of a difference; real files choose among these
CURVE = (100, 300, 1000)
ONE_WRITER = 0.80  # wins − losses of one model, as a share of the pairs: 90 % won and 10 % lost


@probes.add("data.separability")
def separability(pairs: Pairs, measures: Measures, rng: np.random.Generator, *, most: int = 2_000) -> Iterator[Finding]:
    """How well the label is predicted without reading for meaning: from features, from wording, from who wrote it.

    Every number is the share of held-out pairs whose chosen answer scores higher, ties half (the AUC within pairs);
    no prompt is in both the fitted and the held-out part, and prompts are never shown. Wording is terms of one or two
    words (characters where words are not separated) and fragments of words; in the terms, `⊢` and `⊣` are the start and
    the end of an answer, `⏎` a line break and `·` the rest of a word.

    Args:
        pairs: The preference pairs.
        measures: Features of both sides; mined ones are left out, because they were found with the labels.
        rng: Sampling and folds.
        most: Pairs used, a random sample of larger data.

    Raises:
        NotEnoughData: with fewer than 50 prompts.
    """
    prompts = len(np.unique(pairs.groups))
    if prompts < FEWEST_PROMPTS:
        raise NotEnoughData(f"at least {FEWEST_PROMPTS} prompts, got {prompts}")
    rows = np.sort(rng.permutation(len(pairs))[:most])
    folds = grouped_folds(pairs.groups, FOLDS, rng)
    declared = [feature for feature in measures.on("chosen") if not feature.mined]
    varying = bounded_differences(measures, declared, rows)
    if varying.shape[1]:
        margins = _held_out_logit(varying, folds[rows])
        details = {"sample": len(rows), "count": varying.shape[1]}
        yield _finding("features", _within(margins, pairs.groups[rows]), details)
    wording = _wording(pairs, rows, folds[rows], rng)
    if wording is not None:
        yield wording
    writers = _writers(pairs, folds)
    if writers is not None:
        yield writers
    yield from _saturation(pairs, wording)


def _held_out_logit(x: Floats, folds: Ints) -> Floats:
    margins = np.zeros(len(x))
    for fold in range(FOLDS):
        margins[folds == fold] = x[folds == fold] @ paired_logit(x[folds != fold], ridge=1.0).beta
    return margins


def _within(margins: Floats, clusters: Ints) -> Estimate:
    shares = win_shares(np.round(margins, 9)[:, None], clusters)
    value, low, high, p = (float(array[0]) for array in shares[:4])
    return Estimate(
        value, low, high, int(shares.n[0]), "AUC within pairs", "5 folds by prompt, Wilson interval given the fits", p
    )


def _wording(pairs: Pairs, rows: Ints, folds: Ints, rng: np.random.Generator) -> Finding | None:
    """Fit word and character n-grams of the answers alone; None where answers share no terms."""
    bag = bags(pairs.frame["chosen"][rows], pairs.frame["rejected"][rows])
    x = bag.differences()
    if not x.any():
        return None
    kernel = x @ x.T
    fit = cross_fitted_ridge(kernel, folds, PENALTIES)
    weights = x.T @ fit.held_out
    margins = (x @ weights)[np.arange(len(x)), folds].astype(np.float64)
    pooled = np.mean([_pooled(bag, weights[:, fold], folds == fold) for fold in range(FOLDS)])
    details = {
        "sample": len(x),
        "pooled_auc": float(pooled),
        "learning_curve": _learning_curve(x, kernel, folds, float(np.median(fit.penalties)), rng),
        "terms": _strongest(bag, x, x.T @ fit.whole),
    }
    return _finding("wording", _within(margins, pairs.groups[rows]), details)


def _pooled(bag: Bags, weights: Floats, held_out: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    chosen, rejected = bag.scores(weights).reshape(2, -1)
    return auc(chosen[held_out], rejected[held_out])


def _learning_curve(
    x: Floats, kernel: Floats, folds: Ints, penalty: float, rng: np.random.Generator
) -> list[dict[str, float]]:
    """Held-out AUC after training on few pairs: how early would a reward model have seen enough?"""
    order = rng.permutation(len(x))
    sizes = [size for size in CURVE if size <= (folds != 0).sum()]
    masks = []
    for size in sizes:
        for fold in range(FOLDS):
            mask = np.zeros(len(x), dtype=bool)
            mask[order[folds[order] != fold][:size]] = True
            masks.append(mask)
    if not masks:
        return []
    unit = float(np.trace(kernel)) / len(kernel)
    weights = x.T @ masked_ridge(kernel, np.stack(masks, axis=1), np.full(len(masks), penalty * unit))
    scores = (x @ weights).reshape(len(x), len(sizes), FOLDS)[np.arange(len(x)), :, folds]
    shares = (np.sign(scores) + 1).mean(axis=0) / 2
    return [{"pairs": size, "auc": float(share)} for size, share in zip(sizes, shares, strict=True)]


def _strongest(bag: Bags, x: Floats, weights: Floats) -> list[dict[str, Any]]:
    strength = weights * np.sqrt(np.einsum("nv,nv->v", x, x) / len(x))  # what a term moves in a typical pair
    chosen, rejected = bag.rates()
    return [
        {
            "term": bag.terms[k],
            "weight": float(strength[k]),
            "chosen": float(chosen[k]),
            "rejected": float(rejected[k]),
        }
        for k in np.argsort(-np.abs(strength), kind="stable")[:SHOWN]
    ]


def _writers(pairs: Pairs, folds: Ints) -> Finding | None:
    """Predict the label from the names of the two models; None without the columns or with one model only."""
    rows = _written(pairs)
    if rows.size < FEWEST_PROMPTS or len(np.unique(folds[rows])) < FOLDS:
        return None
    sides = pairs.frame[rows].select("chosen_model", "rejected_model")
    names = sorted(set(sides["chosen_model"]) | set(sides["rejected_model"]))
    if len(names) < 2:
        return None
    wins = np.stack([(sides["chosen_model"] == name).to_numpy() for name in names], axis=1).astype(np.float64)
    losses = np.stack([(sides["rejected_model"] == name).to_numpy() for name in names], axis=1).astype(np.float64)
    margins = _held_out_logit(wins - losses, folds[rows])
    table = [
        {"model": name, "wins": int(won), "losses": int(lost)}
        for name, won, lost in zip(names, wins.sum(axis=0), losses.sum(axis=0), strict=True)
    ]
    table.sort(key=lambda row: (-abs(row["wins"] - row["losses"]), row["model"]))
    return _finding("writers", _within(margins, pairs.groups[rows]), {"sample": rows.size, "models": table[:SHOWN]})


def _written(pairs: Pairs) -> Ints:
    if not {"chosen_model", "rejected_model"} <= set(pairs.frame.columns):
        return np.zeros(0, dtype=np.int64)
    known = pairs.frame.select(pl.col("chosen_model").is_not_null() & pl.col("rejected_model").is_not_null())
    return np.flatnonzero(known.to_series().to_numpy())


def _verdict(number: Estimate) -> Verdict:
    if number.value >= FAIL and number.low >= FAIL - 0.05:  # the bound keeps a small sample from shouting
        return "fail"
    if number.value >= WARN and number.low >= WARN - 0.05:
        return "warn"
    return "inform" if number.low > 0.5 and number.p is not None and number.p <= CHANCE else "pass"


def _finding(reading: str, number: Estimate, details: dict[str, Any]) -> Finding:
    verdict = _verdict(number)
    values: dict[str, Any] = {"auc": number.value, "low": number.low, "high": number.high, "n": number.n}
    if reading == "writers":
        values |= {"sample": details["sample"], **details["models"][0]}
    return Finding(
        probe="data.separability",
        stage="data",
        sentence=say(f"data.separability.{reading}_{verdict}", **values),
        verdict=verdict,
        estimate=number,
        remedy=say(f"data.remedy.separable_{reading}") if verdict in ("warn", "fail") else None,
        details={"reading": reading, **details},
    )


def _saturation(pairs: Pairs, wording: Finding | None) -> Iterator[Finding]:
    """Name the case of one model's answers chosen and another's rejected, with or without the models' names."""
    sentence = _one_writer(pairs)
    number = wording.estimate if wording else None
    if sentence is None and wording is not None and number is not None and wording.verdict == "fail":
        curve = wording.details["learning_curve"] or [{"pairs": wording.details["sample"], "auc": number.value}]
        reached = next((point for point in curve if point["auc"] >= FAIL - 0.05), curve[-1])
        sentence = say("data.separability.one_writer", auc=number.value, pairs=reached["pairs"], reached=reached["auc"])
    if sentence is not None:
        yield Finding(
            probe="data.separability",
            stage="data",
            sentence=sentence,
            verdict="fail",
            estimate=number,
            remedy=say("data.remedy.one_writer"),
            details={"reading": "saturation"},
        )


def _one_writer(pairs: Pairs) -> Text | None:
    """The sentence for data in which one model nearly always wins, or nearly always loses; None for other data."""
    rows = _written(pairs)
    if rows.size < FEWEST_PROMPTS:
        return None
    winners, losers = (pairs.frame[side][rows].value_counts(sort=True) for side in ("chosen_model", "rejected_model"))
    won, lost = dict(winners.iter_rows()), dict(losers.iter_rows())
    net = {name: (won.get(name, 0) - lost.get(name, 0)) / rows.size for name in sorted(won | lost)}
    name = max(net, key=lambda known: abs(net[known]))
    if abs(net[name]) < ONE_WRITER:
        return None
    others = [other for other in (lost if net[name] > 0 else won) if other != name]  # the most frequent first
    them = ", ".join(others[:3]) + (" …" if len(others) > 3 else "")
    named = {"winners": name, "losers": them} if net[name] > 0 else {"winners": them, "losers": name}
    return say("data.separability.one_writer_named", share=(1 + abs(net[name])) / 2, **named)
