"""Scored samples with known laws: how often the best of n, or a tilted policy, has a feature is a sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from stage_tables import feature, measures, responses, texts_of

from dehusk.core.kinds import Feature
from dehusk.core.tables import Measures, Responses, Scores

QUANTILES = (np.arange(10_000) + 0.5) / 10_000


def logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def normal_quantiles() -> np.ndarray:
    """Standard normal quantiles at `QUANTILES`, by inverting the distribution on a fine grid."""
    x = np.linspace(-5, 5, 200_001)
    density = np.exp(-(x**2) / 2)
    mass = np.cumsum(density) / density.sum()
    return np.interp(QUANTILES, mass, x)


def best_of_truth(rate: np.ndarray, n: int) -> float:
    """Rate in the best of n where `rate` is that of an answer at each quantile of the score."""
    return float(np.average(rate, weights=QUANTILES ** (n - 1)))


def tilt_truth(score: np.ndarray, rate: np.ndarray, nats: np.ndarray | float) -> np.ndarray:
    """Rates of the policies tilted by exp(strength · score) that go so far, scores being equally likely."""
    reached, rates = [], []
    for strength in np.linspace(0, 6, 301):
        share = np.exp(strength * (score - score.max()))
        share /= share.sum()
        kept = share > 0
        reached.append(float((share[kept] * np.log(share[kept] * share.size)).sum()))
        rates.append(float(share @ rate))
    return np.interp(np.sqrt(nats), np.sqrt(np.maximum(reached, 0)), rates)


def pools(
    score: np.ndarray,
    values: Mapping[str, np.ndarray],
    *,
    lengths: np.ndarray | None = None,
    gold: np.ndarray | None = None,
    features: Sequence[Feature] = (),
    held_out: np.ndarray | None = None,
    stage: Sequence[str] | None = None,
) -> tuple[Responses, Measures, Scores]:
    """Tables of P prompts with N answers each, from arrays (P, N); NaN scores are answers without one."""
    prompts, size = score.shape
    lengths = np.full(score.shape, 50) if lengths is None else lengths
    stages = ["sft"] * score.size if stage is None else list(stage)
    table = responses(stages, np.repeat(np.arange(prompts), size), texts_of(lengths.ravel()))
    if gold is not None:
        frame = table.frame.with_columns(gold=pl.Series(gold.ravel(), nan_to_null=True))
        table = Responses(frame, table.stages)
    columns = {name: column.ravel() for name, column in values.items()}
    known = {one.name: one for one in features}
    held = None if held_out is None else np.repeat(held_out, size)
    measured = measures(columns, [known.get(name, feature(name)) for name in columns], held)
    return table, measured, Scores(("rm",), {"response": pl.DataFrame({"rm": score.ravel()})})
