"""Certificates for real: what every method's head chooses from a policy's own samples, against the plain head.

Claim (arXiv 2605.27996): a fix that looks clean on the pairs it was audited on need not hold once the repaired reward
selects; what was taken off comes back, or moves.

Expected: coefficients on held-out pairs that most methods bring near 0 (see `length.py`), and fewer certificates than
that. What came out is in `docs/experiments.md`.

    python -m dehusk.experiments.selection DATA [--embedder minilm|smollm2] [--out FOLDER] [--seeds 2] [--store FILE]
                                                [--prompts 400] [--without METHOD …]

Heads are those of `length.py`, fitted on seven in ten prompts of two preference sets for the targets characters,
bullets and bold. Each certificate is on characters: `dehusk.certify` with the scores of both heads on 16 samples a
prompt of one policy (`outputs/tulu13b_bon16.parquet`, another distribution than the pairs'), accuracy on the held-out
pairs.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile

import numpy as np
import polars as pl

from dehusk.comparison.methods import methods
from dehusk.comparison.readings import Points, Rewards, coefficients, margins
from dehusk.comparison.running import Bench
from dehusk.comparison.table import PLAIN
from dehusk.core.certificates import Certificate
from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.tables import Floats, Ints
from dehusk.experiments.length import HELD_OUT, NAMES, TARGETS, arguments, laboratory
from dehusk.features.measuring import declared, measure
from dehusk.io import read_responses
from dehusk.workflow import certify

TARGET = TARGETS[0]
BEST_OF = 16


@dataclass(frozen=True, eq=False)
class Pool:
    """Samples to choose from, as a file and as points."""

    file: Path
    frame: pl.DataFrame  # prompt and response
    points: Points
    features: Floats
    groups: Ints

    @classmethod
    def of(cls, data: Path, prompts: int, lab: Bench, folder: Path) -> Pool:
        """Some prompts of the release."""
        frame = pl.read_parquet(data / "outputs/tulu13b_bon16.parquet").select("prompt", "response")
        some = frame["prompt"].unique(maintain_order=True).head(prompts)
        frame = frame.filter(pl.col("prompt").is_in(some.implode())).sample(fraction=1, shuffle=True, seed=0)
        file = folder / "pool.parquet"
        frame.write_parquet(file)
        table = read_responses([("sft", str(file))]).responses
        measures = measure(declared(), responses=table)
        features = np.stack([np.nan_to_num(measures.all_values("response", name)) for name in NAMES], axis=1)
        kept = table.frame.select("prompt", "response")
        points = lab.embedder.embed(kept["prompt"].to_list(), kept["response"].to_list())
        return cls(file, kept, points, features, table.groups)


@dataclass(frozen=True)
class Tried:
    """One method on one seed."""

    paid: float  # on held-out pairs, the label held
    certificate: Certificate


def scored(rewards: Rewards, pool: Pool, lab: Bench, out: Ints, file: Path) -> None:
    """Write what a head says of the pool and of the held-out pairs."""
    held, pairs = lab.data.rows(out), lab.pairs.frame[out]
    sides = np.concatenate([held.chosen, held.rejected])
    features = np.concatenate([held.chosen_features, held.rejected_features])
    on_pairs = rewards(sides, features, np.tile(np.arange(len(held)), 2))
    on_pool = rewards(pool.points, pool.features, pool.groups)
    frame = pl.concat(
        [
            pool.frame.with_columns(score=pl.Series(on_pool)),
            pairs.select("prompt", response="chosen").with_columns(score=pl.Series(on_pairs[: len(held)])),
            pairs.select("prompt", response="rejected").with_columns(score=pl.Series(on_pairs[len(held) :])),
        ]
    )
    frame.unique(("prompt", "response"), keep="first", maintain_order=True).write_parquet(file)


def one_seed(
    lab: Bench, pool: Pool, seed: int, without: tuple[str, ...], folder: Path
) -> Iterator[tuple[str, Tried | str]]:
    """Every method's certificate against the plain head."""
    fitted, out = lab.split(seed, HELD_OUT)
    trial, held = lab.trial(fitted, seed), lab.data.rows(out)
    labelled = folder / "held.parquet"
    lab.pairs.frame[out].select("prompt", "chosen", "rejected").write_parquet(labelled)
    files = {name: folder / f"{name}.parquet" for name in ("before", "after")}
    for method in methods(targets=TARGETS):
        if method.name in without:
            continue
        try:
            rewards = method.make(trial).rewards
        except (InputError, NotEnoughData) as refusal:
            yield method.name, str(refusal)
            continue
        scored(rewards, pool, lab, out, files["after"])
        if method.name == PLAIN:
            copyfile(files["after"], files["before"])
        certificate = certify(
            f"scores:{files['before']}", f"scores:{files['after']}", TARGET, responses=pool.file, pairs=labelled
        )
        paid = coefficients(margins(rewards, held), held)[NAMES.index(TARGET)]
        yield method.name, Tried(float(paid), certificate)


