"""How long heads on cached embeddings take, ten objectives by five seeds; and how near steps come to the exact fit.

    python benchmarks/heads.py [--pairs 20000] [--dimensions 576] [--seeds 5] [--out benchmarks/results/heads.md]

The embeddings are made up, with the spectrum of a language model's: the k-th principal direction has the size k^−½,
two answers share what belongs to their prompt, and the label is drawn from a linear reward. The first three features
are parts of the points. One penalty, chosen on held-out prompts, serves all objectives, and that choice is timed too.
Processor seconds stand beside seconds: on a machine that does other things as well they are the ones to compare.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from sections import tell

from dehusk.core.kinds import objectives
from dehusk.core.run import stream
from dehusk.fitting.bradley_terry import axes_of, logit
from dehusk.fitting.heads import FittedHeads, fit_heads
from dehusk.fitting.training_set import TrainingSet
from dehusk.stats.regression import paired_logit

OBJECTIVES = (
    "bt",
    "correlation",
    "poe",
    "normbt",
    "groupdro",
    "jtt",
    "focal",
    "neutral_ties",
    "prompt_sampling",
    "interpolated_prompts",
)
BY_STEPS = objectives["bt"].thing(centring=1e-12)  # the plain loss, but not taken for the plain objective


def made(pairs: int, dimensions: int) -> TrainingSet:
    """Synthetic embeddings of both sides, and of the same answers under another prompt."""
    rng = stream(0, "heads")
    size = np.arange(1, dimensions + 1) ** -0.5
    turn = np.linalg.qr(rng.normal(size=(dimensions, dimensions)))[0]

    def points() -> np.ndarray:
        return ((rng.normal(size=(pairs, dimensions)) * size) @ turn).astype(np.float32)

    prompt, other = points(), points()
    sides = [points() / 2 for _ in range(2)]
    truth = turn.T @ (rng.normal(size=dimensions) * np.arange(1, dimensions + 1) ** -0.3)
    margin = (sides[0] - sides[1]) @ truth
    wrong = rng.random(pairs) > 1 / (1 + np.exp(-1.5 * margin / margin.std()))
    sides[0][wrong], sides[1][wrong] = sides[1][wrong], sides[0][wrong].copy()
    features = [side[:, :3] + rng.normal(size=(pairs, 3)) for side in sides]
    return TrainingSet(
        chosen=sides[0] + prompt,
        rejected=sides[1] + prompt,
        names=("a", "b", "c"),
        chosen_features=features[0],
        rejected_features=features[1],
        weight=np.ones(pairs),
        groups=np.arange(pairs),
        foreign_chosen=sides[0] + other,
        foreign_rejected=sides[1] + other,
    )


def margins(fitted: FittedHeads, data: TrainingSet) -> np.ndarray:
    """Margins of the first head."""
    return fitted.head.rewards(data.chosen) - fitted.head.rewards(data.rejected)


def timed(data: TrainingSet, seeds: int) -> Iterator[str]:
    """A row an objective."""
    sizes = f"{len(data):,} pairs, {data.chosen.shape[1]} dimensions"
    yield f"{sizes}, {torch.get_num_threads()} threads."
    yield ""
    start, busy = time.perf_counter(), time.process_time()
    exact = fit_heads(data, objectives["bt"].thing(), rng=stream(0, "l2"))
    total, all_busy = time.perf_counter() - start, time.process_time() - busy
    reference = margins(exact, data)
    by_steps = margins(fit_heads(data, BY_STEPS, l2=exact.l2, rng=stream(0, "steps")), data)
    yield f"Penalty {exact.l2:g}, chosen in {total:.1f} s (five folds, five penalties, and the fit)."
    apart = (by_steps - reference).std() / reference.std()
    yield f"The plain loss by steps: margins are {apart:.1%} of a standard deviation from the exact ones."
    yield ""
    yield f"| objective | seconds, {seeds} seeds | processor seconds | a head | alike bt (correlation) | nats left |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name in OBJECTIVES:
        start, busy = time.perf_counter(), time.process_time()
        fitted = fit_heads(data, objectives[name].thing(), l2=exact.l2, members=seeds, rng=stream(0, name))
        spent, busy = time.perf_counter() - start, time.process_time() - busy
        total, all_busy = total + spent, all_busy + busy
        alike = np.corrcoef(margins(fitted, data), reference)[0, 1]
        yield f"| {name} | {spent:.1f} | {busy:.1f} | {busy / seeds:.2f} | {alike:.3f} | {max(fitted.left):.4f} |"
    yield f"| all, with the choice of the penalty | {total:.1f} | {all_busy:.1f} | | | |"


def exactly(data: TrainingSet) -> Iterator[str]:
    """The exact fit against Newton's method with whole Hessians."""
    x = (data.chosen - data.rejected) / np.concatenate([data.chosen, data.rejected]).std(axis=0)
    start = time.perf_counter()
    ours = logit(x, data.weight, 100.0, axes_of(x, data.weight))
    middle = time.perf_counter()
    whole = paired_logit(x.astype(np.float64), ridge=100.0).beta
    end = time.perf_counter()
    apart = np.std(x @ (ours - whole)) / np.std(x @ whole)
    times = (end - middle) / (middle - start)
    yield f"Truncated Newton {middle - start:.2f} s, whole Hessians {end - middle:.2f} s: {times:.0f} times."
    yield f"Their margins differ by {apart:.1e} of a standard deviation."


def main() -> None:
    """Print the tables, or write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--dimensions", type=int, default=576)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    data = made(options.pairs, options.dimensions)
    sections = (
        (f"Ten objectives, {options.seeds} seeds", timed(data, options.seeds)),
        ("Bradley and Terry's head", exactly(data)),
    )
    tell("heads.py", iter(sections), options.out)


if __name__ == "__main__":
    main()
