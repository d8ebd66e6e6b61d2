"""Length, for real: what a reward head learns from two public preference sets, and what every method makes of it.

Claim (arXiv 2310.03716, 2409.11704, 2603.03291): a reward model trained on ordinary preferences pays for length and
format; fixes differ in what they cost and where the pressure goes. Known from a quick trial: a linear Bradley–Terry
head on mean-pooled middle states of a 135M model is right in .72–.73 of arena pairs, where "longer wins" is right in
.65.

Expected: the plain head pays for length (coefficient clear of 0, Easy above Hard on RM-Bench); at least one method
brings Easy − Hard nearer to 0 without losing accuracy. The table says what came out, whatever it is:
`docs/experiments.md`.

    python -m dehusk.experiments.length DATA [--embedder smollm2|minilm] [--out FOLDER] [--seeds 5] [--store FILE]

DATA holds `preference/*.parquet` and `benchmark/*.parquet` of public releases; it is not part of the project. Each seed
holds out three in ten prompts and fits every method on the others; benchmarks are looked at with every fit. Brackets
are intervals over the prompts of a benchmark, of the mean over the seeds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from dehusk.comparison.methods import methods
from dehusk.comparison.readings import Points, Rewards, coefficients, margins
from dehusk.comparison.running import Bench
from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.options import Scoring
from dehusk.core.run import stream
from dehusk.core.tables import Floats, Ints, Measures, Pairs
from dehusk.experiments.releases import BIASES, as_pairs, counterfactuals, preferences, rm_bench
from dehusk.features.measuring import declared, measure
from dehusk.fitting.training_set import TrainingSet, training_set
from dehusk.rewards.embedding import Embedder, open_embedder
from dehusk.rewards.store import Store
from dehusk.stats.effects import clustered_mean

TARGETS = ("characters", "bullets", "bold")
LAYERS = {"smollm2": (15,), "minilm": (-1,)}
LONGEST = {"smollm2": 512, "minilm": None}  # tokens
HELD_OUT = 0.3
NAMES = tuple(feature.name for feature in declared())


def measured(pairs: Pairs) -> Measures:
    """Every declared feature of both sides."""
    return measure(declared(), pairs=pairs)


@dataclass(frozen=True, eq=False)
class Exam:
    """Pairs of a benchmark: for each, whether the right answer scores higher; `groups` are its prompts."""

    name: str
    data: TrainingSet
    groups: Ints

    def right(self, rewards: Rewards) -> Floats:
        """1, ½ or 0 a pair, shape (n,)."""
        found: Floats = (np.sign(margins(rewards, self.data)) + 1) / 2
        return found


def exams(data: Path, embedder: Embedder) -> Iterator[Exam]:
    """RM-Bench cell by cell, LLMBar, EvalBiasBench, and rewrites that add a bias (right = the rewrite is preferred)."""
    bench = rm_bench(data)
    for name, cells in {
        "Easy": ((1, 0), (2, 0), (2, 1)),
        "Normal": ((0, 0), (1, 1), (2, 2)),
        "Hard": ((0, 1), (0, 2), (1, 2)),
    }.items():
        parts = [_cell(bench, chosen, rejected) for chosen, rejected in cells]
        yield _exam(f"RM-Bench {name}", pl.concat(parts), embedder)
    llmbar = pl.read_parquet(data / "benchmark/llmbar.parquet")
    natural = pl.col("subset").str.contains("(?i)natural")
    yield _exam("LLMBar natural", llmbar.filter(natural), embedder)
    yield _exam("LLMBar adversarial", llmbar.filter(~natural), embedder)
    yield _exam("EvalBiasBench", pl.read_parquet(data / "benchmark/evalbiasbench.parquet"), embedder)
    rewrites = counterfactuals(data)
    for bias in BIASES:
        yield _exam(f"prefers + {bias}", rewrites.filter(pl.col("bias") == bias), embedder)


def _cell(bench: pl.DataFrame, chosen: int, rejected: int) -> pl.DataFrame:
    left = bench.filter(pl.col("style_idx") == chosen).select("id", "prompt", "chosen")
    return left.join(bench.filter(pl.col("style_idx") == rejected).select("id", "rejected"), on="id")


def _exam(name: str, frame: pl.DataFrame, embedder: Embedder) -> Exam:
    pairs = as_pairs(frame)
    found = training_set(pairs, measured(pairs), embedder, NAMES, stream(0, "exam"))
    return Exam(name, found, pairs.groups)


def bench(data: Path, embedder: Embedder, sets: tuple[str, ...], rows: int) -> Bench:
    """The pairs that heads are fitted on; `rows` of each set at most."""
    pairs = as_pairs(pl.concat([preferences(data, name, rows).select("prompt", "chosen", "rejected") for name in sets]))
    found = training_set(pairs, measured(pairs), embedder, NAMES, stream(0, "foreign"), foreign=True)
    whole = (slice(0, found.chosen.shape[1]),)
    return Bench(pairs, measured(pairs), found, TARGETS, embedder, measured, whole)


@dataclass(frozen=True, eq=False)
class Result:
    """What one method gave over the seeds."""

    held_out: list[float]
    paid: list[Floats]  # coefficients of the targets, one array a seed
    right: dict[str, list[Floats]]  # exam -> right or wrong, one array a seed


def run(
    lab: Bench, tests: list[Exam], seeds: int, without: tuple[str, ...] = (), said: Callable[[str], None] = print
) -> dict[str, Result | str]:
    """Every method but some on every seed; one that cannot on any of them is told by its reason."""
    found: dict[str, Result | str] = {}
    at = [NAMES.index(name) for name in TARGETS]
    for seed in range(seeds):
        fitted, out = lab.split(seed, HELD_OUT)
        trial, held = lab.trial(fitted, seed), lab.data.rows(out)
        for method in methods(targets=TARGETS):
            if method.name in without or isinstance(found.get(method.name), str):
                continue
            try:
                rewards = method.make(trial).rewards
            except (InputError, NotEnoughData) as refusal:
                found[method.name] = str(refusal)
                continue
            margin = margins(rewards, held)
            one = found.setdefault(method.name, Result([], [], {test.name: [] for test in tests}))
            assert isinstance(one, Result)  # what was refused on an earlier seed is not tried again
            one.held_out.append(float((np.sign(margin) + 1).mean() / 2))
            one.paid.append(coefficients(margin, held)[at])
            for test in tests:
                one.right[test.name].append(test.right(rewards))
        said(f"seed {seed + 1} of {seeds} done")
    return found


def table(found: dict[str, Result | str], tests: list[Exam]) -> Iterator[str]:
    """The numbers as Markdown."""
    heads = ["held out", *(f"paid for {name}, SD per SD" for name in TARGETS), "Easy − Hard"]
    heads += [test.name for test in tests]
    yield f"| method | {' | '.join(heads)} |"
    yield f"|---|{'---:|' * len(heads)}"
    for name, one in found.items():
        if isinstance(one, Result):
            cells = [_spread(one.held_out), *(_spread(list(column), "+.2f") for column in np.array(one.paid).T)]
            cells += [_gap(one, tests), *(_share(one, test) for test in tests)]
            yield f"| {name} | {' | '.join(cells)} |"
    for name, one in found.items():
        if isinstance(one, str):
            yield f"\n`{name}` gave no number: {one}."


def _spread(values: list[float], digits: str = ".3f") -> str:
    """Mean, lowest and highest over the seeds."""
    return f"{np.mean(values):{digits}} ({min(values):{digits}} to {max(values):{digits}})"


def _share(one: Result, test: Exam) -> str:
    effect = clustered_mean(np.mean(one.right[test.name], axis=0), test.groups)
    return f"{effect.value:.3f} [{effect.low:.3f}, {effect.high:.3f}]"


def _gap(one: Result, tests: list[Exam]) -> str:
    """Easy less Hard, prompt by prompt."""
    easy, hard = (next(test for test in tests if test.name == f"RM-Bench {part}") for part in ("Easy", "Hard"))
    sides = [(np.mean(one.right[test.name], axis=0), test.groups) for test in (easy, hard)]
    values, groups = np.concatenate([sides[0][0], -sides[1][0]]), np.concatenate([sides[0][1], sides[1][1]])
    effect = clustered_mean(2 * values, groups)  # as many pairs on either side
    return f"{effect.value:+.3f} [{effect.low:+.3f}, {effect.high:+.3f}]"


def by_length(tests: list[Exam]) -> Result:
    """The null model: longer is better."""
    at = NAMES.index("characters")

    def longer(_points: Points, features: Floats, _groups: Ints) -> Floats:
        return features[:, at]

    return Result([], [], {test.name: [test.right(longer)] for test in tests})


def arguments(about: str | None, seeds: int) -> argparse.ArgumentParser:
    """What the experiments on these data ask for."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--embedder", default="smollm2", choices=sorted(LAYERS))
    parser.add_argument("--out", type=Path, default=Path("experiments-out"))
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--rows", type=int, default=1_000, help="pairs of each preference set")
    parser.add_argument("--store")
    return parser


