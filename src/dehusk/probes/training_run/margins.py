"""`training_run.margins`: what DPO and reward models do to log-probabilities, margins and the scale of scores."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Curve, Finding
from dehusk.core.kinds import probes
from dehusk.core.tables import TrainLog
from dehusk.probes.training_run.checking import look, told
from dehusk.probes.training_run.curves import EVAL, Run, Series, apart, curve, estimate, level
from dehusk.probes.training_run.saturation import place
from dehusk.stats.trends import trend

PROBE = "training_run.margins"
FALLEN = 0.10  # share of the chosen log-probability (TRAIN-DISP)
EXPLODED = 20.0  # implicit reward: the preferred answer is e^20 times as likely to win; σ(−20) is no gradient
FAST, BEFORE = 5.0, 0.25  # margin, epochs (TRAIN-DPOFAST)
RATE_FULL, RATE_ADAPTER = 5e-5, 2e-4  # learning rates of full and of LoRA training
DRIFT = 5.0  # times the distance between the sides (RM-SCALE)


@probes.add(PROBE)
def margins(log: TrainLog, rng: np.random.Generator) -> Iterator[Finding]:
    """Whether chosen answers became unlikely, margins exploded or came too fast, or the scale of scores drifted.

    Args:
        log: The training log.
        rng: For intervals.

    Raises:
        NotEnoughData: the log has no margins, log-probabilities or scores of pairs.
    """
    checks = {
        "displacement": _displaced,
        "explosion": _exploded,
        "too_fast": _too_fast,
        "learning_rate": _rate,
        "scale": _drifted,
    }
    yield from look(
        PROBE, Run(log), rng, checks, "a log of a reward model or DPO run with margins or log-probabilities"
    )


def fallen(run: Run) -> tuple[Series, float]:
    """Log-probability of the chosen answers, held out if it is logged, and the share of it that was lost.

    The share is 0 where noise could explain it.

    Raises:
        NotEnoughData: the log has no such log-probability.
    """
    series = run.find(EVAL + "chosen_logp", least=4) or run.of("chosen_logp")
    start, end = run.opening(series), run.closing(series)
    return series, max(0.0, -apart(start, end) / max(abs(start.mean), 1e-9))


def _displaced(run: Run, _: np.random.Generator) -> Finding | None:
    series, share = fallen(run)
    margin = run.find(EVAL + "margin", "margin")
    grew = margin is not None and run.closing(margin).mean > run.opening(margin).mean
    if share <= FALLEN or not grew:
        return None
    start, end = run.opening(series).mean, run.closing(series).mean
    shown = [curve(one, "logp") for name in ("chosen_logp", "rejected_logp") if (one := run.find(name)) is not None]
    values = {"share": share, "start": start, "end": end}
    number = level(run.closing(series), "logp")
    return told(PROBE, "displaced", "warn", run, confirm="responses", estimate=number, curves=shown, values=values)


def _exploded(run: Run, _: np.random.Generator) -> Finding | None:
    series = _implicit_margin(run)
    end = run.closing(series)
    if end.mean < EXPLODED:
        return None
    values = {"margin": end.mean, "where": place(run, float(end.step[-1]))}
    chosen, rejected = run.find("implicit_chosen"), run.find("implicit_rejected")
    name = "exploded"
    if chosen is not None and rejected is not None:
        name = "exploded_sides"
        values |= {"chosen": run.closing(chosen).mean, "rejected": run.closing(rejected).mean}
    number, shown = level(end, "margin"), _margin_curves(run)
    return told(PROBE, name, "warn", run, confirm="responses", estimate=number, curves=shown, values=values)


def _too_fast(run: Run, _: np.random.Generator) -> Finding | None:
    """A margin above 5 before a quarter of the first epoch."""
    series = _implicit_margin(run)
    epochs = run.epochs(series.step)
    if epochs is None:
        raise NotEnoughData("epochs")
    early = (run.smooth(series) > FAST) & (epochs < BEFORE)
    if not early.any():
        return None
    step = float(series.step[early.argmax()])
    values = {"margin": float(series.value[early.argmax()]), "where": place(run, step)}
    return told(PROBE, "too_fast", "warn", run, confirm="pairs", curves=_margin_curves(run), values=values)


def _rate(run: Run, _: np.random.Generator) -> Finding | None:
    if run.task not in ("dpo", "kto"):
        raise NotEnoughData("a log of DPO")
    series = run.of("learning_rate", least=1)
    highest = float(series.value.max())
    if highest <= RATE_FULL:
        return None
    if highest <= RATE_ADAPTER:
        return told(PROBE, "rate_of_adapters", "inform", run, values={"rate": highest})
    return told(PROBE, "rate", "warn", run, confirm="responses", values={"rate": highest})


def _drifted(run: Run, rng: np.random.Generator) -> Finding | None:
    """The mean score of a reward model moves by more than five times what tells chosen from rejected."""
    if run.task != "reward_model":
        raise NotEnoughData("a log of a reward model")
    series, gap = _mean_score(run), run.find("score_std", "margin", EVAL + "score_std", EVAL + "margin")
    if gap is None:
        raise NotEnoughData("margins of scores")
    unit = abs(run.closing(gap).mean)
    slope = trend(series.step, series.value, rng)
    moved = slope.value * run.span
    if unit == 0 or abs(moved) <= DRIFT * unit or slope.low <= 0 <= slope.high:
        return None
    change = slope._replace(value=moved, low=slope.low * run.span, high=slope.high * run.span)
    values = {"moved": moved, "unit": unit, "end": run.closing(series).mean, "times": abs(moved) / unit}
    shown = [curve(series, "score")]
    number = estimate(change, "score", "Theil–Sen slope over the run")
    return told(PROBE, "drifted", "warn", run, confirm="reward_model", estimate=number, curves=shown, values=values)


def _mean_score(run: Run) -> Series:
    """Mean score of both sides, as it is logged or made from the two."""
    series = run.find("score", least=8)
    if series is not None:
        return series
    chosen, rejected = run.of("chosen_score", least=8), run.of("rejected_score", least=8)
    steps, left, right = np.intersect1d(chosen.step, rejected.step, return_indices=True)
    return Series("score", steps, (chosen.value[left] + rejected.value[right]) / 2)


def _implicit_margin(run: Run) -> Series:
    if run.task not in ("dpo", "kto"):
        raise NotEnoughData("margins of implicit rewards")
    return run.of("margin", EVAL + "margin")


def _margin_curves(run: Run) -> list[Curve]:
    names = ("margin", "implicit_chosen", "implicit_rejected")
    return [curve(series, "implicit reward") for name in names if (series := run.find(name)) is not None]
