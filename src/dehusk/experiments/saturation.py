"""Separable preference data: no optimiser setting helps, other data do.

Claim (what trainers report; compare the cartography of arXiv 2310.03716): when the chosen answers
come from a stronger model and the rejected ones from weaker models, accuracy on the training pairs reaches 1 within few
steps, whatever the learning rate, the batch size or de-duplication; accuracy on other preferences stays low. Choosing
pairs by their semantic kernel, matching them on style, or adding counterfactual pairs changes it.

Expected: training accuracy ≥ .95 for every setting that moves at all; accuracy out of distribution differs by less than
.03 between settings; at least one repair raises it. What came out is in `docs/experiments.md`.

    python -m dehusk.experiments.saturation DATA [--out FOLDER] [--seeds 5] [--store FILE]

DATA holds `preference/*.parquet` and `benchmark/*.parquet` of public releases; it is not part of the project. Heads are
linear, on MiniLM embeddings (`dehusk models minilm`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dehusk.core.errors import NotEnoughData
from dehusk.core.kinds import repairs
from dehusk.core.options import Scoring
from dehusk.core.plans import Plan
from dehusk.core.run import stream
from dehusk.core.tables import Floats, Ints, Measures, Pairs
from dehusk.experiments.figures import Dot, Panel, panels
from dehusk.experiments.releases import as_pairs, hard_pairs, preferences, rm_bench
from dehusk.features.measuring import declared, measure
from dehusk.repairs import apply
from dehusk.rewards.embedding import Embedder, open_embedder
from dehusk.rewards.store import Store

STRONG = "gpt4_1106_preview"  # wrote the chosen answers
ALPACA = 2_000  # pairs of AlpacaEval, of 8,789
TARGETS = ("characters", "bullets", "bold")
RATES, BATCHES, EPOCHS = (1e-4, 1e-3, 1e-2), (8, 64, 512), 5
DEFAULT = (1e-3, 64)
REACHED = 0.95  # training accuracy called saturated
HELD_OUT = 0.2  # of the prompts


@dataclass(frozen=True, eq=False)
class Sides:
    """Pairs as points, shape (n, d) each, with the weight and the prompt of each pair."""

    chosen: Floats
    rejected: Floats
    weight: Floats
    groups: Ints


@dataclass(frozen=True, eq=False)
class Trained:
    """Accuracies of one run; `steps` are those until the last hundred pairs were right in 95 of 100 cases."""

    steps: float
    accuracy: dict[str, float]


def strong_against_weak(data: Path) -> Pairs:
    """Pairs whose chosen answer is the stronger model's."""
    alpaca, expo = (
        preferences(data, name).filter(pl.col("chosen_model") == STRONG)
        for name in ("alpaca_eval_vs_gpt4turbo", "expo_zephyr_vs_gpt4turbo")
    )
    both = (alpaca.sample(ALPACA, seed=0), expo)
    return as_pairs(pl.concat([part.select("prompt", "chosen", "rejected") for part in both]))


def other_preferences(data: Path) -> dict[str, Pairs]:
    """Pairs of other distributions, by the name of the column."""
    found = {
        "arena": preferences(data, "arena_bench_v1_scored", 1_000),
        "ultrafeedback": preferences(data, "ultrafeedback_sample"),
        "RM-Bench hard": hard_pairs(rm_bench(data)),
        "LLMBar": pl.read_parquet(data / "benchmark/llmbar.parquet"),
    }
    return {name: as_pairs(frame.select("prompt", "chosen", "rejected")) for name, frame in found.items()}


def embedded(pairs: Pairs, embedder: Embedder) -> Sides:
    """Pairs as points."""
    prompts = pairs.frame["prompt"].to_list()
    chosen, rejected = (embedder.embed(prompts, pairs.frame[side].to_list()) for side in ("chosen", "rejected"))
    weight = pairs.frame["weight"].to_numpy()
    return Sides(chosen.astype(np.float64), rejected.astype(np.float64), weight, pairs.groups)


