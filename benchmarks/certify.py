"""Certificates on real answers with a planted reward: is the verdict right, and which method passes?

    python benchmarks/certify.py DATA_FOLDER [--out benchmarks/results/certify.md] [--seeds 40] [--store FILE]
                                 [--prompts 600]

The folder holds `outputs/tulu13b_bon16.parquet` (16 samples a prompt; their index goes with their length, so that it is
never used as an order). A third of the prompts is fitted on, the rest is the pool; which, and everything that is
made up, changes from seed to seed. All features are measured as for a user.

Gold is known: a random direction in the MiniLM embeddings of the answers, freed within prompts of length and
paragraphs, so that it depends on neither (section 2 adds both to it). The old labeller's reward is gold + 0.9 · log
length + 0.2 · log paragraphs + noise, each in standard deviations within prompts: two unwanted features that are
correlated in these answers, with unequal means. Rewards are linear heads on embeddings, length and paragraphs, fitted
to eight pairs a prompt that the labeller labelled; a head of a large model knows the two from its states, one on MiniLM
does not. Defaults of `dehusk certify` were settled on other seeds than those of these tables.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from planted_answers import Answers, Array, World
from sections import tell

from dehusk.certification import Judged
from dehusk.core.certificates import Shift
from dehusk.stats.selection import deviation

SMALL = 15  # prompts of a pool that is too small


@dataclass(frozen=True)
class Case:
    """A way to repair, and the verdict it deserves."""

    name: str
    verdict: str
    run: Callable[[World], Judged]


CASES = (
    Case("nothing: the same reward", "contamination", lambda w: w.judge(w.before)),
    Case("nothing: fitted again to other pairs", "contamination", lambda w: w.judge(w.head(w.old))),
    Case("half of what length explains", "contamination", lambda w: w.judge(w.single(w.before, 0.5))),
    Case(
        "length alone, while paragraphs take over",
        "substitution",
        lambda w: w.judge(w.single(w.before + w.z[..., 1])),
    ),
    Case("both features together", "success", lambda w: w.judge(w.freed(w.before))),
    Case("labels by gold", "success", lambda w: w.judge(w.head(w.gold))),
    Case("projection of length, α = 2", "over_correction", lambda w: w.judge(w.single(w.before, 2.0))),
    Case(
        "both together, fitted to a fiftieth of the pairs",
        "contamination",
        lambda w: w.judge(w.freed(w.head(w.old, 0.02))),
    ),
    Case(f"both together, {SMALL} prompts", "not_enough_data", lambda w: w.judge(w.freed(w.before), prompts=SMALL)),
    Case(
        "no pressure before, none after",
        "not_enough_data",
        lambda w: w.judge(w.head(w.gold), before=w.head(w.gold)),
    ),
)

STRONG = (1.2, 0.2)  # where gold wants both features too
KNOWN = (
    Case("the same likings", "contamination", lambda w: w.judge(w.labeller(*STRONG), before=w.old)),
    Case("two thirds of the likings", "contamination", lambda w: w.judge(w.labeller(0.8, 0.13), before=w.old)),
    Case("paragraphs take over", "substitution", lambda w: w.judge(w.labeller(-0.4, 1.4), before=w.old)),
    Case("no likings", "success", lambda w: w.judge(w.labeller(0.0, 0.0), before=w.old)),
    Case("length disliked", "over_correction", lambda w: w.judge(w.labeller(-1.2, 0.0), before=w.old)),
    Case("no likings, much noise", "contamination", lambda w: w.judge(w.labeller(0.0, 0.0, 3.0), before=w.old)),
    Case(
        f"no likings, {SMALL * 2} prompts",
        "not_enough_data",
        lambda w: w.judge(w.labeller(0.0, 0.0), before=w.old, prompts=SMALL * 2),
    ),
    Case(
        "none before, none after",
        "not_enough_data",
        lambda w: w.judge(w.labeller(0.0, 0.0), before=w.labeller(0.0, 0.0)),
    ),
)


def verdicts(cases: tuple[Case, ...], seeds: int, world_of: Callable[[np.random.Generator], World]) -> Iterator[str]:
    """Verdicts by case."""
    found: dict[str, Counter[str]] = {case.name: Counter() for case in cases}
    spent = 0.0
    for seed in range(seeds):
        world = world_of(np.random.default_rng([seed, 9]))
        for case in cases:
            start = time.perf_counter()
            judged = case.run(world)
            spent += time.perf_counter() - start
            found[case.name][f"{judged.verdict} ({judged.reason})"] += 1
    yield "| repair | deserved | right | verdicts |"
    yield "|---|---|---:|---|"
    for case in cases:
        told = found[case.name]
        right = sum(count for name, count in told.items() if name.split(" ")[0] == case.verdict)
        others = ", ".join(f"{name} {count}" for name, count in told.most_common())
        yield f"| {case.name} | {case.verdict} | {right / seeds:.0%} | {others} |"
    yield ""
    yield f"{spent / seeds / len(cases):.1f} s a certificate, heads included."


METHODS: dict[str, Callable[[World], Array]] = {
    "nothing: fitted again to other pairs": lambda w: w.head(w.old),
    "a quarter of what both explain": lambda w: w.freed(w.before, strength=0.25),
    "half of what both explain": lambda w: w.freed(w.before, strength=0.5),
    "three quarters of what both explain": lambda w: w.freed(w.before, strength=0.75),
    "length alone": lambda w: w.single(w.before),
    "both together": lambda w: w.freed(w.before),
    "matched pairs": lambda w: w.head(w.old, matched=True),
    "matched pairs, then both together": lambda w: w.freed(w.head(w.old, matched=True)),
    "projection of length, α = 2": lambda w: w.single(w.before, 2.0),
    "labels by gold": lambda w: w.head(w.gold),
}


@dataclass
class Row:
    """What one method gave on one seed, against the reward before."""

    coefficients: list[tuple[float, float, float]]  # of both features: value, low, high
    accuracy: float  # change on pairs that the labeller labelled, points
    by_gold: float  # the same on pairs that gold labelled
    gold: tuple[float, float, float]  # change of gold in the best of 16, SD
    judged: Judged

    @property
    def clears(self) -> tuple[bool, bool, bool, bool]:
        """The four conditions: target over 0, accuracy, gold, other features."""
        _, low, high = self.coefficients[0]
        others = [shift for shift in self.judged.shifts if shift.role != "target"]
        return low <= 0 <= high, self.accuracy >= -1, self.gold[2] >= 0, not any(map(_beyond, others))


def _beyond(shift: Shift) -> bool:
    """Whether growth is shown, and is more than would have been found."""
    return any(one.growth.low > 0 and one.growth.value > shift.detectable for one in shift.lifts)


def row(world: World, after: Array) -> Row:
    """Everything must-show 2 asks of a method, on the pool."""
    z, gold = world.z[world.pool], world.gold[world.pool]
    x = np.concatenate([z, gold[..., None]], axis=2)
    x = x - x.mean(axis=1, keepdims=True)
    judged = world.judge(after)
    slopes = clustered_slopes(x, after[world.pool])
    found = []
    for labels in (world.old, world.gold):
        drawn, who = world.pairs(labels, world.pool, np.random.default_rng(1))
        right = [(r[who, drawn[:, 0]] > r[who, drawn[:, 1]]).mean() for r in (world.before, after)]
        found.append(100 * float(right[1] - right[0]))
    picked = [np.take_along_axis(gold, r[world.pool].argmax(axis=1)[:, None], 1)[:, 0] for r in (world.before, after)]
    change = (picked[1] - picked[0]) / deviation(gold)
    error = 1.96 * change.std() / np.sqrt(len(change))
    mean = float(change.mean())
    return Row(slopes[:2], found[0], found[1], (mean, mean - error, mean + error), judged)


def clustered_slopes(x: Array, reward: Array) -> list[tuple[float, float, float]]:
    """Slopes of a reward (P, N) on terms (P, N, m) within prompts, with 95 % intervals clustered by prompt."""
    y = reward - reward.mean(axis=1, keepdims=True)
    y = y / y.std()
    inverse = np.linalg.inv(np.einsum("pnm,pnk->mk", x, x))
    slopes = inverse @ np.einsum("pnm,pn->m", x, y)
    scores = np.einsum("pnm,pn->pm", x, y - x @ slopes)
    error = 1.96 * np.sqrt(np.diag(inverse @ (scores.T @ scores) @ inverse))
    return [(float(b), float(b - e), float(b + e)) for b, e in zip(slopes, error, strict=True)]


def frontier(answers: Answers, seeds: int, biased: tuple[float, float]) -> Iterator[str]:
    """Each method against the reward before, means over seeds."""
    rows: dict[str, list[Row]] = {name: [] for name in METHODS}
    for seed in range(seeds):
        world = World(answers, np.random.default_rng([seed, 10]), biased=biased)
        for name, method in METHODS.items():
            rows[name].append(row(world, method(world)))
    yield (
        "| method | length: coefficient | 0 inside | paragraphs | accuracy, own labels | accuracy, gold's "
        "| gold, best of 16 | others kept | all four | verdicts |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|---|"
    for name, found in rows.items():
        length, second = (np.mean([one.coefficients[at][0] for one in found]) for at in (0, 1))
        clears = np.array([one.clears for one in found])
        told = Counter(one.judged.verdict for one in found)
        yield (
            f"| {name} | {length:+.3f} | {clears[:, 0].mean():.0%} | {second:+.3f} "
            f"| {np.mean([one.accuracy for one in found]):+.1f} | {np.mean([one.by_gold for one in found]):+.1f} "
            f"| {np.mean([one.gold[0] for one in found]):+.2f} | {clears[:, 3].mean():.0%} "
            f"| {clears.all(axis=1).mean():.0%} | {', '.join(f'{key} {count}' for key, count in told.most_common())} |"
        )
    passed = [name for name, found in rows.items() if np.mean([all(one.clears) for one in found]) > 0.5]
    yield ""
    yield f"Clear all four conditions in most seeds: {', '.join(passed) if passed else 'none'}."


def main() -> None:
    """Run the sections that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--store")
    parser.add_argument("--prompts", type=int, default=620)
    options = parser.parse_args()
    answers = Answers(options.data, options.store, options.prompts)
    few = max(2, options.seeds // 2)
    sections: list[tuple[str, Iterator[str]]] = [
        (
            "1. Verdicts where gold depends on neither feature."
            f"\n\nHeads; {options.seeds} seeds, {options.prompts} prompts with 16 answers, a third of them fitted on.",
            verdicts(CASES, options.seeds, lambda rng: World(answers, rng)),
        ),
        (
            "2. Verdicts where gold itself wants both features (0.5 and 0.2), and the labeller adds 1.2 and 0.2."
            "\n\nRewards as they are, no heads: a head fitted to gold's own labels leans more on length, which it sees "
            "at once, than gold does, and what it then deserves is not known.",
            verdicts(KNOWN, options.seeds, lambda rng: World(answers, rng, (0.5, 0.2), STRONG)),
        ),
    ]
    for number, biased in enumerate(((0.9, 0.2), (0.3, 0.1), (0.15, 0.05)), start=3):
        title = (
            f"{number}. What each method costs, labeller's liking {biased[0]:g} and {biased[1]:g}."
            f"\n\n{few} seeds. Coefficients are slopes of the reward, in SD within prompts, with gold and the other "
            "feature held; 0 inside: seeds whose interval (by prompt) covers 0. Accuracy in points on held-out pairs, "
            "labelled by the labeller with its likings or by gold; gold of the best of 16 in SD; others kept: no other "
            "feature's pressure is shown to have grown, and by more than would have been found. All four: 0 inside, "
            "at most 1 point of accuracy on own labels lost, gold not shown lower, others kept."
        )
        sections.append((title, frontier(answers, few, biased)))
    tell("certify.py DATA_FOLDER", sections, options.out)


if __name__ == "__main__":
    main()
