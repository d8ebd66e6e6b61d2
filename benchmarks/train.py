"""A whole model trained with an objective against length: does plain transformers read the same numbers off its folder?

    python benchmarks/train.py DATA_FOLDER [--out benchmarks/results/train.md] [--pairs 500] [--held-out 100]
                               [--model smollm2] [--folder FOLDER]

First a head alone on the last token's states of the frozen model, then LoRA on every linear layer from there (the
order of arXiv 2202.10054): SmolLM2-135M-Instruct, one pass over real pairs whose prompts are held out whole, cut to
256 tokens. The objective is `correlation` on the number of characters with its defaults. Seconds are of the wall clock,
whatever else the machine does.

The folder holds `preference/arena_bench_v1_scored.parquet`; it is not part of the project.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from sections import tell
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import dehusk
from dehusk.core.kinds import objectives
from dehusk.core.options import Scoring
from dehusk.core.options.training import Training
from dehusk.core.run import stream
from dehusk.core.tables import Pairs
from dehusk.features.measuring import declared, measure
from dehusk.fitting.exporting import CLASSIFIER
from dehusk.fitting.trainer import Trained, train_model
from dehusk.io.pairs import read_pairs
from dehusk.rewards.transformer import open_transformer
from dehusk.stats.effects import wilson

TOKENS = 256


@dataclass(frozen=True)
class Side:
    """Scores of the held-out pairs, shape (m,) each, and the seconds they took."""

    chosen: np.ndarray
    rejected: np.ndarray
    seconds: float = 0.0

    @property
    def both(self) -> np.ndarray:
        """Scores of all texts, shape (2m,)."""
        return np.concatenate([self.chosen, self.rejected])

    @property
    def accuracy(self) -> str:
        """Share of pairs whose chosen answer scores higher, with its interval."""
        right = (self.chosen > self.rejected).sum()
        return "{:.3f} [{:.3f}, {:.3f}]".format(*wilson(int(right), len(self.chosen)))


def train(pairs: Pairs, held_out: np.ndarray, model: str, folder: Path) -> Trained:
    """Train on the pairs that are not held out; eight pairs between changes of the weights."""
    how = Training(
        embedder=str(head_first(pairs, held_out, model, folder)),
        train="lora",
        target=("characters",),
        learning_rate=1e-4,
        batch=2,
        accumulate=4,
        looks=1,
        max_length=TOKENS,
    )
    measures = measure([feature for feature in declared() if feature.name == "characters"], pairs=pairs)

    def watch(_: str, done: int, steps: int) -> None:
        print(f"step {done} of {steps}", flush=True)

    objective = objectives["correlation"].thing()
    return train_model(pairs, measures, how, objective, held_out=held_out, folder=folder, watch=watch)


def head_first(pairs: Pairs, held_out: np.ndarray, model: str, folder: Path) -> Path:
    """A classifier whose head is plain Bradley and Terry's on the frozen states of the last token."""
    fitted = pairs.frame.filter(~held_out)
    file = folder.with_name("pairs.parquet")
    fitted.select("prompt", "chosen", "rejected").write_parquet(file)
    found = dehusk.fit(file, folder.with_name("head"), embedder=model, pooling="last", max_length=TOKENS)
    return Path(next(name for name in found.models if name.startswith("hf:")).removeprefix("hf:"))