def train(data: Sides, rate: float, batch: int, rng: np.random.Generator, epochs: int = EPOCHS) -> tuple[Floats, float]:
    """A linear Bradley–Terry head by Adam on mini-batches.

    Returns:
        Weights, shape (d,), and the steps until 95 of the last hundred pairs were right before they were trained on.
    """
    both = np.concatenate([data.chosen, data.rejected])
    scale = both.std(axis=0)
    x = (data.chosen - data.rejected) / scale
    head, first, second = (np.zeros(x.shape[1]) for _ in range(3))
    right: list[float] = []
    reached, step = float("nan"), 0
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), batch):
            rows, step = order[start : start + batch], step + 1
            margin = x[rows] @ head
            right = [*right, *((np.sign(margin) + 1) / 2)][-100:]
            if np.isnan(reached) and len(right) >= min(100, len(x)) and np.mean(right) >= REACHED:
                reached = step
            pull = data.weight[rows] / (1 + np.exp(np.clip(margin, -500, 500)))
            gradient = -(pull @ x[rows]) / len(rows)
            first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
            head -= rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return head / scale, reached


def right(data: Sides, head: Floats) -> float:
    """Share of pairs whose chosen answer scores higher, ties half, weighted."""
    won = (np.sign((data.chosen - data.rejected) @ head) + 1) / 2
    return float(np.average(won, weights=data.weight))


@dataclass(frozen=True, eq=False)
class Lab:
    """The data of the experiment, embedded."""

    pairs: Pairs
    measures: Measures
    embedder: Embedder
    elsewhere: dict[str, Sides]

    def split(self, seed: int) -> tuple[Ints, Ints]:
        """Fitted and held-out rows."""
        prompts = stream(seed, "held out").permutation(np.unique(self.pairs.groups))
        out = np.isin(self.pairs.groups, prompts[: round(HELD_OUT * prompts.size)])
        return np.flatnonzero(~out), np.flatnonzero(out)

    def run(self, fitted: Pairs, held: Ints, setting: tuple[float, int], seed: int) -> Trained:
        """Train on pairs, look at the held-out rows and everywhere else."""
        data = embedded(fitted, self.embedder)
        head, steps = train(data, *setting, stream(seed, "order"))
        found = {"train": right(data, head), "held out": right(embedded(self.part(held), self.embedder), head)}
        return Trained(steps, found | {name: right(sides, head) for name, sides in self.elsewhere.items()})

    def part(self, rows: Ints) -> Pairs:
        """Some of the pairs."""
        return Pairs(self.pairs.frame[rows])


def settings(lab: Lab, seed: int) -> Iterator[tuple[str, int, Trained]]:
    """Every optimiser setting, then de-duplication: name, colour, result."""
    fitted, held = lab.split(seed)
    for rate in RATES:
        for batch in BATCHES:
            yield f"rate {rate:g}, batch {batch}", 0, lab.run(lab.part(fitted), held, (rate, batch), seed)
    first = lab.part(fitted).frame.sample(fraction=1.0, shuffle=True, seed=seed).unique("prompt", maintain_order=True)
    yield "one pair a prompt", 0, lab.run(Pairs(first), held, DEFAULT, seed)


