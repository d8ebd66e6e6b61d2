"""Phrase mining on made-up responses: seconds, MB/s and peak memory as the number of responses grows.

    python benchmarks/mining.py [--sizes 10000,100000,1000000] [--out benchmarks/results/mining.md]

With --out a plot of the growth is written beside the table (.svg).

Each size runs in a process of its own, so that the peak memory is its own. The responses (about 1.4 kB, two stages,
one phrase planted in 1 % of the later one) are written as Parquet first; reading them is part of the time.
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
from corpus import PHRASE, texts

from dehusk.core.run import stream
from dehusk.core.tables import Responses
from dehusk.features.measuring import measure
from dehusk.features.mining import mine


def write_responses(path: Path, n: int) -> None:
    """Write n responses, half of each stage, the phrase in 1 % of the later one."""
    rng = np.random.default_rng(0)
    half = n // 2
    early, late = (pl.concat(list(texts(half, rng, planted=planted))) for planted in (0.0, 0.01))
    index = np.tile(np.arange(half), 2)
    pl.DataFrame(
        {
            "response_id": np.arange(2 * half).astype(str),
            "row": np.arange(1, 2 * half + 1),
            "prompt": np.char.add("Question ", index.astype(str)),
            "response": pl.concat([early, late]),
            "stage": np.repeat(["sft", "rl"], half),
            "group": index.astype(str),
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


def growth(rows: list[list[str]]) -> str:
    """Seconds and peak memory against responses, both axes logarithmic, as SVG."""
    n, seconds, peak = (np.array([float(row[at].replace(",", "")) for row in rows]) for at in (1, 3, 5))
    x = 60 + 480 * (np.log10(n) - np.log10(n[0])) / max(np.log10(n[-1] / n[0]), 1e-9)
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" width="600" height="340" font-family="sans-serif" font-size="12">'
    ]
    for values, colour, name, unit in ((seconds, "#0b7285", "seconds", "s"), (peak, "#b35900", "peak memory", "GB")):
        y = 260 - 55 * (np.log10(values) + 1)  # one decade is 55 pixels; 0.1 stands at 260
        points = " ".join(f"{a:.0f},{b:.0f}" for a, b in zip(x, y, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
        for a, b, value in zip(x, y, values, strict=True):
            parts.append(f'<circle cx="{a:.0f}" cy="{b:.0f}" r="3" fill="{colour}"/>')
            parts.append(f'<text x="{a + 6:.0f}" y="{b - 6:.0f}" fill="{colour}">{value:g} {unit}</text>')
        parts.append(f'<text x="10" y="{16 if unit == "s" else 32}" fill="{colour}">{name}</text>')
    parts += [f'<text x="{a:.0f}" y="300" text-anchor="middle">{int(k):,}</text>' for a, k in zip(x, n, strict=True)]
    return "\n".join([*parts, '<text x="300" y="325" text-anchor="middle">responses</text>', "</svg>"]) + "\n"


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
        options.out.with_suffix(".svg").write_text(growth([row.split("|") for row in rows[2:]]))


if __name__ == "__main__":
    main()
