"""Pairs whose label goes by two correlated features of unequal means, and a quality that no feature shows."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import polars as pl

from dehusk.core.kinds import Feature
from dehusk.core.tables import Measures, Pairs

TARGETS = ("size", "marks")  # continuous with a long tail and a mean of 400; a count with a mean of about 2
NAMES = (*TARGETS, "idle")


def planted(rows: int = 2000, seed: int = 0, strength: float = 1.0) -> tuple[Pairs, Measures]:
    """Pairs, one to a prompt and at times two, and their features; with strength 0 the label ignores them."""
    draw = np.random.default_rng([seed, rows])
    first, second = (sides(draw, rows) for _ in range(2))
    pull = strength * (0.9 * np.tanh((first["size"] - second["size"]) / 300) + 0.5 * np.sign(
        first["marks"] - second["marks"])) + draw.normal(size=rows)  # fmt: skip
    wins = draw.random(rows) < 1 / (1 + np.exp(-pull))
    chosen, rejected = (
        pl.DataFrame({name: np.where(won, first[name], second[name]) for name in NAMES}) for won in (wins, ~wins)
    )
    return table(rows, draw), measured(chosen, rejected)


def sides(draw: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    shared = draw.normal(size=rows)
    return {
        "size": np.round(400 * np.exp(0.5 * (0.7 * shared + 0.7 * draw.normal(size=rows)))),
        "marks": draw.poisson(np.exp(0.5 + 0.6 * shared)).astype(float),
        "idle": draw.integers(0, 4, rows).astype(float),
    }


def table(rows: int, draw: np.random.Generator) -> Pairs:
    prompts = draw.integers(0, int(rows * 0.8), rows)
    return Pairs(
        pl.DataFrame(
            {
                "pair_id": [f"p{row + 1}" for row in range(rows)],
                "row": np.arange(1, rows + 1),
                "prompt": [f"question {prompt}" for prompt in prompts],
                "chosen": [f"yes {row}" for row in range(rows)],
                "rejected": [f"no {row}" for row in range(rows)],
                "weight": np.ones(rows),
                "group": [str(prompt) for prompt in prompts],
            }
        )
    )


def measured(chosen: pl.DataFrame, rejected: pl.DataFrame) -> Measures:
    features = tuple(
        Feature(name, "words", "length", name, lambda _, answer: answer.str.len_chars()) for name in chosen.columns
    )
    frames = {"chosen": chosen, "rejected": rejected}
    return Measures(features, MappingProxyType(frames), {side: np.ones(len(chosen), dtype=bool) for side in frames})


def swapped(pairs: Pairs, measures: Measures) -> tuple[Pairs, Measures]:
    frame = pairs.frame.with_columns(chosen="rejected", rejected="chosen")
    return Pairs(frame), measured(measures.frames["rejected"], measures.frames["chosen"])


def reordered(pairs: Pairs, measures: Measures, order: np.ndarray) -> tuple[Pairs, Measures]:
    return Pairs(pairs.frame[order]), measured(*(measures.frames[side][order] for side in ("chosen", "rejected")))


def differences(measures: Measures, names=TARGETS) -> np.ndarray:
    sides = [measures.frames[side].select(names).to_numpy().astype(float) for side in ("chosen", "rejected")]
    return sides[0] - sides[1]


def shift(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted share of pairs whose chosen answer has more, minus that of those with less; of every column."""
    return weight @ np.sign(x) / weight.sum()


def standardised(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted mean difference in standard deviations of the differences as planted."""
    return weight @ x / weight.sum() / np.sqrt((x**2).mean(axis=0))
