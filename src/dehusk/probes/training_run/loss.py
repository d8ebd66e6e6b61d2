"""`training_run.loss`: a loss that says nothing: zero, not a number, stuck at ln 2, from too few pairs, memorised."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Curve, Estimate, Finding
from dehusk.core.kinds import probes
from dehusk.core.tables import Floats, TrainLog
from dehusk.probes.training_run.checking import look, told
from dehusk.probes.training_run.curves import EVAL, Run, Series, curve, level
from dehusk.probes.training_run.saturation import place
from dehusk.stats.distributions import t_quantile
from dehusk.stats.saturation import FULL
from dehusk.stats.trends import mean_level

PROBE = "training_run.loss"
IN_A_ROW = 3  # logs (TRAIN-ZERO)
LN2, NEAR = math.log(2), 0.05  # TRAIN-LN2
EPOCH_SEEN, POINTS_SEEN = 0.1, 10
TIED = 0.05  # accuracy below which both sides get one score: ties count as errors
FEW_VALUES, MANY_POINTS = 5, 20  # TRAIN-NOISE
MANY_EPOCHS = 2.5  # "one epoch, two at most"
STEP_DOWN, AROUND, SURE = 0.10, 0.25, 3.0  # RM-EPOCH: share of the loss, epochs on either side, standard errors


@probes.add(PROBE)
def loss(log: TrainLog, rng: np.random.Generator) -> Iterator[Finding]:
    """Whether the loss says anything: zero or not a number, stuck at ln 2, too few pairs a point, falling by epochs.

    Args:
        log: The training log.
        rng: For intervals.

    Raises:
        NotEnoughData: the log has no loss.
    """
    checks = {
        "non_finite": _non_finite,
        "zero": _zero,
        "ln2": _at_ln2,
        "noise": _few_values,
        "epochs": _epoch_steps,
        "unwatched": _unwatched,
    }
    yield from look(PROBE, Run(log), rng, checks, "a log with a loss")


def _non_finite(run: Run, _: np.random.Generator) -> Finding | None:
    """Loss or gradient norm that is NaN or infinite in three logs, or a loss that ends so."""
    looked = [raw for metric in ("loss", "grad_norm") if len(raw := run.raw(metric))]
    if not looked:
        raise NotEnoughData("a log with a loss")
    for raw in looked:
        bad = ~np.isfinite(raw.value)
        if bad.sum() >= IN_A_ROW or (raw.metric == "loss" and bad[-1]):
            first = float(raw.step[bad.argmax()])
            values = {"series": raw.metric, "count": int(bad.sum()), "points": len(raw), "where": place(run, first)}
            shown = [curve(raw.where(~bad), raw.metric)] if not bad.all() else []
            return told(PROBE, "non_finite", "fail", run, curves=shown, values=values)
    return None


def _zero(run: Run, _: np.random.Generator) -> Finding | None:
    """A loss of exactly 0 in three logs in a row of a run that has not learnt its pairs."""
    if not (run.preferring or run.task == "sft"):
        raise NotEnoughData("a log of training on pairs")  # in GRPO a loss of 0 is normal
    series = run.of("loss")
    zero = series.value == 0
    ends = np.flatnonzero(np.convolve(zero, np.ones(IN_A_ROW), "valid") == IN_A_ROW)
    if not ends.size:
        return None
    start = float(series.step[ends[0]])
    accuracy = run.find("accuracy")
    rest = None if accuracy is None else accuracy.where(accuracy.step >= start)
    learnt = ends[0] > 0 if rest is None or not len(rest) else rest.mean >= FULL
    if learnt:
        return None  # that is saturation
    shown = [curve(series, "loss")]
    values = {"count": int(zero.sum()), "points": len(series), "where": place(run, start)}
    return told(PROBE, "zero", "fail", run, curves=shown, values=values)


def _at_ln2(run: Run, _: np.random.Generator) -> Finding | None:
    """The end of the log so far at ln 2, the loss of guessing, after a tenth of an epoch or ten logs."""
    if not run.preferring or run.task == "kto":  # KTO starts at 0.5
        raise NotEnoughData("a log of a reward model or DPO run")
    series = run.of("loss", EVAL + "loss")
    first, last = run.epoch(run.first), run.epoch(run.last)
    seen = len(series) >= POINTS_SEEN if first is None or last is None else last - min(first, 0.0) >= EPOCH_SEEN
    if not seen:
        raise NotEnoughData("a tenth of an epoch")
    end = run.closing(series)
    number = level(end, "loss")
    if number is None or abs(end.mean - LN2) >= NEAR:
        return None
    accuracy = run.find(EVAL * series.metric.startswith(EVAL) + "accuracy")
    name, share = "ln2", None
    if accuracy is not None:
        tail = run.closing(accuracy)
        share = tail.mean
        if share <= TIED:
            name = "ln2_ties"
        elif abs(share - 0.5) > _two_errors(tail):
            return None
    values = {"loss": end.mean, "where": place(run, run.last)} | ({"accuracy": share} if name == "ln2_ties" else {})
    shown = [curve(series, "loss")] + ([] if accuracy is None else [curve(accuracy, "accuracy")])
    return told(PROBE, name, "warn", run, confirm="pairs", estimate=number, curves=shown, values=values)


def _two_errors(part: Series) -> float:
    if len(part) < 3:
        return 0.0
    found = mean_level(part.value)
    return (found.high - found.low) / 2


def _few_values(run: Run, _: np.random.Generator) -> Finding | None:
    """An accuracy that takes five values or fewer over twenty logs: each point is a handful of pairs."""
    series = run.of("accuracy", least=MANY_POINTS)
    values = np.unique(np.round(series.value, 6))
    if not run.preferring or values.size > FEW_VALUES or values.size < 2 or series.mean >= FULL:
        return None
    said = {"count": int(values.size), "points": len(series), "least": float(values[0]), "most": float(values[-1])}
    return told(PROBE, "few_values", "warn", run, curves=[curve(series, "accuracy")], values=said)


def _epoch_steps(run: Run, _: np.random.Generator) -> Finding | None:
    """The training loss falls in steps when an epoch begins, more than within epochs, and held-out numbers do not gain.

    Each step is compared with the same difference at the middle of the epoch before it.
    """
    series = run.of("loss", least=MANY_POINTS)
    epochs = run.epochs(series.step)
    if epochs is None or epochs[-1] < 1 + AROUND:
        raise NotEnoughData("a log of more than one epoch, epochs in it")
    noise = float(np.median(np.abs(np.diff(series.value)))) / 0.954  # of normal points: 0.6745 · √2
    steps = [_step(series.value, epochs, k, noise) for k in range(1, int(epochs[-1]) + 1)]
    known = np.array([step for step in steps if step is not None])
    if not known.size:
        raise NotEnoughData("at least 8 logs an epoch")
    drop, error = known[:, 0].mean(), math.sqrt((known[:, 1] ** 2).sum()) / len(known)
    before = known[:, 2].mean()
    if before <= 0 or drop < STEP_DOWN * before or drop < SURE * error or _gains_held_out(run, int(epochs[-1])):
        return None
    half = t_quantile(0.975, max(2, 2 * len(known))) * error
    number = Estimate(
        drop / before, (drop - half) / before, (drop + half) / before, len(known), "share", "step at epochs − mid-epoch"
    )
    values = {"share": drop / before, "low": number.low, "high": number.high, "epochs": float(epochs[-1])}
    return told(
        PROBE, "epoch_steps", "warn", run, confirm="held_out", estimate=number, curves=_both(run), values=values
    )


def _unwatched(run: Run, _: np.random.Generator) -> Finding | None:
    """Several epochs over the same pairs, and no held-out number that would show what they cost."""
    last = run.epoch(run.last)
    if not run.preferring or last is None:
        raise NotEnoughData("epochs of training on pairs")
    if last <= MANY_EPOCHS or run.find(EVAL + "accuracy", EVAL + "loss", EVAL + "margin") is not None:
        return None
    return told(PROBE, "unwatched", "warn", run, confirm="held_out", curves=_both(run), values={"epochs": last})


def _step(value: Floats, epochs: Floats, k: float, noise: float) -> tuple[float, float, float] | None:
    """Drop of the loss at epoch k beyond that at its last middle, its standard error, and the loss before."""
    edges = (k - 3 * AROUND, k - 2 * AROUND, k - AROUND, k, k + AROUND)
    parts = [value[(epochs > low) & (epochs <= high)] for low, high in pairwise(edges)]
    if min(part.size for part in parts) < 2:
        return None
    early, middle, before, after = (float(part.mean()) for part in parts)
    error = noise * math.sqrt(sum(1 / part.size for part in parts))
    return (before - after) - (early - middle), error, before


def _gains_held_out(run: Run, last: int) -> bool:
    """Whether held-out accuracy is better in the quarter epochs after the boundaries than in those before."""
    series = run.find(EVAL + "accuracy")
    epochs = None if series is None else run.epochs(series.step)
    if series is None or epochs is None:
        return False
    gains = []
    for k in range(1, last + 1):
        before = series.value[(epochs > k - AROUND) & (epochs <= k)]
        after = series.value[(epochs > k) & (epochs <= k + AROUND)]
        gains += [float(after.mean() - before.mean())] if before.size and after.size else []
    noise = float(np.median(np.abs(np.diff(series.value)))) / 0.954 if len(series) > 1 else 0.0
    return bool(gains) and float(np.mean(gains)) > max(0.01, 2 * noise / math.sqrt(len(gains)))


def _both(run: Run) -> list[Curve]:
    pair = [run.find("loss"), run.find(EVAL + "loss")]
    return [curve(series, "loss") for series in pair if series is not None]
