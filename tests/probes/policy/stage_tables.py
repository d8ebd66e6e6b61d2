"""Small tables for the tests of the policy probes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from dehusk.core.kinds import Feature
from dehusk.core.tables import Measures, Pairs, Responses

LIST = r"(?m)^\s*(?:[-*•+]|\d+[.)])\s"
OUTPUTS = "../shared/data/outputs"


def feature(name: str, unit: str = "presence", family: str = "tone", discovered: str | None = None) -> Feature:
    return Feature(name, unit, family, name, lambda prompt, response: response.is_not_null(), discovered=discovered)


def responses(
    stage: Sequence[str],
    group: Sequence[object],
    text: Sequence[str],
    score: Sequence[float] | None = None,
    stages: tuple[str, ...] = (),
) -> Responses:
    n = len(stage)
    columns = {
        "response_id": [f"r{i}" for i in range(n)],
        "row": list(range(1, n + 1)),
        "prompt": [f"prompt {g}" for g in group],
        "response": list(text),
        "stage": list(stage),
        "group": [f"{g}" for g in group],
    }
    if score is not None:
        columns["score"] = [float(value) for value in score]
    return Responses(pl.DataFrame(columns), stages=stages)


def measures(
    values: Mapping[str, np.ndarray], features: Sequence[Feature], held_out: np.ndarray | None = None, **sides: object
) -> Measures:
    """Measures on the responses; keyword arguments are further sides (name -> values)."""
    n = len(next(iter(values.values())))
    frames = {"response": pl.DataFrame({name: np.asarray(column, dtype=float) for name, column in values.items()})}
    frames |= {side: pl.DataFrame(columns) for side, columns in sides.items()}
    free = {side: np.ones(frame.height, dtype=bool) for side, frame in frames.items()}
    return Measures(
        tuple(features), frames, free | ({"response": np.ones(n, dtype=bool) if held_out is None else held_out})
    )


def pairs(group: Sequence[object]) -> Pairs:
    n = len(group)
    return Pairs(
        pl.DataFrame(
            {
                "pair_id": [f"p{i}" for i in range(n)],
                "row": list(range(1, n + 1)),
                "prompt": [f"q{g}" for g in group],
                "chosen": ["chosen"] * n,
                "rejected": ["rejected"] * n,
                "weight": [1.0] * n,
                "group": [f"{g}" for g in group],
            }
        )
    )


def texts_of(lengths: np.ndarray) -> list[str]:
    return ["x" * int(max(1, length)) for length in lengths]


def two_stages(
    g: int,
    rng: np.random.Generator,
    *,
    k: int = 1,
    base: float = 0.3,
    effect: float = 0.0,
    longer: float = 0.5,
    slope: float = 1.0,
    samples: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Presence (n, k), later (n,), prompts (n,), lengths (n,): presence depends on prompt, length and stage.

    At any length the later stage has `effect` more; `longer` is the shift of log length, `slope` 0 makes length no
    matter.
    """
    prompts = np.tile(np.repeat(np.arange(g), samples), 2)
    later = np.repeat([False, True], g * samples)
    lengths = np.exp(6 + rng.normal(0, 0.5, g)[prompts] + rng.normal(0, 0.5, prompts.size) + longer * later)
    pull = 0.5 + slope * (1 / (1 + np.exp(-(np.log(lengths) - 6))) - 0.5)  # about 0.5 without a slope
    habit = 1 + 0.5 * np.tanh(rng.normal(0, 1, (g, k)))[prompts]
    p = base * (0.4 + 1.2 * pull)[:, None] * habit + effect * later[:, None]
    return (rng.random(p.shape) < p).astype(float), later, prompts, lengths