def table(found: dict[str, list[Tried | str]]) -> Iterator[str]:
    """The numbers as Markdown: means over the seeds, and every verdict."""
    yield (
        "| method | paid for characters on held-out pairs, SD per SD | pressure on characters in the best of 16 | "
        "largest growth elsewhere | accuracy, held out | verdicts |"
    )
    yield "|---|---:|---:|---|---:|---|"
    for name, tries in found.items():
        told = [one for one in tries if isinstance(one, Tried)]
        if not told:
            continue
        lift = [_target(one.certificate) for one in told]
        grown = Counter(_grown(one.certificate) for one in told).most_common(1)[0][0]
        accuracy = [one.certificate.qualities[-1].after.value for one in told]
        verdicts = Counter(f"{one.certificate.verdict} ({one.certificate.reason})" for one in told)
        cells = [
            f"{np.mean([one.paid for one in told]):+.2f}",
            f"{np.mean(lift):+.2f}",
            grown,
            f"{np.mean(accuracy):.3f}",
            ", ".join(f"{count} × {verdict}" for verdict, count in verdicts.most_common()).replace("_", " "),
        ]
        yield f"| {name} | {' | '.join(cells)} |"
    for name, tries in found.items():
        refusals = [one for one in tries if isinstance(one, str)]
        if refusals:
            yield f"\n`{name}` gave no number: {refusals[0]}."


def _target(certificate: Certificate) -> float:
    """Pressure on the target in the best of 16."""
    shift = next(one for one in certificate.shifts if one.feature == TARGET)
    return next(one for one in shift.lifts if one.selection == "best_of_n" and one.size == BEST_OF).after.value


def _grown(certificate: Certificate) -> str:
    """The other feature whose pressure surely grew, or none."""
    grown = [one for one in certificate.shifts if one.state == "grew"]
    if not grown:
        return "none"
    worst = max(grown, key=lambda one: one.lift.growth.value)
    return f"{worst.feature} {worst.lift.growth.value:+.2f}"


def main() -> None:
    """Run every method; print and write the table."""
    parser = arguments(__doc__, seeds=2)
    parser.set_defaults(embedder="minilm")
    parser.add_argument("--prompts", type=int, default=400, help="of the pool")
    parser.add_argument("--without", nargs="*", default=(), help="methods to leave out, e.g. augment, which adds texts")
    options = parser.parse_args()
    lab, _ = laboratory(options)
    found: dict[str, list[Tried | str]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        pool = Pool.of(options.data, options.prompts, lab, Path(scratch))
        for seed in range(options.seeds):
            for name, one in one_seed(lab, pool, seed, tuple(options.without), Path(scratch)):
                found.setdefault(name, []).append(one)
            print(f"seed {seed + 1} of {options.seeds} done", flush=True)  # noqa: T201 - a script
    lines = list(table(found))
    print("\n".join(lines))  # noqa: T201
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"selected-{options.embedder}.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
