"""Forecasts against what came true: best-of-n and tilts of real samples, and reward gains of published PPO runs.

    python benchmarks/forecast.py DATA_FOLDER [--out benchmarks/results/forecast.md] [--seeds 40] [--only 1,2,3,4]
                                  [--scores FILE]

The folder holds `outputs/tulu13b_bon16.parquet` (16 samples a prompt; their index goes with their length, so that it is
never used as an order) and `outputs/length_ppo_*.parquet`. The score is made up, anew for every seed: noise of one
standard deviation, 1.5 for a feature (`PAID`) and 0.5 a standard deviation of log length; or, with --scores, that of a
reward model: a table with the columns prompt, response and score.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from sections import tell

from dehusk.core.options import AuditConfig
from dehusk.core.run import stream
from dehusk.core.tables import Measures, Responses, Scores
from dehusk.features.measuring import declared, measure
from dehusk.inputs import Inputs
from dehusk.probes.forecast.amplification import amplification
from dehusk.probes.forecast.tilts import Course, Tilts
from dehusk.probes.policy.gain import gain
from dehusk.probes.selection.best_of_n import best_of_n
from dehusk.probes.selection.pools import Block, Pool
from dehusk.stats.selection import best_of_nats, best_of_weights, pooled, resampled
from dehusk.stats.stratified import bootstrap_weights
from dehusk.workflow import audit_tables

PAID = "worth_noting"
FOLLOWED = (PAID, "list", "conclusion", "three_parts", "hedges", "second_person", "stock_words", "exclamations")
SIZES = (2, 4, 8, 16)
NORMAL = 1.96


class Samples:
    """The sixteen samples a prompt with their features, and a score."""

    def __init__(self, data: Path, scores: Path | None) -> None:
        frame = pl.read_parquet(data / "outputs" / "tulu13b_bon16.parquet").with_row_index("row", offset=1)
        self.responses = _responses(frame, group="prompt")
        self.measures = measure(declared(), responses=self.responses)
        self.rows = pooled(self.responses.groups, stream(0, "order"))
        self.values = np.stack([self._present(name) for name in FOLLOWED], axis=2)
        logs = np.log1p(self.responses.frame["response"].str.len_chars().to_numpy())
        self.length = ((logs - logs.mean()) / logs.std())[self.rows]
        self.given = None
        if scores is not None:
            table = pl.read_parquet(scores).unique(["prompt", "response"])
            joined = frame.join(table, on=["prompt", "response"], how="left", maintain_order="left")
            self.given = joined["score"].cast(pl.Float64).to_numpy()[self.rows]

    def _present(self, name: str) -> np.ndarray:
        return (self.measures.all_values("response", name) > 0).astype(float)[self.rows]

    def score(self, rng: np.random.Generator) -> np.ndarray:
        """Score of every sample, shape (P, 16)."""
        if self.given is not None:
            return self.given
        return rng.normal(size=self.rows.shape) + 1.5 * self.values[..., FOLLOWED.index(PAID)] + 0.5 * self.length


def _responses(frame: pl.DataFrame, *, group: str, score: str | None = None, stages: tuple[str, ...] = ()) -> Responses:
    columns = {
        "response_id": pl.col("row").cast(pl.String),
        "row": pl.col("row").cast(pl.Int64),
        "prompt": pl.col("prompt"),
        "response": pl.col("response"),
        "stage": pl.col("model"),
        "group": pl.col(group),
    }
    return Responses(frame.select(**columns, **({} if score is None else {"score": pl.col(score)})), stages)


def realised(score: np.ndarray, values: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rate in the best of n samples drawn once for each prompt, and its standard error, each (k,)."""
    drawn = rng.permuted(np.broadcast_to(np.arange(score.shape[1]), score.shape), axis=1)[:, :n]
    best = np.take_along_axis(drawn, np.take_along_axis(score, drawn, axis=1).argmax(axis=1)[:, None], axis=1)
    picked = np.take_along_axis(values, best[..., None], axis=1)[:, 0]
    return picked.mean(axis=0), picked.std(axis=0) / np.sqrt(len(score))


def tilted_course(score: np.ndarray, values: np.ndarray, nats: float, rng: np.random.Generator) -> tuple[Tilts, Course]:
    """The tilt of a pool, read at `nats` or where the pool ends."""
    rows = np.arange(score.size).reshape(score.shape)
    tilts = Tilts.of(Pool(None, "", "", rows, score, score.shape[1], 0), nats)  # type: ignore[arg-type]
    block = Block(list(range(values.shape[2])), np.arange(len(score)), values)
    draws = bootstrap_weights(len(score), rng, most=500)
    return tilts, tilts.course(block, np.ones(values.shape[2], dtype=bool), draws)