def plain(folder: Path, pairs: Pairs) -> tuple[Side, Side]:
    """Scores by transformers alone; the second as OpenRLHF reads them, at the last end-of-text token."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()

    def score(prompt: str, answer: str) -> tuple[float, float]:
        talk = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
        ids = tokenizer(tokenizer.apply_chat_template(talk, tokenize=False), add_special_tokens=False)["input_ids"]
        ids = ids if len(ids) <= TOKENS else ids[:1] + ids[1 - TOKENS :]  # the end is kept, as in training
        with torch.inference_mode():
            found = model(torch.tensor([ids]), output_hidden_states=True)
            earlier = len(ids) - 1 - ids[::-1].index(tokenizer.eos_token_id)
            return found.logits.item(), model.score(found.hidden_states[-1][0, earlier]).item()

    start = time.perf_counter()
    columns = (pairs.frame[name] for name in ("prompt", "chosen", "rejected"))
    scores = np.array([[score(asked, good), score(asked, bad)] for asked, good, bad in zip(*columns, strict=True)])
    seconds = time.perf_counter() - start
    return Side(scores[:, 0, 0], scores[:, 1, 0], seconds), Side(scores[:, 0, 1], scores[:, 1, 1])


def by_dehusk(folder: Path, pairs: Pairs, dtype: str) -> tuple[Side, str]:
    """Scores by `hf:`, and what it says of its number format."""
    model = open_transformer(None, str(folder), replace(Scoring(), device="cpu", dtype=dtype, max_length=TOKENS))
    start = time.perf_counter()
    prompts, *sides = (pairs.frame[name].to_list() for name in ("prompt", "chosen", "rejected"))
    chosen, rejected = np.split(model.score(prompts * 2, [*sides[0], *sides[1]]), 2)
    return Side(chosen, rejected, time.perf_counter() - start), next(note for note in model.notes if "runs in" in note)


def report(pairs: Pairs, held_out: np.ndarray, model: str, folder: Path) -> Iterator[str]:
    """Train, score in four ways, compare."""
    trained = train(pairs, held_out, model, folder)
    before = plain(folder.with_name("head") / CLASSIFIER, Pairs(pairs.frame[trained.rows]))[0]
    apart = Pairs(pairs.frame[trained.rows])
    pace = f"{trained.steps} steps of 8 pairs in {trained.seconds:,.0f} s"
    yield f"{trained.pairs} pairs trained on, {len(trained.rows)} held out; {pace}."
    yield from (f"- {note.render()}" for note in trained.notes)
    yield from ("", "| scored by | accuracy, held out | largest difference | largest, in SD | seconds |")
    yield "|---|---:|---:|---:|---:|"
    alone, openrlhf = plain(folder, apart)

    def row(name: str, side: Side) -> str:
        gap = np.abs(side.both - alone.both).max()
        seconds = f"{side.seconds:,.0f}" if side.seconds else ""
        return f"| {name} | {side.accuracy} | {gap:.2g} | {gap / alone.both.std():.2g} | {seconds} |"

    yield f"| the head alone, by transformers | {before.accuracy} | | | {before.seconds:,.0f} |"
    yield row("transformers alone", alone)
    yield row("the trainer, before it was saved", Side(trained.chosen, trained.rejected))
    yield row("`hf:`, float32", by_dehusk(folder, apart, "float32")[0])
    yield row("`hf:`, bfloat16", by_dehusk(folder, apart, "bfloat16")[0])
    faster, note = by_dehusk(folder, apart, "auto")
    yield row("`hf:`, auto", faster)
    yield row("as OpenRLHF reads it", openrlhf)
    logs = [np.log(apart.frame[name].str.len_chars().to_numpy()) for name in ("chosen", "rejected")]
    lengths = logs[0] - logs[1]
    within, earlier = (np.corrcoef(one.chosen - one.rejected, lengths)[0, 1] for one in (alone, before))
    yield ""
    yield f"`hf:`, auto {note}. Ranks agree on {np.mean(_order(faster) == _order(alone)):.1%} of the pairs."
    yield f"Correlation of margins with log length, held out: {within:+.2f}; of the head alone: {earlier:+.2f}."


def _order(side: Side) -> np.ndarray:
    return side.chosen > side.rejected


def some(read: Pairs, fitted: int, held_out: int) -> tuple[Pairs, np.ndarray]:
    """Random pairs of random prompts, and which of them are held out: no prompt is on both sides."""
    order = stream(0, "benchmark").permutation(int(read.groups.max()) + 1)
    place = np.argsort(order)[read.groups]
    apart = place < np.quantile(place, held_out / (fitted + held_out))
    drawn = stream(0, "pairs").permutation(len(read))
    rows = np.concatenate([drawn[apart[drawn]][:held_out], drawn[~apart[drawn]][:fitted]])
    return Pairs(read.frame[rows].drop("margin", strict=False)), np.arange(len(rows)) < held_out


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--held-out", type=int, default=100)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--folder", type=Path, help="where the model goes; it is thrown away when absent")
    given = parser.parse_args()
    read = read_pairs(str(given.data / "preference" / "arena_bench_v1_scored.parquet")).pairs
    pairs, held_out = some(read, given.pairs, given.held_out)
    with tempfile.TemporaryDirectory() as scratch:
        lines = report(pairs, held_out, given.model, given.folder or Path(scratch, "model"))
        tell("train.py DATA", [("LoRA on SmolLM2, 500 real pairs, correlation with length punished", lines)], given.out)


if __name__ == "__main__":
    main()
