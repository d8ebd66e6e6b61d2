"""`data.labels`: labels against what came with them: scores, aspects, repeated votes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Estimate, Finding, Verdict
from dehusk.core.kinds import probes
from dehusk.core.messages import Text, say
from dehusk.core.tables import Floats, Pairs
from dehusk.probes.data.votes import from_votes
from dehusk.stats.multiplicity import benjamini_hochberg
from dehusk.stats.panel import Effects, clustered_means
from dehusk.stats.ranking import mean_shares

INVERTED = 0.005  # share of inverted rows above which a file is not what it says
FOLLOWED = 0.3  # rank correlation from which a label mostly repeats one aspect
SURFACE = re.compile(r"verbos|length|long|format|style|complex", re.IGNORECASE)
FEWEST, SHOWN = 20, 10


@probes.add("data.labels")
def labels(pairs: Pairs, *, q: float = 0.05) -> Iterator[Finding]:
    """Labels that contradict their scores, scores that contradict their aspects, aspects that decide, votes that split.

    Args:
        pairs: With `chosen_score` and `rejected_score`, numeric columns named `chosen_x` and `rejected_x`, or votes.
        q: False-discovery rate among the aspects.

    Raises:
        NotEnoughData: naming the columns that none of the rows has.
    """
    scores = _sides(pairs, "score")
    aspects = {name: sides for name in _aspects(pairs) if (sides := _sides(pairs, name)) is not None}
    repeats = from_votes(pairs)
    if scores is None and not aspects and (repeats is None or repeats.first.size < FEWEST):
        raise NotEnoughData(
            f"at least {FEWEST} rows with chosen_score and rejected_score or other numbers such as chosen_x and "
            "rejected_x, or a column votes"
        )
    if scores is not None:
        yield from _inverted_labels(pairs, scores)
    if scores is not None and aspects:
        yield from _inverted_scores(pairs, scores, aspects)
    if aspects:
        yield from _followed(pairs, aspects, q)
    if repeats is not None and repeats.first.size >= FEWEST:
        effects = mean_shares(repeats.disagreement()[:, None], repeats.clusters)
        number = _estimate(effects, 0, "share", "Wilson interval, clustered by prompt")
        noise = (1 - np.sqrt(max(0.0, 1 - 2 * number.value))) / 2
        sentence = say("data.labels.votes", share=number.value, noise=float(noise), n=int(repeats.first.size))
        against = int((repeats.first < repeats.total / 2).sum())
        yield _finding(sentence, "inform", number, reading="votes", against=against)


def _sides(pairs: Pairs, name: str) -> Floats | None:
    """Both columns of one number, shape (n, 2), NaN where missing; None with fewer than 20 complete rows."""
    columns = [f"chosen_{name}", f"rejected_{name}"]
    if any(column not in pairs.frame.columns or not pairs.frame[column].dtype.is_numeric() for column in columns):
        return None
    sides = pairs.frame.select(pl.col(columns).cast(pl.Float64)).to_numpy()
    return sides if (~np.isnan(sides).any(axis=1)).sum() >= FEWEST else None


def _aspects(pairs: Pairs) -> list[str]:
    names = [column.removeprefix("chosen_") for column in pairs.frame.columns if column.startswith("chosen_")]
    return [name for name in names if name != "score"]


def _inverted_labels(pairs: Pairs, scores: Floats) -> Iterator[Finding]:
    known = ~np.isnan(scores).any(axis=1)
    wrong = known & (scores[:, 0] < scores[:, 1])
    effects = mean_shares(np.where(known, wrong, np.nan)[:, None], pairs.groups)
    number = _estimate(effects, 0, "share", "Wilson interval, clustered by prompt")
    ties = float((scores[known, 0] == scores[known, 1]).mean())
    verdict: Verdict = "warn" if number.value > INVERTED else "inform" if wrong.any() else "pass"
    yield _finding(
        say("data.labels.inverted", count=int(wrong.sum()), n=int(known.sum()), share=number.value, ties=ties),
        verdict,
        number,
        remedy="inverted",
        reading="inverted_labels",
        ties=ties,
        rows=_rows(pairs, wrong),
    )


def _inverted_scores(pairs: Pairs, scores: Floats, aspects: dict[str, Floats]) -> Iterator[Finding]:
    """Answers whose overall score is among the highest tenth while their aspects are among the lowest."""
    mean = np.mean(np.stack(list(aspects.values())), axis=0)
    known = ~np.isnan(mean + scores)
    if known.sum() < 10 * FEWEST:  # a tenth of fewer answers is no crowd
        return
    wrong = known & (scores >= np.quantile(scores[known], 0.9)) & (mean <= np.quantile(mean[known], 0.1))
    either = wrong.any(axis=1)
    effects = mean_shares(np.where(known.any(axis=1), either, np.nan)[:, None], pairs.groups)
    number = _estimate(effects, 0, "share", "Wilson interval, clustered by prompt")
    verdict: Verdict = "fail" if number.value > INVERTED else "inform" if either.any() else "pass"
    yield _finding(
        say("data.labels.inverted_score", count=int(either.sum()), share=number.value, aspects=", ".join(aspects)),
        verdict,
        number,
        remedy="inverted_score",
        reading="inverted_scores",
        rows=_rows(pairs, either),
    )


def _followed(pairs: Pairs, aspects: dict[str, Floats], q: float) -> Iterator[Finding]:
    """How far the label repeats each aspect: share of pairs it agrees with − share it contradicts (Kendall's tau)."""
    signs = np.stack([np.sign(sides[:, 0] - sides[:, 1]) for sides in aspects.values()], axis=1)
    effects = clustered_means(signs, pairs.groups)
    rates = benjamini_hochberg(effects.p)
    for k, name in enumerate(aspects):
        number = _estimate(effects, k, "rank correlation", "within-pair Kendall's tau, clustered by prompt")
        surface = SURFACE.search(name) is not None
        verdict: Verdict = "pass"
        if rates[k] <= q:
            verdict = "warn" if surface and abs(number.value) > FOLLOWED else "inform"
        yield _finding(
            say("data.labels.aspect", aspect=name, tau=number.value, low=number.low, high=number.high),
            verdict,
            number,
            float(rates[k]),
            remedy="aspect",
            reading="aspect",
            aspect=name,
        )


def _estimate(effects: Effects, k: int, unit: str, method: str) -> Estimate:
    value, low, high, p = (float(array[k]) for array in effects[:4])
    if not np.isfinite(value + low + high):
        raise NotEnoughData("at least 2 prompts with a value")
    return Estimate(value, low, high, int(effects.n[k]), unit, method, p if unit == "rank correlation" else None)


def _rows(pairs: Pairs, wrong: np.ndarray[Any, np.dtype[np.bool_]]) -> list[int]:
    return pairs.frame["row"].filter(pl.Series(wrong)).head(SHOWN).to_list()


def _finding(
    sentence: Text, verdict: Verdict, number: Estimate, q: float | None = None, *, remedy: str = "", **details: object
) -> Finding:
    return Finding(
        probe="data.labels",
        stage="data",
        sentence=sentence,
        verdict=verdict,
        estimate=number,
        q=q,
        remedy=say(f"data.remedy.{remedy}") if remedy and verdict in ("warn", "fail") else None,
        details=details,
    )