def halves(samples: Samples, seeds: int) -> Iterator[str]:
    """1. Best-of-n forecast from half of the prompts against best-of-n drawn once on the other half."""
    yield "| n | KL bound | predictions | covered at 95 % | mean abs. difference | paid: n = 1 | forecast | realised |"
    yield "|---:|---:|---:|---:|---:|---:|---:|---:|"
    held: dict[int, list[np.ndarray]] = {n: [] for n in SIZES}
    off: dict[int, list[np.ndarray]] = {n: [] for n in SIZES}
    told: dict[int, list[list[float]]] = {n: [] for n in SIZES}
    for seed in range(seeds):
        rng = stream(seed, "halves")
        score, prompts = samples.score(rng), rng.permutation(len(samples.rows))
        first, second = np.array_split(prompts, 2)
        draws = bootstrap_weights(first.size, rng)
        bands = resampled(best_of_weights(score[first], SIZES) @ samples.values[first], draws)
        for at, n in enumerate(SIZES):
            rate, error = realised(score[second], samples.values[second], n, rng)
            difference = rate - bands.value[at]
            own = np.where(difference < 0, bands.value[at] - bands.low[at], bands.high[at] - bands.value[at])
            held[n].append(np.abs(difference) <= np.hypot(own, NORMAL * error))
            off[n].append(np.abs(difference))
            told[n].append([samples.values[first][..., 0].mean(), bands.value[at][0], rate[0]])
    for n in SIZES:
        base, forecast, came = (f"{x:.1%}" for x in np.mean(told[n], axis=0))
        covered = f"{np.size(held[n])} | {np.mean(held[n]):.3f} | {np.mean(off[n]):.4f}"
        yield f"| {n} | {best_of_nats(n):.2f} | {covered} | {base} | {forecast} | {came} |"


def more_samples(samples: Samples, seeds: int) -> Iterator[str]:
    """2. Tilts from 8 samples a prompt against the same tilts from 16, on other prompts and on the same ones."""
    yield "| nats | predictions | covered, other prompts | covered, same prompts | paid: now | from 8 | from 16 |"
    yield "|---:|---:|---:|---:|---:|---:|---:|"
    asked = (0.1, 0.2, 9.0)  # the last is the reach of eight samples
    kept: dict[float, list[tuple[float, np.ndarray, np.ndarray, list[float]]]] = {nats: [] for nats in asked}
    for seed in range(seeds):
        rng = stream(seed, "more")
        score, prompts = samples.score(rng), rng.permutation(len(samples.rows))
        first, second = np.array_split(prompts, 2)
        few = rng.permutation(16)[:8]
        for nats in asked:
            small, course = tilted_course(score[first][:, few], samples.values[first][:, few], nats, rng)
            level = course.level
            _, other = tilted_course(score[second], samples.values[second], small.nats, rng)
            _, same = tilted_course(score[first], samples.values[first], small.nats, rng)
            difference = other.level.value - level.value
            own = np.where(difference < 0, level.value - level.low, level.high - level.value)
            theirs = np.where(difference < 0, other.level.high - other.level.value, other.level.value - other.level.low)
            within = (level.low <= same.level.value) & (same.level.value <= level.high)
            now = float(samples.values[first][..., 0].mean())
            told = [now, float(level.value[0]), float(same.level.value[0])]
            kept[nats].append((small.nats, np.abs(difference) <= np.hypot(own, theirs), within, told))
    for found in kept.values():
        nats, other, same, told = zip(*found, strict=True)
        now, from_few, from_all = (f"{x:.1%}" for x in np.mean(told, axis=0))
        rates = f"{np.mean(other):.3f} | {np.mean(same):.3f}"
        yield f"| {np.mean(nats):.2f} | {np.size(other)} | {rates} | {now} | {from_few} | {from_all} |"