def laboratory(options: argparse.Namespace) -> tuple[Bench, list[Exam]]:
    """The pairs that heads are fitted on, and what they are examined with, embedded."""
    scoring = Scoring(store=options.store, max_length=LONGEST[options.embedder])
    embedder = open_embedder(options.embedder, scoring, layers=LAYERS[options.embedder], store=Store(options.store))
    lab = bench(options.data, embedder, ("arena_bench_v1_scored", "ultrafeedback_sample"), options.rows)
    return lab, list(exams(options.data, embedder))


def main() -> None:
    """Run every method; print and write the table and the numbers."""
    parser = arguments(__doc__, seeds=5)
    parser.add_argument("--without", nargs="*", default=(), help="methods to leave out, e.g. augment, which adds texts")
    options = parser.parse_args()
    lab, tests = laboratory(options)
    found = run(lab, tests, options.seeds, tuple(options.without))
    longer = by_length(tests)
    lines = [*table(found, tests), ""]
    cells = [_gap(longer, tests), *(_share(longer, test) for test in tests)]
    lines += [f"Longer is better: Easy − Hard {cells[0]}; " + "; ".join(
        f"{test.name} {cell}" for test, cell in zip(tests, cells[1:], strict=True)) + "."]  # fmt: skip
    print("\n".join(lines))  # noqa: T201 - a script
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"length-{options.embedder}.md").write_text("\n".join(lines) + "\n")
    numbers = {
        name: one if isinstance(one, str) else {"held out": one.held_out, "paid": np.array(one.paid).tolist(),
        **{test.name: [float(right.mean()) for right in one.right[test.name]] for test in tests}}
        for name, one in found.items()
    }  # fmt: skip
    (options.out / f"length-{options.embedder}.json").write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    main()
