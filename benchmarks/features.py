"""Speed of the feature pass: one fused query against one eager query a feature, in the same run.

    python benchmarks/features.py FILE.parquet COLUMN [--repeat 2]

Prints MB/s of UTF-8 text (wall clock, and processor time spread over all threads, which a busy machine cannot spoil),
the ratio to the eager loop, and the ten features that cost most on top of the shared forms of the text.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import polars as pl

from dehusk.core.kinds import Feature
from dehusk.features import declared, measuring, views

REPEATS = 3


class Cost(NamedTuple):
    """Seconds of one piece of work."""

    wall: float
    processor: float  # divided by the number of threads


def cost(work: Callable[[], object], times: int = REPEATS) -> Cost:
    """Least cost of several runs."""
    runs = []
    for _ in range(times):
        wall, processor = time.perf_counter(), time.process_time()
        work()
        runs.append(Cost(time.perf_counter() - wall, (time.process_time() - processor) / pl.thread_pool_size()))
    return Cost(min(run.wall for run in runs), min(run.processor for run in runs))


def fused(frame: pl.DataFrame, features: tuple[Feature, ...]) -> pl.DataFrame:
    """What `measure` does for one side."""
    return measuring._pass(frame, "response", features)


def eager(frame: pl.DataFrame, features: tuple[Feature, ...]) -> None:
    """The naive loop: every feature reads the raw text on its own."""
    prompt, response = pl.col("prompt"), pl.col("response")
    for feature in features:
        frame.select(feature.measure(prompt, response))


def own_costs(frame: pl.DataFrame, features: tuple[Feature, ...]) -> dict[str, float]:
    """Processor seconds of each shared form and of each feature once the forms are there."""
    response, held, costs = pl.col("response"), frozenset[str](), {}
    for layer in views.LAYERS:
        for view in layer:
            with views.held(held):
                made = view(response).alias(view.column(response))
            costs[f"[{view.name}]"] = cost(lambda frame=frame, made=made: frame.select(made), 2).processor
            frame = frame.with_columns(made)
        held |= {view.column(response) for view in layer}
    with views.held(held):
        for feature in features:
            column = feature.measure(pl.col("prompt"), response)
            costs[feature.name] = cost(lambda column=column: frame.select(column), 2).processor
    return costs


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("column")
    parser.add_argument("--repeat", type=int, default=1, help="stack the file on itself this many times")
    given = parser.parse_args()
    table = pl.read_parquet(given.file).select("prompt", pl.col(given.column).alias("response"))
    frame = pl.concat([table] * given.repeat, rechunk=True)
    size = int(frame["response"].str.len_bytes().sum()) / 1e6
    features = declared()
    one, many = cost(lambda: fused(frame, features)), cost(lambda: eager(frame, features), 1)
    print(f"{given.file.name}: {frame.height:,} texts, {size:.1f} MB, {len(features)} features")
    print(f"fused pass   {size / one.wall:7.1f} MB/s   ({size / one.processor:.1f} MB/s of processor time)")
    print(f"eager loop   {size / many.wall:7.1f} MB/s   ({size / many.processor:.1f} MB/s of processor time)")
    print(f"ratio        {many.wall / one.wall:7.1f} ×      ({many.processor / one.processor:.1f} × in processor time)")
    costs = own_costs(frame, features)
    total = sum(costs.values())
    for name, seconds in sorted(costs.items(), key=lambda item: -item[1])[:10]:
        print(f"  {seconds / total:6.1%}  {name}")


if __name__ == "__main__":
    main()
