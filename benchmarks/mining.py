"""Phrase mining on made-up responses: seconds, MB/s and peak memory as the number of responses grows.

    python benchmarks/mining.py [--sizes 10000,100000,1000000] [--out benchmarks/results/mining.md]

Each size runs in a process of its own, so that the peak memory is its own. The responses (about 1.4 kB, two stages,
one phrase planted in 0.5 % of the later one) are written as Parquet first; reading them is part of the time.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from dehusk.core.run import stream
from dehusk.core.tables import Responses
from dehusk.features.measuring import measure
from dehusk.features.mining import mine

PHRASE = "to put it plainly and without sugar"
WORDS_EACH = 215  # about 1.4 kB
BATCH = 20_000
COMMON = ["the", "of", "and", "to", "a", "in", "is", "that", "it", "for", "as", "with", "on", "be", "are", "this"]


def write_responses(path: Path, n: int) -> None:
    """Write n responses, half of each stage, with word frequencies that fall like 1 / rank."""
    rng = np.random.default_rng(0)
    syllables = [
        "ba",
        "cor",
        "den",
        "fi",
        "gal",
        "hem",
        "is",
        "jo",
        "kal",
        "lum",
        "mi",
        "nor",
        "pe",
        "qua",
        "ros",
        "ti",
    ]
    words = np.array(COMMON + [a + b + c for a in syllables for b in syllables for c in ("", "s", *syllables)])
    weights = 1 / np.arange(3, words.size + 3)
    weights /= weights.sum()
    parts = []
    for start in range(0, n, BATCH):
        size = min(BATCH, n - start)
        drawn = words[rng.choice(words.size, size=(size, WORDS_EACH), p=weights)]
        drawn[:, 11::12] = np.char.add(drawn[:, 11::12], ".")
        late = (np.arange(start, start + size) % 2).astype(bool)
        planted = late & (rng.random(size) < 0.01)
        drawn = drawn.astype(object)
        drawn[planted, 100] = PHRASE
        parts.append(pl.Series([" ".join(row) for row in drawn]))
    index = np.arange(n)
    pl.DataFrame(
        {
            "response_id": index.astype(str),
            "row": index + 1,
            "prompt": np.char.add("Question ", (index // 2).astype(str)),
            "response": pl.concat(parts),
            "stage": np.where(index % 2, "rl", "sft"),
            "group": (index // 2).astype(str),
        }
    ).write_parquet(path)


def run(path: Path) -> None:
    """Mine one file and print a row: responses, MB, seconds, peak GB, rank of the planted phrase."""
    start = time.perf_counter()
    table = Responses(pl.read_parquet(path), ("sft", "rl"))
    groups = table.groups
    half = stream(0, "split").random(int(groups.max()) + 1) < 0.5
    features = mine(table, half[groups], stream(0, "mine"))
    measures = measure(features, responses=table, held_out={"response": ~half[groups]})
    seconds = time.perf_counter() - start
    names = [feature.name for feature in features]
    rank = next((i + 1 for i, name in enumerate(names) if PHRASE in name), None)
    found = int(measures.all_values("response", names[rank - 1]).sum()) if rank else 0
    megabytes = table.frame["response"].str.len_bytes().sum() / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    cells = (f"{len(table):,}", f"{megabytes:,.0f}", f"{seconds:.1f}", f"{megabytes / seconds:.0f}", f"{peak:.2f}")
    print("|", " | ".join([*cells, str(rank), str(found)]), "|")


def main() -> None:
    """Run every size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run(options.one)
        return
    rows = [
        "| responses | MB | seconds | MB/s | peak GB | rank of the planted phrase | texts with it |",
        "|" + "---:|" * 7,
    ]
    with tempfile.TemporaryDirectory() as folder:
        for size in (int(part) for part in options.sizes.split(",")):
            path = Path(folder) / f"{size}.parquet"
            write_responses(path, size)
            done = subprocess.run(
                [sys.executable, __file__, "--one", str(path)], capture_output=True, text=True, check=True
            )
            rows.append(done.stdout.strip())
            print(rows[-1], file=sys.stderr)
            path.unlink()
    table = "\n".join(rows) + "\n"
    print(table)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(f"`python benchmarks/mining.py --sizes {options.sizes}`\n\n{table}")


if __name__ == "__main__":
    main()