def repaired(lab: Lab, seed: int) -> Iterator[tuple[str, int, Trained | str]]:
    """The same training on repaired pairs, or why they cannot be; and on a random half for the size of the data."""
    fitted, held = lab.split(seed)
    pairs = lab.part(fitted)
    some = stream(seed, "half").permutation(len(pairs))[: len(pairs) // 2]
    yield "random half", 1, lab.run(Pairs(pairs.frame[np.sort(some)]), held, DEFAULT, seed)
    for name, options in REPAIRS.items():
        try:
            plan = _plan(lab, pairs, name.split(",")[0], options, seed)
        except NotEnoughData as refusal:
            yield name, 1, str(refusal)
        else:
            yield name, 1, lab.run(apply(plan, pairs), held, DEFAULT, seed)


REPAIRS: dict[str, dict[str, Any]] = {
    "rank, half": {"keep": 0.5},
    "rank, a tenth": {"keep": 0.1},
    "match": {},
    "reweight": {},
    "aflite": {},
    "augment, random negatives": {"kinds": ("random_negatives",)},
    "augment, counterfactual": {"kinds": ("counterfactual",)},
}


def _plan(lab: Lab, pairs: Pairs, repair: str, options: dict[str, Any], seed: int) -> Plan:
    measures = measure(lab.measures.features, pairs=pairs)
    if repair == "rank":
        sides = embedded(pairs, lab.embedder)
        options = options | {"points": (sides.chosen, sides.rejected)}
    plan: Plan = repairs[repair].thing(pairs, measures, stream(seed, repair), targets=TARGETS, **options)
    return plan


def summary(runs: Sequence[Trained]) -> dict[str, Dot]:
    """Mean, lowest and highest of every number over the seeds."""
    columns = {"steps": [run.steps for run in runs]}
    columns |= {name: [run.accuracy[name] for run in runs] for name in runs[0].accuracy}
    return {name: Dot(float(np.mean(values)), min(values), max(values)) for name, values in columns.items()}


def table(rows: dict[str, dict[str, Dot]], seeds: int) -> Iterator[str]:
    """The numbers as Markdown."""
    columns = [name for name in next(iter(rows.values())) if name != "steps"]
    yield f"| {seeds} seeds: mean (lowest to highest) | steps to {REACHED:.0%} | {' | '.join(columns)} |"
    yield f"|---|---:|{'---:|' * len(columns)}"
    for name, dots in rows.items():
        cells = [f"{dots[column].value:.3f} ({dots[column].low:.3f}–{dots[column].high:.3f})" for column in columns]
        steps = "never" if np.isnan(dots["steps"].value) else f"{dots['steps'].value:.0f}"
        yield f"| {name} | {steps} | {' | '.join(cells)} |"


def main() -> None:
    """Run the sweep and the repairs; print the table, write table, JSON and figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("experiments-out"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--store")
    options = parser.parse_args()
    scoring = Scoring(store=options.store)
    embedder = open_embedder("minilm", scoring, store=Store(options.store))
    pairs = strong_against_weak(options.data)
    lab = Lab(
        pairs,
        measure(declared(), pairs=pairs),
        embedder,
        {name: embedded(other, embedder) for name, other in other_preferences(options.data).items()},
    )
    runs: dict[str, list[Trained]] = {}
    colours: dict[str, int] = {}
    refusals: dict[str, str] = {}
    for seed in range(options.seeds):
        for name, colour, trained in (*settings(lab, seed), *repaired(lab, seed)):
            if isinstance(trained, str):
                refusals[name] = trained
                continue
            runs.setdefault(name, []).append(trained)
            colours[name] = colour
    rows = {name: summary(found) for name, found in runs.items()}
    lines = list(table(rows, options.seeds))
    lines += [f"\n`{name}` refused: it needs {why}." for name, why in refusals.items()]
    print("\n".join(lines))  # noqa: T201 - a script
    drawn = [Panel(column, [dots[column] for dots in rows.values()], 0.2 if "hard" in column else 0.4, 1.0, 0.5)
             for column in next(iter(rows.values())) if column != "steps"]  # fmt: skip
    options.out.mkdir(parents=True, exist_ok=True)
    named = [(name, colours[name]) for name in rows]
    title = "Chosen answers of a stronger model: accuracy by optimiser setting, and by repair"
    (options.out / "saturation.svg").write_text(panels(title, named, drawn))
    (options.out / "saturation.md").write_text("\n".join(lines) + "\n")
    numbers = {name: {column: vars(dot) for column, dot in dots.items()} for name, dots in rows.items()}
    (options.out / "saturation.json").write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    main()
