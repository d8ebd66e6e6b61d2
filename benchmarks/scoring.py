"""Scoring with a 135M reward model: useful tokens a second on real texts, against what the same machine can do at most.

    python benchmarks/scoring.py [FILE] [--pairs 40] [--rounds 3] [--threads 0] [--out benchmarks/results/scoring.md]

FILE is a table with prompt, chosen and rejected; without it, texts of like lengths are made up. The model is SmolLM2
with a fixed `score` head. In every round each of these runs, in turn:

- dense: transformers itself on full batches of 8 × 256 tokens, no padding, in the number format that is faster here
- dehusk: rendering, tokens, batches, scores; and the same without computing shared beginnings once
- padded: `pipeline("text-classification", batch_size=8)` on the rendered texts in their order, first round only, as it
  comes (float32) and in the faster format
- the fastest matrix product of the machine

With --threads 1 seconds are processor time, which other processes disturb less. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline
from transformers.utils import logging

from dehusk.core.options import Scoring
from dehusk.rewards.batching import plan
from dehusk.rewards.packaged import fetch
from dehusk.rewards.precision import processor_prefers_bfloat16
from dehusk.rewards.transformer import Transformer, open_transformer

DENSE = (8, 256)


def texts(file: Path | None, pairs: int) -> tuple[list[str], list[str]]:
    """Prompts and answers, two answers a pair."""
    if file is not None:
        read = pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_ndjson(file)
        some = read.sample(min(pairs, read.height), seed=0)
        return some["prompt"].to_list() * 2, some["chosen"].to_list() + some["rejected"].to_list()
    rng = np.random.default_rng(0)
    words = ["the", "of", "water", "and", "light", "to", "a", "machine", "in", "garden", "is", "that", "slowly"]

    def text(mean: float) -> str:
        return " ".join(rng.choice(words, size=max(int(rng.lognormal(np.log(mean), 0.6)), 3)))

    prompts = [text(60) + "?" for _ in range(pairs)]
    return prompts * 2, [text(300) + "." for _ in range(2 * pairs)]


def save_classifier(base: Path, folder: Path) -> None:
    """SmolLM2 as a sequence classifier with a fixed head."""
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    with torch.no_grad():
        model.score.weight.copy_(torch.randn(1, model.config.hidden_size, generator=torch.Generator().manual_seed(0)))
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)


def gemm(clock: Callable[[], float]) -> float:
    """Fastest matrix product, in multiply-adds × 2 a second."""
    best = 0.0
    for dtype in (torch.float32, torch.bfloat16):
        for rows, size in ((512, 1536), (2048, 2048), (1024, 1024)):
            left, right = torch.randn(rows, size, dtype=dtype), torch.randn(size, size, dtype=dtype)
            for _ in range(4):
                start = clock()
                left @ right
                best = max(best, 2 * rows * size * size / (clock() - start))
    return best


def work(model: Any, lengths: list[int]) -> float:
    """Multiply-adds × 2 that texts of these lengths need: every weight once a token, and causal attention."""
    config = model.config
    weights = sum(p.numel() for name, p in model.named_parameters() if "embed" not in name and p.dim() > 1)
    attention = [2 * n * n * config.num_attention_heads * config.head_dim * config.num_hidden_layers for n in lengths]
    return 2.0 * weights * sum(lengths) + sum(attention)


def measured(model: Transformer, folder: Path, prompts: list[str], answers: list[str], rounds: int, clock: Any) -> Any:
    """Tokens a second of each contestant in each round, and the machine's fastest product."""
    rendered = model.render(prompts, answers)
    count = sum(map(len, model.rendering.ids(rendered)))
    dtype = torch.bfloat16 if processor_prefers_bfloat16() else torch.float32
    plain = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1, dtype=dtype).eval().model
    full = torch.randint(5, plain.config.vocab_size, DENSE, generator=torch.Generator().manual_seed(0))
    settings: dict[str, Any] = {"model": str(folder), "device": "cpu", "batch_size": 8, "function_to_apply": "none"}
    loops = [pipeline("text-classification", dtype=kind, **settings) for kind in (torch.float32, dtype)]

    def seconds(run: Callable[[], Any]) -> float:
        start = clock()
        run()
        return float(clock() - start)

    def alone() -> Any:
        shared, model.network = model.network, replace(model.network, share=False)
        scores = model.score(prompts, answers)
        model.network = shared
        return scores

    contestants: dict[str, tuple[int, Callable[[], Any]]] = {
        "dense": (full.numel(), lambda: plain(full, use_cache=False)),
        "dehusk": (count, lambda: model.score(prompts, answers)),
        "dehusk, nothing shared": (count, alone),
        "padded": (count, lambda: loops[0](rendered)),
        "padded, faster format": (count, lambda: loops[1](rendered)),
    }
    speeds: dict[str, list[float]] = {name: [] for name in contestants}
    with torch.inference_mode():
        plain(full, use_cache=False)
        for number in range(rounds):
            for name, (tokens, run) in contestants.items():
                if name.startswith("padded") and number:
                    continue  # it takes longer than all others together
                taken = [seconds(run) for _ in range(3 if name == "dense" else 1)]
                speeds[name].append(tokens / float(np.median(taken)))
                print(f"  {name}: {speeds[name][-1]:,.0f} tokens/s", flush=True)
    return speeds, gemm(clock)


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    prompts, answers = texts(options.file, options.pairs)
    with tempfile.TemporaryDirectory() as folder:
        save_classifier(fetch("smollm2"), Path(folder))
        model = open_transformer("smollm2", folder, Scoring())
        speeds, peak = measured(model, Path(folder), prompts, answers, options.rounds, clock)
        report = table(model, prompts, answers, speeds, peak, options)
    print(report)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(report)


