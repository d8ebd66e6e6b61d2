"""`training_run.rollouts`: what an RL run's answers look like from its log: length, the cap, groups, reward parts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Finding
from dehusk.core.kinds import probes
from dehusk.core.tables import TrainLog
from dehusk.probes.training_run.checking import look, told
from dehusk.probes.training_run.curves import EVAL, Run, Series, apart, curve, estimate, level, ratio
from dehusk.probes.training_run.saturation import place
from dehusk.stats.trends import trend

PROBE = "training_run.rollouts"
LONGER, SHORTER = 1.5, 0.6  # times the length at the start (TRAIN-LEN)
CUT, CUT_FALLING, ALL_CUT, FIRST_LOGS = 0.3, 0.2, 0.9, 5  # shares of answers (TRAIN-CLIP)
NO_SIGNAL, SOME_STEPS = 0.5, 20  # share of groups, logs (TRAIN-GROUP)
FULL, NOTHING = 0.95, 0.05  # of a reward part (TRAIN-SPLIT)
PART = "reward/"
_TARGET = re.compile(r"acc|correct|answer|solv|math|verif|exact", re.IGNORECASE)


@probes.add(PROBE)
def rollouts(log: TrainLog, rng: np.random.Generator) -> Iterator[Finding]:
    """Whether answers grew, shrank or hit the cap, groups still differ, and which part of the reward was learnt.

    Args:
        log: The training log.
        rng: For intervals.

    Raises:
        NotEnoughData: the log has no lengths, groups or parts of a reward.
    """
    checks = {"length": _length, "truncation": _cut, "one_length": _one_length, "groups": _groups, "parts": _split}
    yield from look(PROBE, Run(log), rng, checks, "a log of an RL run with lengths or several rewards")


def _length(run: Run, _: np.random.Generator) -> Finding | None:
    series = run.of("length", least=6)
    start, end = run.opening(series), run.closing(series)
    times = end.mean / max(start.mean, 1e-9)
    if SHORTER <= times <= LONGER or apart(start, end) == 0:
        return None
    reward = run.find("reward", least=6)
    rose = reward is None or apart(run.opening(reward), run.closing(reward)) > 0
    if times < SHORTER and not rose:
        return None
    better = _held_out_rose(run)
    name = ("longer" if times > LONGER else "shorter") + ("_and_better" if better else "")
    values = {"start": start.mean, "end": end.mean, "times": times}
    shown = [curve(series, "tokens")] + ([] if reward is None else [curve(reward, "reward")])
    return told(
        PROBE,
        name,
        "inform" if better else "warn",
        run,
        confirm="responses",
        estimate=ratio(start, end),
        curves=shown,
        values=values,
    )


def _held_out_rose(run: Run) -> bool:
    """Whether a held-out number that does not come from the reward itself rose."""
    names = [name for name in sorted(run.metrics) if name.startswith(EVAL + "score/") or name == EVAL + "accuracy"]
    found = [run.find(name, least=4) for name in (*names, "gold", EVAL + "gold")]
    return any(apart(run.opening(one), run.closing(one)) > 0 for one in found if one is not None)


def _cut(run: Run, rng: np.random.Generator) -> Finding | None:
    """Answers that end at the length cap: nearly all from the start, many at the end, or some while length falls."""
    series = run.of("truncated")
    first, end = series.where(np.arange(len(series)) < FIRST_LOGS).mean, run.closing(series)
    number, shown = level(end, "share"), [curve(series, "share")]
    if first >= ALL_CUT:
        values = {"share": first, "points": min(FIRST_LOGS, len(series))}
        return told(PROBE, "all_cut", "warn", run, confirm="responses", estimate=number, curves=shown, values=values)
    falling = end.mean >= CUT_FALLING and _falls(run, "length", rng)
    if end.mean < CUT and not falling:
        return None
    name = "cut_and_falling" if falling else "cut"
    values = {"share": end.mean}
    return told(PROBE, name, "warn", run, confirm="responses", estimate=number, curves=shown, values=values)


def _one_length(run: Run, _: np.random.Generator) -> Finding | None:
    """The shortest and the longest answer of a batch are equally long, three logs in a row: all are at the cap."""
    least, most = run.of("length_min"), run.of("length_max")
    steps, left, right = np.intersect1d(least.step, most.step, return_indices=True)
    same = least.value[left] == most.value[right]
    rows = np.flatnonzero(np.convolve(same, np.ones(3), "valid") == 3)
    if not rows.size:
        return None
    values = {"length": float(most.value[right][rows[0]]), "where": place(run, float(steps[rows[0]]))}
    return told(PROBE, "one_length", "warn", run, confirm="responses", curves=[curve(most, "tokens")], values=values)


def _groups(run: Run, _: np.random.Generator) -> Finding | None:
    """Groups of answers that all got the same reward have no advantage: nothing is learnt from them."""
    series = run.find("same_group", least=5)
    if series is None:
        return _no_spread(run)
    if (series.value[:5] == 1).all():
        values = {"points": int(np.argmin(np.append(series.value == 1, False)))}
        return told(PROBE, "groups_all", "fail", run, curves=[curve(series, "share")], values=values)
    late = series.where(np.arange(len(series))[::-1] < SOME_STEPS)
    if len(late) < SOME_STEPS or late.mean <= NO_SIGNAL:
        return None
    number, shown = level(late, "share"), [curve(series, "share")]
    return told(PROBE, "groups", "warn", run, estimate=number, curves=shown, values={"share": late.mean})


def _no_spread(run: Run) -> Finding | None:
    series = run.of("reward_std", least=5)
    if not (series.value[:5] == 0).all():
        return None
    values = {"points": int(np.argmin(np.append(series.value == 0, False)))}
    return told(PROBE, "groups_all", "fail", run, curves=[curve(series, "reward")], values=values)


def _split(run: Run, rng: np.random.Generator) -> Finding | None:
    """One part of the reward is full while another, the one that counts, fell or stayed at nothing."""
    parts = [run.of(name, least=8) for name in sorted(run.metrics) if name.startswith(PART) and run.find(name, least=8)]
    if len(parts) < 2:
        raise NotEnoughData("at least 2 parts of a reward")
    full = [part for part in parts if run.closing(part).mean >= FULL and run.opening(part).mean < FULL]
    for part in parts:
        end = run.closing(part)
        if not full or end.mean >= FULL:
            continue
        nothing = end.mean <= NOTHING and (bool(_TARGET.search(part.metric)) or float(part.value.max()) > 2 * NOTHING)
        fell = apart(run.opening(part), end) < 0 and trend(part.step, part.value, rng).high < 0
        if fell or (nothing and _TARGET.search(part.metric)):
            return _split_finding(run, full[0], part, rng)
    return None


def _split_finding(run: Run, full: Series, part: Series, rng: np.random.Generator) -> Finding:
    slope = trend(part.step, part.value, rng)
    change = slope._replace(value=slope.value * run.span, low=slope.low * run.span, high=slope.high * run.span)
    values = {
        "full": full.metric.removeprefix(PART),
        "from_full": run.opening(full).mean,
        "to_full": run.closing(full).mean,
        "part": part.metric.removeprefix(PART),
        "start": run.opening(part).mean,
        "end": run.closing(part).mean,
    }
    number = estimate(change, "reward", "Theil–Sen slope over the run")
    shown = [curve(full, "reward"), curve(part, "reward")]
    return told(PROBE, "split", "warn", run, confirm="responses", estimate=number, curves=shown, values=values)


def _falls(run: Run, metric: str, rng: np.random.Generator) -> bool:
    series = run.find(metric, least=8)
    if series is None:
        return False
    late = run.window(series)
    return trend(late.step, late.value, rng).high < 0