def two_readings(samples: Samples, seeds: int) -> Iterator[str]:
    """3. What the audit says of one made-up score, and how long it takes."""
    rng = stream(0, "score")
    flat = np.empty(samples.rows.size)
    flat[samples.rows.ravel()] = samples.score(rng).ravel()
    scores = Scores(("made up",), {"response": pl.DataFrame({"made up": flat})})
    tables: tuple[Responses, Measures, Scores] = (samples.responses, samples.measures, scores)
    for name, probe in (("selection.best_of_n", best_of_n), ("forecast.amplification", amplification)):
        start = time.perf_counter()
        found = list(probe(*tables, stream(0, name)))
        took = time.perf_counter() - start
        yield f"- {name}: {len(found)} findings in {took:.1f} s"
        yield from (f"  - {one.verdict}: {one.sentence.render()}" for one in found if one.feature in (None, PAID))
        warned = sorted(one.feature or "" for one in found if one.verdict == "warn")
        yield f"  - warned of: {', '.join(warned)}"


def published_runs(data: Path) -> Iterator[str]:
    """4. Length-PPO runs (arXiv 2310.03716): the reward gain left at equal length (NRG/ΔR), and lengths by run."""
    yield "| runs | prompts | ΔR (paper) | NRG | NRG/ΔR (paper) | share with length [95 %] | coverage |"
    yield "|---|---:|---:|---:|---:|---|---:|"
    for file, first, later in (
        ("length_ppo_webgpt", "wgptsft", {"wgptppoorig": (0.82, 0.020), "wgpthkllate": (0.20, 0.151)}),
        ("length_ppo_rlcd", "rlcdsftv3", {"rlcdorigv3": (0.94, 0.272), "rlcdhkl": (0.61, 0.191)}),
    ):
        frame = pl.read_parquet(data / "outputs" / f"{file}.parquet").with_row_index("row", offset=1)
        for last, (gained, ratio) in later.items():
            both = frame.filter(pl.col("model").is_in([first, last]))
            table = _responses(both, group="prompt", score="reward", stages=(first, last))
            head = next(gain(table, measure((), responses=table), stream(0, "gain")))
            total, within, share = head.details["total"], head.details["within"], head.estimate
            assert share is not None
            cells = f"{total.n} | {total.value:+.2f} ({gained:+.2f}) | {within.value:+.2f}"
            cells += f" | {head.details['ratio']:.0%} ({ratio:.0%})"
            interval = f"{share.value:.0%} [{share.low:.0%}, {share.high:.0%}]"
            yield f"| {first} → {last} | {cells} | {interval} | {head.details['coverage']:.0%} |"
    yield ""
    yield "| set | words at the start | words an answer by run, and the change on the same prompts [95 %] |"
    yield "|---|---:|---|"
    for file, first in (("length_ppo_webgpt", "wgptsft"), ("length_ppo_rlcd", "rlcdsftv3")):
        frame = pl.read_parquet(data / "outputs" / f"{file}.parquet").with_row_index("row", offset=1)
        changes = []
        for last in frame.filter(pl.col("stage") == "ppo")["model"].unique().sort():
            both = frame.filter(pl.col("model").is_in([first, last]))
            audit = audit_tables(
                Inputs(responses=_responses(both, group="prompt", stages=(first, last))), AuditConfig()
            ).audit
            one = next(f for f in audit.findings if f.probe == "policy.amplification" and f.feature == "words")
            assert one.estimate is not None
            changes.append((one.estimate.value, one.details["stages"], last, one.estimate))
        told = [
            f"{last} {stages[-1]['mean']:.0f} ({value:+.0f} [{e.low:+.0f}, {e.high:+.0f}])"
            for value, stages, last, e in sorted(changes, key=lambda row: row[0])
        ]
        yield f"| {file} | {changes[0][1][0]['mean']:.0f} | {'; '.join(told)} |"


def main() -> None:
    """Run the checks asked for and print or write their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--only", default="1,2,3,4")
    parser.add_argument("--scores", type=Path)
    options = parser.parse_args()
    wanted = [int(part) for part in options.only.split(",")]
    samples = Samples(options.data, options.scores) if set(wanted) & {1, 2, 3} else None
    checks: list[tuple[Callable[..., Iterator[str]], tuple[object, ...]]] = [
        (halves, (samples, options.seeds)),
        (more_samples, (samples, options.seeds)),
        (two_readings, (samples, options.seeds)),
        (published_runs, (options.data,)),
    ]
    sections = ((check.__doc__, check(*given)) for check, given in (checks[number - 1] for number in wanted))
    tell(f"forecast.py DATA_FOLDER --seeds {options.seeds}", sections, options.out)


if __name__ == "__main__":
    main()