def table(model: Transformer, prompts: list[str], answers: list[str], speeds: Any, peak: float, options: Any) -> str:
    """Medians and ratios, each ratio taken within its round."""
    ids = model.rendering.ids(model.render(prompts, answers))
    lengths = [len(row) for row in ids]
    groups = plan(ids, [length - 1 for length in lengths], model.network.budget, share=True)
    passed = sum(
        group.shared + sum(len(rows) * (len(ids[rows[0]]) - group.shared) for rows in group.batches) for group in groups
    )
    dense = work(model.network.model, [DENSE[1]] * DENSE[0]) / (DENSE[0] * DENSE[1])
    ours = work(model.network.model, lengths) / sum(lengths)
    rows = ["| | tokens/s | of dense | of padded | of the fastest product |", "|---|---:|---:|---:|---:|"]
    for name, found in speeds.items():
        of = [np.median([a / b for a, b in zip(found, speeds[other], strict=False)]) for other in ("dense", "padded")]
        share = np.median(found) * (dense if name == "dense" else ours) / peak
        rows.append(f"| {name} | {np.median(found):,.0f} | {of[0]:.2f} | {of[1]:.2f} | {share:.0%} |")
    how = f"{len(ids)} texts, {sum(lengths):,} tokens, {min(lengths)} to {max(lengths):,} a text, median of "
    seconds = "processor time of one thread" if options.threads == 1 else f"{torch.get_num_threads()} threads"
    name = f" {options.file.name}" if options.file else ""
    return "\n".join(
        [
            f"`python benchmarks/scoring.py{name} --pairs {options.pairs}`: {how}{options.rounds} rounds, {seconds}",
            "",
            *rows,
            "",
            f"Fastest product: {peak / 1e9:,.0f} GFLOP/s. Tokens through the network, of those in the texts: "
            f"{passed / sum(lengths):.2f} (padding adds, shared beginnings take away).",
            *[f"- {remark.render()}" for remark in model.remarks],
            "",
        ]
    )


if __name__ == "__main__":
    main()
