"""Made-up corpora with nothing in them, and phrases to plant in them."""

from __future__ import annotations

import numpy as np
import polars as pl

from dehusk.core.tables import Pairs, Responses

WORDS = [
    a + b + c
    for a in ("ba", "do", "ke", "li", "mu", "ra", "so", "ti")
    for b in "nrst"
    for c in ("al", "en", "ok", "ul")
]
HAN = [chr(0x4E00 + 7 * i) for i in range(400)]


def texts(rng: np.random.Generator, n: int, *, zh: bool = False) -> list[str]:
    """n texts of about 60 words (120 characters) in sentences; word frequencies fall like 1 / (rank + 10)."""
    units = HAN if zh else WORDS
    weights = 1 / np.arange(11, len(units) + 11)
    weights /= weights.sum()
    made = []
    for _ in range(n):
        sentences = []
        for _ in range(int(rng.integers(4, 8))):
            drawn = rng.choice(units, size=int(rng.integers(8, 14)) * (2 if zh else 1), p=weights)
            sentences.append("".join(drawn) + "。" if zh else " ".join(drawn).capitalize() + ".")
        made.append(("" if zh else " ").join(sentences))
    return made


def pairs(
    chosen: list[str], rejected: list[str], *, groups: list[str] | None = None, prompts: list[str] | None = None
) -> Pairs:
    n = len(chosen)
    names = groups or [f"g{i}" for i in range(n)]
    return Pairs(
        pl.DataFrame(
            {
                "pair_id": [str(i) for i in range(n)],
                "row": np.arange(1, n + 1),
                "prompt": prompts or [f"Question {i}?" for i in range(n)],
                "chosen": chosen,
                "rejected": rejected,
                "weight": np.ones(n),
                "group": names,
            }
        )
    )


def responses(stages: dict[str, list[str]]) -> Responses:
    rows = [(stage, i, text) for stage, said in stages.items() for i, text in enumerate(said)]
    return Responses(
        pl.DataFrame(
            {
                "response_id": [f"{stage}-{i}" for stage, i, _ in rows],
                "row": [i + 1 for _, i, _ in rows],
                "prompt": [f"Question {i}?" for _, i, _ in rows],
                "response": [text for _, _, text in rows],
                "stage": [stage for stage, _, _ in rows],
                "group": [f"g{i}" for _, i, _ in rows],
            },
            schema_overrides={"row": pl.Int64},
        ),
        tuple(stages),
    )


def plant(said: list[str], phrase: str, rate: float, rng: np.random.Generator, *, where: str = "start") -> list[str]:
    """Put a phrase before, after, or inside a share of the texts."""
    done = list(said)
    for i in rng.choice(len(said), size=round(rate * len(said)), replace=False).tolist():
        text = done[i]
        if where == "start":
            done[i] = f"{phrase}, {text}"
        elif where == "end":
            done[i] = f"{text} {phrase}!"
        else:
            cut = (
                text.index(text[len(text) // 2 :].strip().split("。")[0])
                if "。" in text
                else text.index(" ", len(text) // 2)
            )
            done[i] = f"{text[:cut]} {phrase} {text[cut:]}"
    return done
