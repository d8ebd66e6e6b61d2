"""A whole audit from a cold start: 20,000 pairs as JSONL to the HTML page, in a process of its own.

    python benchmarks/audit.py [FILE] [--pairs 20000] [--repeat 3] [--out benchmarks/results/audit.md]

Without FILE the pairs are made up (about 150 words an answer). Prints seconds, processor time (which other work on
the machine spoils less), peak memory, and the ratio to what starting Python and reading the file alone costs in the
same run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from corpus import texts

READ = "import sys; from dehusk.io import read_pairs; read_pairs(sys.argv[1])"


def write_pairs(path: Path, n: int) -> None:
    """Write n made-up pairs."""
    rng = np.random.default_rng(0)
    chosen, rejected = (pl.concat(list(texts(n, rng, words_each=150, planted=rate))) for rate in (0.03, 0.0))
    prompts = [f"Question {i}?" for i in range(n)]
    pl.DataFrame({"prompt": prompts, "chosen": chosen, "rejected": rejected}).write_ndjson(path)


class Cost(NamedTuple):
    """What one child process took."""

    wall: float  # seconds
    processor: float  # seconds, all threads
    peak: float  # GB


def timed(*command: str) -> Cost:
    """Run a command and measure it."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"exit code {child.returncode}: {' '.join(command)}")
    return Cost(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6)


def main() -> None:
    """Time reading alone and the whole audit in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or Path(folder) / "pairs.jsonl"
        if options.file is None:
            write_pairs(path, options.pairs)
        out = Path(folder) / "out"
        audit = [sys.executable, "-m", "dehusk", "audit", "--pairs", str(path), "--out", str(out), "--fail-on", "never"]
        runs = [(timed(sys.executable, "-c", READ, str(path)), timed(*audit)) for _ in range(options.repeat)]
        page = (out / "report.html").stat().st_size / 1e6
    reading, seconds = (float(np.median([run[at].wall for run in runs])) for at in (0, 1))
    walls, processor = [run[1].wall for run in runs], float(np.median([run[1].processor for run in runs]))
    name = path.name if options.file else f"{options.pairs:,} made up"
    cells = [name, f"{seconds:.1f}", f"{min(walls):.1f}–{max(walls):.1f}", f"{processor:.1f}", f"{reading:.1f}"]
    cells += [f"{seconds / reading:.1f}", f"{max(run[1].peak for run in runs):.2f}", f"{page:.2f}"]
    lines = [
        "| pairs | cold start to page, s | range | processor, s | reading alone, s | ratio | peak GB | page MB |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
        "| " + " | ".join(cells) + " |",
    ]
    print("\n".join(lines))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text("`python benchmarks/audit.py`\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
