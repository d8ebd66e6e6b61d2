"""What the log probes say of real runs, how often they alarm on healthy ones, and how often they find planted faults.

    python benchmarks/training_runs.py DATA_FOLDER --out benchmarks/results/training_runs.md

DATA_FOLDER holds `logs/`: a collapsed DPO run, a GRPO run that hacked its reward, a KTO run, and DPO and PPO runs of
Pythia models with 0, 20 and 50 % of the training labels flipped (released by others; not part of this project).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from sections import tell

import dehusk.workflow  # noqa: F401 - fills the table of probes
from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Finding
from dehusk.core.kinds import probes
from dehusk.core.tables import TrainLog
from dehusk.io import read_log
from dehusk.probes.training_run.curves import Run
from dehusk.stats.effects import wilson
from dehusk.stats.trends import mean_level, trend

# Synthetic runs are the tests' own.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "probes" / "training_run"))
from faults import EPOCHS, faults
from healthy import TASKS, healthy, make_log

SIZES = ("31m", "70m", "160m")
NOISES = {"100_0": "0 %", "80_20": "20 %", "50_50": "50 %"}
SERIOUS = ("warn", "fail")


def findings(log: TrainLog, seed: int = 0) -> list[Finding]:
    """Everything that the probes on a log alone say."""
    found: list[Finding] = []
    for probe in probes:
        if probe.name.startswith("training_run.") and probe.name != "training_run.separable":
            try:
                found += list(probe.thing(log, np.random.default_rng(seed)))
            except NotEnoughData:
                continue
    return found


def named(found: list[Finding], *verdicts: str) -> str:
    """Names of the findings with one of these verdicts."""
    return ", ".join(one.sentence.key.rpartition(".")[2] for one in found if one.verdict in verdicts) or "—"


def real(data: Path, _: int) -> Iterator[str]:
    """1. Real logs: what each of them raises."""
    yield "| log | read as | fail | warn | inform |"
    yield "|---|---|---|---|---|"
    for path in sorted((data / "logs").rglob("*.*")):
        log, _record = read_log(str(path))
        found = findings(log)
        cells = " | ".join(named(found, verdict) for verdict in ("fail", "warn", "inform"))
        yield f"| {path.stem} | {log.framework}, {log.task} | {cells} |"


def noise(data: Path, _: int) -> Iterator[str]:
    """2. Flipped labels: held-out accuracy, held-out margin and gap at the end of the DPO runs (last tenth of the log).

    The statistic that orders the runs is held-out accuracy, and held-out margin with it. The gap (training − held-out
    accuracy) rises at 50 % only. The PPO logs have no held-out number; their gain in the (trained) reward, in standard
    deviations of its last tenth, is shown for completeness and orders nothing.
    """
    yield "| model | labels flipped | held-out accuracy | held-out margin | gap | PPO: gain of the reward |"
    yield "|---|---|---:|---:|---:|---:|"
    for size in SIZES:
        for name, share in NOISES.items():
            folder = data / "logs" / "dpo_ppo_label_noise"
            run = Run(read_log(str(folder / f"dpo_{size}_training_logs_{name}.csv"))[0])
            ends = {metric: run.closing(run.of(metric)) for metric in ("accuracy", "eval/accuracy", "eval/margin")}
            held = mean_level(ends["eval/accuracy"].value)
            gap = ends["accuracy"].mean - ends["eval/accuracy"].mean
            ppo = Run(read_log(str(folder / f"ppo_{size}_training_logs_{name}.csv"))[0])
            reward = ppo.of("reward")
            gain = (ppo.closing(reward).mean - ppo.opening(reward).mean) / ppo.closing(reward).value.std(ddof=1)
            cells = f"{held.value:.3f} [{held.low:.3f}, {held.high:.3f}] | {ends['eval/margin'].mean:.2f} | {gap:+.3f}"
            yield f"| {size} | {share} | {cells} | {gain:+.1f} |"


def null(data: Path, runs: int) -> Iterator[str]:
    """3. Alarms (a warning or a failure, from any probe) on healthy runs: synthetic ones, and Pythia without noise.

    The entropy of all three PPO runs falls to an eighth of its start or less: they did collapse, whatever their labels.
    """
    yield "| runs | alarms | of | rate | 95 % interval | which |"
    yield "|---|---:|---:|---:|---|---|"
    for task in TASKS:
        logs = (healthy(task, np.random.default_rng([seed, len(task), 11])) for seed in range(runs))
        yield _alarms(f"synthetic {task}", logs)
    for kind in ("dpo", "ppo"):
        folder = data / "logs" / "dpo_ppo_label_noise"
        paths = (folder / f"{kind}_{size}_training_logs_100_0.csv" for size in SIZES)
        yield _alarms(f"Pythia {kind}, no label flipped", (read_log(str(path))[0] for path in paths))


def _alarms(name: str, logs: Iterator[TrainLog]) -> str:
    which: Counter[str] = Counter()
    alarmed = count = 0
    for count, log in enumerate(logs, 1):
        keys = {one.sentence.key.rpartition(".")[2] for one in findings(log, count) if one.verdict in SERIOUS}
        which.update(keys)
        alarmed += bool(keys)
    share, low, high = wilson(alarmed, count)
    told = ", ".join(f"{key} {times}" for key, times in which.most_common()) or "—"
    return f"| {name} | {alarmed} | {count} | {share:.1%} | [{low:.1%}, {high:.1%}] | {told} |"


def planted(_: Path, runs: int) -> Iterator[str]:
    """4. Planted faults, one a run of 100 logs: found, and other alarms that came with it."""
    seeds = max(10, runs // 10)
    found: Counter[str] = Counter()
    others: dict[str, Counter[str]] = {}
    total: Counter[str] = Counter()
    for seed in range(seeds):
        for name, columns, task, _verdict in faults(seed):
            log = make_log(columns, task=task, epochs=EPOCHS.get(name, 1.0) / 1000)
            keys = {one.sentence.key.rpartition(".")[2] for one in findings(log, seed) if one.verdict in SERIOUS}
            total[name] += 1
            found[name] += name in keys
            others.setdefault(name, Counter()).update(keys - {name})
    yield "| fault | found | of | beside it |"
    yield "|---|---:|---:|---|"
    for name in total:
        beside = ", ".join(f"{key} {times}" for key, times in others[name].most_common(4)) or "—"
        yield f"| {name} | {found[name]} | {total[name]} | {beside} |"


def coverage(_: Path, runs: int) -> Iterator[str]:
    """5. Coverage of the 95 % intervals of a slope and of a level under AR(1) noise of coefficient φ."""
    yield "| φ | points | slope | level |"
    yield "|---:|---:|---:|---:|"
    for phi in (0.0, 0.5, 0.8):
        for points in (10, 20, 60, 200):
            rng = np.random.default_rng([points, int(10 * phi)])
            slopes = levels = 0
            for _run in range(runs):
                y = _autoregressive(rng, points, phi)
                slope, level = trend(np.arange(float(points)), y, rng), mean_level(y)
                slopes += slope.low <= 0 <= slope.high
                levels += level.low <= 0 <= level.high
            yield f"| {phi} | {points} | {slopes / runs:.1%} | {levels / runs:.1%} |"


def _autoregressive(rng: np.random.Generator, points: int, phi: float) -> np.ndarray:
    out, last = np.empty(points), rng.normal()
    for place in range(points):
        last = phi * last + rng.normal() * np.sqrt(1 - phi**2)
        out[place] = last
    return out


def main() -> None:
    """Run the parts asked for and print or write their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--runs", type=int, default=300, help="synthetic runs a task")
    parser.add_argument("--only", default="1,2,3,4,5")
    options = parser.parse_args()
    parts: list[Callable[[Path, int], Iterator[str]]] = [real, noise, null, planted, coverage]
    wanted = (parts[int(part) - 1] for part in options.only.split(","))
    sections = ((part.__doc__, part(options.data, options.runs)) for part in wanted)
    tell(f"training_runs.py DATA_FOLDER --runs {options.runs}", sections, options.out)


if __name__ == "__main__":
    main()
