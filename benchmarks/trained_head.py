"""A reward head that learnt from real pairs: does it go by looks, does it read the prompt, and when did it stop?

    python benchmarks/trained_head.py DATA_FOLDER [--out benchmarks/results/trained_head.md] [--only 1,2]

Linear heads on SmolLM2 (mean of the answer's states in one middle layer), fitted to half of the prompts of a sample of
Arena battles. Their penalties stand for the steps of a training run: from a head that has hardly started to one that
has fitted nearly every pair.

The folder holds `preference/*.parquet` and `benchmark/*.parquet` of public releases; it is not part of the project.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from sections import tell

from dehusk.core.findings import Estimate
from dehusk.core.options import Scoring
from dehusk.core.run import stream
from dehusk.core.tables import Pairs
from dehusk.features.measuring import declared, measure
from dehusk.fitting.heads import fit_head
from dehusk.io import read_pairs
from dehusk.probes.reward_model.prompt_use import prompt_use
from dehusk.probes.reward_model.style_matrix import style_matrix
from dehusk.rewards import score_tables
from dehusk.rewards.embedding import Embedder, open_embedder
from dehusk.rewards.heads import Linear
from dehusk.rewards.store import Store

LAYER, TOKENS, SAMPLED = 15, 512, 1_000
PENALTIES = {"early": 10_000.0, "middle": 1_000.0, "late": 10.0}
ITEMS, TEXTS = 50, 20  # items a domain of RM-Bench; prompts whose answers are tried under other prompts


@dataclass(frozen=True)
class Bench:
    """What both tables share; nothing is embedded twice."""

    data: Path
    store: str | None

    @cached_property
    def embedder(self) -> Embedder:
        """The frozen model."""
        options = Scoring(max_length=TOKENS, store=self.store)
        return open_embedder("smollm2", options, layers=(LAYER,), pooling="mean", store=Store(self.store))

    @cached_property
    def halves(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Pairs to fit and pairs to judge, of different prompts."""
        frame = pl.read_parquet(self.data / "preference" / "arena_bench_v1_scored.parquet").sample(SAMPLED, seed=0)
        prompts = frame["prompt"].unique(maintain_order=True).to_numpy()
        first = stream(0, "halves").permutation(prompts)[: len(prompts) // 2].tolist()
        return frame.filter(pl.col("prompt").is_in(first)), frame.filter(~pl.col("prompt").is_in(first))

    @cached_property
    def heads(self) -> tuple[Linear, ...]:
        """One a penalty, the stiffest first."""
        train = self.halves[0]
        sides = [
            self.embedder.embed(train["prompt"].to_list(), train[side].to_list()) for side in ("chosen", "rejected")
        ]
        groups = train["prompt"].rank("dense").to_numpy().astype(np.int64)
        return tuple(
            Linear(name, fit_head(*sides, l2=l2, groups=groups, rng=stream(0, "head")).head, self.embedder, "", ())
            for name, l2 in PENALTIES.items()
        )


def as_pairs(frame: pl.DataFrame) -> Pairs:
    """A frame as an audit would read it."""
    with TemporaryDirectory() as folder:
        frame.write_parquet(Path(folder) / "pairs.parquet")
        return read_pairs(str(Path(folder) / "pairs.parquet")).pairs


def looks(bench: Bench) -> Iterator[str]:
    """1. Right and wrong in different dress: RM-Bench, with scorers that know length alone.

    Easy: the right answer looks fancier than the wrong one; hard: plainer. Strict wins, as published.
    """
    frame = pl.read_parquet(bench.data / "benchmark" / "rm_bench.parquet")
    ids = frame.select("id", "domain").unique().sort("id")
    kept = ids.group_by("domain").map_groups(lambda part: part.sample(min(ITEMS, part.height), seed=0))["id"]
    pairs = as_pairs(frame.filter(pl.col("id").is_in(kept.to_list())))
    sides = {side: (pairs.frame["prompt"], pairs.frame[side]) for side in ("chosen", "rejected")}
    found = list(style_matrix(pairs, score_tables(bench.heads, sides)))
    yield "| scorer | easy | normal | hard | easy − hard, points | items | verdict |"
    yield "|---|---:|---:|---:|---|---:|---|"
    for finding in found:
        told = finding.sentence.values
        cells = (f"{told['easy']:.1%}", f"{told['normal']:.1%}", f"{told['hard']:.1%}", _points(finding.estimate))
        yield f"| {finding.details['model']} | {' | '.join(cells)} | {told['n']} | {finding.verdict} |"
    for told in found[-1].details["baselines"]:
        yield f"| {told['scorer']} | {told['easy']:.1%} | {told['normal']:.1%} | {told['hard']:.1%} | | | |"


def prompts(bench: Bench) -> Iterator[str]:
    """2. Does it read the prompt? Own prompt, prompts of other pairs, and a model of the answers alone.

    On the prompts that no head was fitted to. S: share of the variance of score differences that no prompt changes.
    Answers alone: a cross-fitted model of words and features, fitted to each head's score differences.
    """
    pairs = as_pairs(bench.halves[1])
    sides = {side: (pairs.frame["prompt"], pairs.frame[side]) for side in ("chosen", "rejected")}
    scores = score_tables(bench.heads, sides)
    rng = stream(0, "reward_model.prompt_use")
    found = list(prompt_use(pairs, measure(declared(), pairs=pairs), scores, bench.heads, rng, texts=TEXTS))
    main, change, alone = found
    yield "| head | own prompt | foreign prompts | prompt gain, points | S | agreement of answers alone | R² |"
    yield "|---|---|---|---|---|---|---|"
    for swapped, told in zip(change.details["checkpoints"], alone.details["checkpoints"], strict=True):
        cells = [_share(swapped[name]) for name in ("accuracy_own", "accuracy_foreign")]
        cells += [_points(swapped["prompt_gain"]), _share(swapped["response_share"])]
        cells += [_share(told["agreement"]), f"{told['reproduced'].value:.2f}"]
        yield f"| {swapped['model']} | {' | '.join(cells)} |"
    yield ""
    yield from (f"{finding.verdict}: {finding.sentence.render()}\n" for finding in (main, change, alone))


def _share(estimate: Estimate) -> str:
    return f"{estimate.value:.1%} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def _points(estimate: Estimate | None) -> str:
    return f"{100 * estimate.value:+.1f} [{100 * estimate.low:+.1f}, {100 * estimate.high:+.1f}]" if estimate else "—"


def main() -> None:
    """Run the tables asked for and print or write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--store")
    parser.add_argument("--only", default="1,2")
    options = parser.parse_args()
    bench = Bench(options.data, options.store)
    tables = {"1": looks, "2": prompts}
    sections = ((tables[number].__doc__, tables[number](bench)) for number in options.only.split(","))
    tell(f"trained_head.py DATA_FOLDER --only {options.only}", sections, options.out)


if __name__ == "__main__":
    main()
