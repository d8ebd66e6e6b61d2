"""`training_run.held_out`: training numbers against held-out ones, and the reward against a gold metric."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Estimate, Finding
from dehusk.core.kinds import probes
from dehusk.core.tables import TrainLog
from dehusk.probes.training_run.checking import look, told
from dehusk.probes.training_run.curves import EVAL, Run, Series, apart, curve, estimate
from dehusk.probes.training_run.saturation import place
from dehusk.stats.trends import mean_level, running_median, trend

PROBE = "training_run.held_out"
GAP = 0.10  # accuracy (RM-GAP)
FELL, LOGS = 0.02, 3  # accuracy that is lost before it is worth a word; evaluations


@probes.add(PROBE)
def held_out(log: TrainLog, rng: np.random.Generator) -> Iterator[Finding]:
    """Whether what rose in training also rose on held-out data, and the gold metric with the reward.

    Args:
        log: The training log.
        rng: For intervals.

    Raises:
        NotEnoughData: the log has no held-out accuracy or reward and no gold metric.
    """
    checks = {"gap": _gap, "peak": _past_its_best, "apart": _apart}
    yield from look(PROBE, Run(log), rng, checks, "a log with held-out numbers or a gold metric")


def _gap(run: Run, _: np.random.Generator) -> Finding | None:
    """Training accuracy above held-out accuracy at the end of the run."""
    if not run.preferring:
        raise NotEnoughData("accuracy on pairs")
    train, other = run.of("accuracy"), run.of(EVAL + "accuracy")
    ends = run.closing(train), run.closing(other)
    gap, number = ends[0].mean - ends[1].mean, _difference(*ends)
    if gap < GAP or (number is not None and number.low <= GAP / 2):
        return None
    values = {"gap": gap, "train": ends[0].mean, "held_out": ends[1].mean}
    shown = [curve(train, "accuracy"), curve(other, "accuracy")]
    name = "gap_guessing" if abs(ends[1].mean - 0.5) < GAP / 2 else "gap"
    return told(PROBE, name, "warn", run, confirm="pairs", estimate=number, curves=shown, values=values)


def _difference(train: Series, other: Series) -> Estimate | None:
    """Training minus held-out level; None with fewer than three evaluations in it."""
    if min(len(train), len(other)) < LOGS:
        return None
    left, right = mean_level(train.value), mean_level(other.value)
    error = math.hypot((left.high - left.low) / 2, (right.high - right.low) / 2)
    gap = left.value - right.value
    return Estimate(gap, gap - error, gap + error, min(left.n, right.n), "accuracy change", "training − held-out")


def _past_its_best(run: Run, rng: np.random.Generator) -> Finding | None:
    """Held-out accuracy falls over its last evaluations, to clearly less than its best (medians of three)."""
    if not run.preferring:
        raise NotEnoughData("accuracy on pairs")
    series = run.of(EVAL + "accuracy", least=2 * LOGS)
    smooth = running_median(series.value, LOGS)
    best = int(np.argmax(smooth))
    last = float(series.value[-LOGS:].mean())
    noise = float(np.median(np.abs(np.diff(series.value)))) / 0.954  # of normal points: 0.6745 · √2
    lost = float(smooth[best]) - last
    if best >= len(series) - LOGS or lost < max(FELL, 3 * noise / math.sqrt(LOGS)):
        return None
    after = series.where(np.arange(len(series)) >= best)
    if len(after) >= 8 and trend(after.step, after.value, rng).high >= 0:
        return None
    values = {"best": float(smooth[best]), "where": place(run, float(series.step[best])), "last": last}
    shown = [curve(one, "accuracy") for name in ("accuracy", EVAL + "accuracy") if (one := run.find(name)) is not None]
    return told(PROBE, "peak", "warn", run, confirm="reward_model", curves=shown, values=values)


def _apart(run: Run, rng: np.random.Generator) -> Finding | None:
    """The training reward rises while a held-out or gold number falls, over the run or its second half."""
    reward = run.of("reward", least=8)
    others = [series for name in _independent(run) if (series := run.find(name, least=5)) is not None]
    if not others:
        raise NotEnoughData("a held-out reward or gold metric")
    for other in others:
        for start in (run.first, run.first + run.span / 2):
            found = _parting(run, reward, other, start, rng)
            if found is not None:
                return found
    return None


def _independent(run: Run) -> list[str]:
    scores = sorted(name for name in run.metrics if name.startswith(EVAL + "score/"))
    return ["gold", EVAL + "gold", EVAL + "reward", EVAL + "accuracy", *scores]


def _parting(run: Run, reward: Series, other: Series, start: float, rng: np.random.Generator) -> Finding | None:
    rows, those = (series.where(series.step >= start) for series in (reward, other))
    if min(len(rows), len(those)) < 8:
        return None
    level = 0.975  # two stretches are looked at
    down = trend(those.step, those.value, rng, level=level)
    if down.high >= 0 or apart(run.opening(rows), run.closing(rows), level) <= 0:
        return None
    width = float(those.step[-1] - those.step[0])
    change = down._replace(value=down.value * width, low=down.low * width, high=down.high * width)
    edges = {"from_reward": run.opening(rows).mean, "to_reward": run.closing(rows).mean}
    values = {**edges, "start": run.opening(those).mean, "end": run.closing(those).mean, "where": place(run, start)}
    name = "gold" if "gold" in other.metric else "held_out_falls"
    number = estimate(change, "reward", "Theil–Sen slope over the stretch")
    shown = [curve(reward, "reward"), curve(other, "reward")]
    return told(PROBE, name, "warn", run, confirm="responses", estimate=number, curves=shown, values=values)
