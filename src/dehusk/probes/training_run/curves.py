"""The curves of a log as probes read them: one value a step, windows, levels, and what the report draws."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Curve, Estimate
from dehusk.core.tables import Bools, Floats, Ints, TrainLog
from dehusk.stats.trends import Interval, binned, mean_level, smoothed

EVAL = "eval/"
EDGE = 0.1  # of the run: where it starts, and where it ends
EDGE_POINTS = 5
WINDOW_STEPS, WINDOW_SHARE, WINDOW_POINTS = 50, 0.1, 8  # the window of a slope: users' practice
DRAWN = 150  # points of a curve in the report
_SMOOTH = 0.02  # half-life of the smoothing, as a share of the run


@dataclass(frozen=True)
class Series:
    """Finite values of one metric, shapes (n,), steps in ascending order and each once."""

    metric: str
    step: Floats
    value: Floats

    def __len__(self) -> int:
        """Count the logged points."""
        return self.step.size

    def where(self, rows: Bools) -> Series:
        """Some of the points."""
        return Series(self.metric, self.step[rows], self.value[rows])

    def between(self, low: float, high: float) -> Series:
        """Points with low < step <= high."""
        return self.where((self.step > low) & (self.step <= high))

    @property
    def mean(self) -> float:
        """Mean of the values."""
        return float(self.value.mean())


class Run:
    """One training run."""

    def __init__(self, log: TrainLog) -> None:
        """Keep a log and the range of its steps."""
        self.framework, self.task = log.framework, log.task
        # Of a step that is there twice, the last counts: a resumed run writes its steps again.
        self._frame = log.frame.unique(["step", "metric"], keep="last", maintain_order=True).sort("step")
        steps = self._frame["step"]
        self.first, self.last = float(steps.min() or 0), float(steps.max() or 0)  # type: ignore[arg-type]
        self.logged = steps.n_unique()

    @property
    def span(self) -> float:
        """Steps from the first logged to the last."""
        return self.last - self.first

    @cached_property
    def metrics(self) -> frozenset[str]:
        """Names of the metrics in the log."""
        return frozenset(self._frame["metric"])

    def raw(self, metric: str) -> Series:
        """All values of a metric, NaN and infinity among them; empty if it is not in the log."""
        rows = self._frame.filter(pl.col("metric") == metric)
        return Series(metric, rows["step"].cast(pl.Float64).to_numpy(), rows["value"].to_numpy())

    def find(self, *metrics: str, least: int = 1) -> Series | None:
        """The finite values of the first of these metrics that has at least `least`; None if none has."""
        for metric in metrics:
            raw = self.raw(metric) if metric in self.metrics else None
            if raw is not None and int(np.isfinite(raw.value).sum()) >= least:
                return raw.where(np.isfinite(raw.value))
        return None

    def of(self, *metrics: str, least: int = 3) -> Series:
        """As `find`.

        Raises:
            NotEnoughData: none of the metrics has as many values.
        """
        found = self.find(*metrics, least=least)
        if found is None:
            raise NotEnoughData(f"at least {least} logged steps with {' or '.join(metrics)}")
        return found

    @property
    def preferring(self) -> bool:
        """Whether pairs were trained on: a reward model, DPO or KTO."""
        plain = self.task == "unknown" and "reward" not in self.metrics and bool({"margin", "accuracy"} & self.metrics)
        return plain or self.task in ("reward_model", "dpo", "kto")

    @cached_property
    def _epochs(self) -> tuple[Floats, Floats] | None:
        if "epoch" not in self._frame.columns:
            return None
        told = (
            self._frame.select("step", "epoch").drop_nulls().filter(pl.col("epoch").is_finite()).unique().sort("step")
        )
        if told.height < 2 or told["epoch"].max() == told["epoch"].min():
            return None
        return told["step"].cast(pl.Float64).to_numpy(), np.maximum.accumulate(told["epoch"].to_numpy())

    def epochs(self, steps: Floats) -> Floats | None:
        """Epoch at each step, interpolated, shape (n,); None if the log does not say."""
        return None if self._epochs is None else np.interp(steps, *self._epochs)

    def epoch(self, step: float) -> float | None:
        """Epoch at one step."""
        found = self.epochs(np.array([step]))
        return None if found is None else float(found[0])

    def opening(self, series: Series) -> Series:
        """The first tenth of the run, at least 5 points of it, at most a third of all."""
        return self._edge(series, series.step <= self.first + EDGE * self.span, np.arange(len(series)))

    def closing(self, series: Series) -> Series:
        """The last tenth of the run, at least 5 points of it, at most a third of all."""
        return self._edge(series, series.step >= self.last - EDGE * self.span, np.arange(len(series))[::-1])

    def _edge(self, series: Series, near: Bools, place: Ints) -> Series:
        least, most = min(EDGE_POINTS, max(1, len(series) // 3)), max(1, len(series) // 3)
        return series.where((near | (place < least)) & (place < most))

    def window(self, series: Series) -> Series:
        """The last 50 steps or 10 % of the run, whichever is longer, at least 8 points, at most half of the run."""
        width = min(max(WINDOW_STEPS, WINDOW_SHARE * self.span), self.span / 2)
        near = series.step >= self.last - width
        return series.where(near | (np.arange(len(series))[::-1] < WINDOW_POINTS))

    def smooth(self, series: Series) -> Floats:
        """Values under an exponential average whose half-life is 2 % of the run, shape (n,)."""
        return smoothed(series.step, series.value, max(_SMOOTH * self.span, 1e-9))


def estimate(found: Interval, unit: str, method: str) -> Estimate:
    """An interval as the report's estimate."""
    return Estimate(found.value, found.low, found.high, found.n, unit, method)


def level(part: Series, unit: str) -> Estimate | None:
    """Mean of a stretch with its interval; None with fewer than three points."""
    if len(part) < 3:
        return None
    found = mean_level(part.value)
    if unit in ("accuracy", "share"):
        found = found._replace(low=max(0.0, found.low), high=min(1.0, found.high))
    return estimate(found, unit, "mean of logged steps, interval allows for autocorrelation")


def ratio(before: Series, after: Series) -> Estimate | None:
    """Level of one stretch over that of another, both positive; None with fewer than three points in one."""
    if min(len(before), len(after)) < 3 or before.mean <= 0 or after.mean <= 0:
        return None
    old, new = mean_level(before.value), mean_level(after.value)
    error = math.hypot(*((part.high - part.low) / 2 / part.value for part in (old, new)))
    value = new.value / old.value
    low, high = value * math.exp(-error), value * math.exp(error)
    return Estimate(value, low, high, min(old.n, new.n), "ratio", "end of the run / its start")


def apart(before: Series, after: Series, level: float = 0.95) -> float:
    """How far two stretches of a curve are apart: after − before, 0 where their noise could explain it."""
    change = after.mean - before.mean
    if min(len(before), len(after)) < 3:
        return change
    old, new = mean_level(before.value, level=level), mean_level(after.value, level=level)
    return change if abs(change) > math.hypot(old.high - old.low, new.high - new.low) / 2 else 0.0


def curve(series: Series, unit: str) -> Curve:
    """A series as the report draws it, neighbours averaged where there are many."""
    step, value = binned(series.step, series.value, DRAWN)
    nothing = (None,) * step.size
    return Curve(series.metric, "step", unit, tuple(step.tolist()), tuple(value.tolist()), nothing, nothing)
