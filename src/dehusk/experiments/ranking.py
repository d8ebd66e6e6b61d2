"""Half of the pairs, chosen by their semantic kernel, against halves chosen at random and by the shortcut.

Claim (own): what is left when pairs are chosen so that the surface says nothing of the label teaches more about other
distributions than as many random ones, and pays less for the targets.

Expected: coefficients of the targets nearer to 0 than those of a random half on every seed; accuracy elsewhere not
lower. What came out is in `docs/experiments.md`.

    python -m dehusk.experiments.ranking DATA [--embedder smollm2|minilm] [--out FOLDER] [--seeds 10] [--store FILE]

Heads are fitted on half of the training prompts' pairs of two preference sets together; the data and the embeddings are
those of `length.py`. Each cell is the mean over the seeds with the corrected interval over splits; differences are
against the random half of the same seed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dehusk.comparison.readings import accuracy, coefficients, margins
from dehusk.comparison.running import Bench
from dehusk.comparison.trials import by_head
from dehusk.core.kinds import objectives, repairs
from dehusk.core.run import stream
from dehusk.core.tables import Floats
from dehusk.experiments.length import HELD_OUT, NAMES, TARGETS, Exam, arguments, laboratory
from dehusk.fitting.heads import fit_heads
from dehusk.stats.resplits import over_splits

ORDERS = ("random", "kernel", "balance", "content", "style", "easiest", "hardest")
BENCHMARKS = ("RM-Bench", "LLMBar", "EvalBiasBench")


def one_seed(lab: Bench, tests: list[Exam], seed: int) -> dict[str, Floats]:
    """Order -> held-out accuracy, coefficients of the targets, accuracy on every test; "all" fits on every pair."""
    fitted, out = lab.split(seed, HELD_OUT)
    trial, held = lab.trial(fitted, seed), lab.data.rows(out)
    at = [NAMES.index(name) for name in TARGETS]
    found = {}
    for order in ("all", *ORDERS):
        data = trial.data
        if order != "all":
            plan = repairs["rank"].thing(
                trial.pairs,
                trial.measures,
                stream(seed, "rank"),
                targets=TARGETS,
                points=(data.chosen, data.rejected),
                order=order,
            )
            data = data.rows(plan.kept)
        rewards = by_head(fit_heads(data, objectives["bt"].thing(), rng=stream(seed, "head")).heads[0])
        margin = margins(rewards, held)
        elsewhere = [float(test.right(rewards).mean()) for test in tests]
        found[order] = np.array([accuracy(margin), *coefficients(margin, held)[at], *elsewhere])
    return found


def table(runs: list[dict[str, Floats]], tests: list[Exam]) -> Iterator[str]:
    """Means with intervals, and differences from the random half."""
    heads = ["held out", *(f"paid for {name}" for name in TARGETS), *(test.name for test in tests)]
    yield f"| half of the pairs | {' | '.join(heads)} |"
    yield f"|---|{'---:|' * len(heads)}"
    for order in runs[0]:
        own = over_splits(np.stack([run[order] for run in runs]), HELD_OUT)
        change = over_splits(np.stack([run[order] - run["random"] for run in runs]), HELD_OUT)
        cells = []
        for k, value in enumerate(own.value):
            shown = f"{value:+.2f}" if 0 < k <= len(TARGETS) else f"{value:.3f}"
            moved = f" ({change.value[k]:+.3f} [{change.low[k]:+.3f}, {change.high[k]:+.3f}])"
            cells.append(shown if order == "random" else shown + moved)
        yield f"| {order} | {' | '.join(cells)} |"


def main() -> None:
    """Run every order on every seed; print and write the table."""
    options = arguments(__doc__, seeds=10).parse_args()
    lab, every = laboratory(options)
    tests = [test for test in every if test.name.startswith(BENCHMARKS)]
    lines = list(table([one_seed(lab, tests, seed) for seed in range(options.seeds)], tests))
    print("\n".join(lines))  # noqa: T201 - a script
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"ranking-{options.embedder}.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
