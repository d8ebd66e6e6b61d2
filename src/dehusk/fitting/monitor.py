"""What is watched while a reward model is fitted, on pairs that it is not fitted to.

Beside accuracy, margin and loss: what the margin pays for every feature, what the own prompt adds, and how the margin
goes with length. A run whose training accuracy is full early while its margin grows learns nothing more but to be
surer; the rule is that of the probe `training_run.saturation`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.messages import Text, say
from dehusk.core.tables import Floats
from dehusk.fitting.training_set import TrainingSet
from dehusk.io.atomic import write_atomic
from dehusk.stats.bounding import bounded
from dehusk.stats.effects import clustered_mean
from dehusk.stats.ranking import mean_shares
from dehusk.stats.saturation import EARLY, EMPTY, FULL, GROWN, NOT_LEARNT, for_good
from dehusk.stats.slopes import standardised_slopes

StopOn = Literal["never", "saturation"]
LENGTH = "characters"  # the feature whose correlation with the margin is told
_TRAINING = ("accuracy", "loss", "margin")
_FEWEST = 3  # readings from which saturation is told


@dataclass(frozen=True)
class Reading:
    """What was read at one step; the names are those of trainers' logs, and `eval_` is of held-out pairs."""

    step: int
    values: Mapping[str, float]
    epoch: float | None = None

    def row(self) -> dict[str, float]:
        """As a line of a log that `dehusk audit --log` reads."""
        return {"step": self.step, **({} if self.epoch is None else {"epoch": self.epoch}), **self.values}


@dataclass(frozen=True)
class Saturated:
    """Where training had nothing left to learn, though the run had hardly begun."""

    step: int
    accuracy: float  # of training, in the last reading
    margins: tuple[float, float]  # of training, there and in the last reading


@dataclass(eq=False)
class Monitor:
    """Called during a fit; keeps what it read, and says when to stop."""

    held_out: TrainingSet  # points may be missing (d = 0) where rewards are handed over; features may be any
    planned: int | None = None  # steps of the whole run, if that is known; `fit_heads` sets it
    every: int = 20  # steps between readings
    stop_on: StopOn = "never"
    readings: list[Reading] = field(default_factory=list)
    saturated: Saturated | None = None

    def look(self, step: int, rewards: Callable[[Any], Floats], log: Mapping[str, float]) -> bool:
        """Read a head; see `__call__`.

        Args:
            step: Steps taken.
            rewards: From points, shape (m, d), to rewards, shape (m,).
            log: What training says of its own pairs: loss, accuracy, margin, epoch.
        """
        data = self.held_out
        foreign = None
        if data.foreign_chosen is not None and data.foreign_rejected is not None:
            foreign = rewards(data.foreign_chosen) - rewards(data.foreign_rejected)
        return self(step, rewards(data.chosen), rewards(data.rejected), log, foreign)

    def __call__(
        self, step: int, chosen: Floats, rejected: Floats, log: Mapping[str, float], foreign: Floats | None = None
    ) -> bool:
        """Read the rewards of m held-out pairs; whether the fit should stop.

        Args:
            step: Steps taken.
            chosen: Shape (m,).
            rejected: Shape (m,).
            log: What training says of its own pairs: loss, accuracy, margin, epoch.
            foreign: Margins under another prompt, shape (m,).
        """
        values = {name: float(log[name]) for name in ("loss", "accuracy", "margin") if name in log}
        values |= {f"eval_{name}": value for name, value in self._held_out(chosen - rejected, foreign).items()}
        epoch = float(log["epoch"]) if "epoch" in log else None
        kept = [
            reading for reading in self.readings if reading.step < step
        ]  # a run that goes on repeats its last steps
        self.readings = [*kept, Reading(step, MappingProxyType(values), epoch)]
        self.saturated = self._saturation()
        return self.saturated is not None and self.stop_on == "saturation"

    def save(self, path: Path) -> None:
        """Write the readings, one JSON object a line."""
        write_atomic(path, "".join(json.dumps(reading.row()) + "\n" for reading in self.readings))

    def load(self, path: Path) -> None:
        """Go on from the readings that a run left when it was stopped, if it did."""
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        for row in map(json.loads, lines):
            step, epoch = row.pop("step"), row.pop("epoch", None)
            self.readings.append(Reading(step, MappingProxyType(row), epoch))

    def notes(self) -> list[Text]:
        """What the user should know, in sentences."""
        if self.saturated is None:
            return []
        found = self.saturated
        values = {"step": found.step, "accuracy": found.accuracy, "start": found.margins[0], "end": found.margins[1]}
        stopped = self.stop_on == "saturation"
        return [say("fit.saturated_stopped" if stopped else "fit.saturated", **values)]

    def _held_out(self, margin: Floats, foreign: Floats | None) -> dict[str, float]:
        """Everything that is read off the margins of held-out pairs."""
        data = self.held_out
        share = data.weight / data.weight.sum()
        wins = (np.sign(margin) + 1) / 2
        found = {"loss": float(share @ np.logaddexp(0, -margin)), "margin": float(share @ margin)}
        found |= _accuracy(wins, data)
        more = data.chosen_features - data.rejected_features
        paid = standardised_slopes(bounded(more), margin, data.groups)  # as `reward_model.association` has it
        for name, *bounds in zip(data.names, paid.value, paid.low, paid.high, strict=True):
            found |= _bounded(f"paid/{name}", *bounds)
        if LENGTH in data.names:
            found |= _known("length_correlation", _correlation(more[:, data.names.index(LENGTH)], margin))
        if foreign is not None:
            found |= _mean("prompt_gain", wins - (np.sign(foreign) + 1) / 2, data)
        return found

    def _saturation(self) -> Saturated | None:
        """Where training accuracy became full, or its loss empty, for good and early, if the margin grew since."""
        seen = [reading for reading in self.readings if {"accuracy", "loss", "margin"} <= reading.values.keys()]
        if len(seen) < _FEWEST:
            return None
        accuracy, loss, margin = (np.array([reading.values[name] for reading in seen]) for name in _TRAINING)
        places = [place for place in (for_good(accuracy >= FULL), for_good(loss <= EMPTY)) if place is not None]
        if not places or accuracy[-1] < NOT_LEARNT:
            return None
        first = seen[min(places)]
        early = first.step < EARLY * (self.planned or 0) or (first.epoch is not None and first.epoch < EARLY)
        start, end = float(margin[min(places)]), float(margin[-1])
        if not early or end <= GROWN * max(start, 0.0):
            return None
        return Saturated(first.step, float(accuracy[-1]), (start, end))


def _accuracy(wins: Floats, data: TrainingSet) -> dict[str, float]:
    """A share of pairs with Wilson's interval by prompts: of four right pairs out of four it is not a single point."""
    share, low, high, *_ = (float(part[0]) for part in mean_shares(wins[:, None], data.groups, weights=data.weight))
    if np.isnan(share):
        share = float(data.weight @ wins / data.weight.sum())
    return _bounded("accuracy", share, low, high)


def _mean(name: str, values: Floats, data: TrainingSet) -> dict[str, float]:
    """A weighted mean over pairs, with its interval by prompts if there are two of them."""
    try:
        mean = clustered_mean(values, data.groups, weights=data.weight)
    except NotEnoughData:
        return {name: float(data.weight @ values / data.weight.sum())}
    return _bounded(name, mean.value, mean.low, mean.high)


def _bounded(name: str, value: float, low: float, high: float) -> dict[str, float]:
    """A number with its interval, if there is one."""
    return {**_known(name, value), **_known(f"{name}/low", low), **_known(f"{name}/high", high)}


def _known(name: str, value: float) -> dict[str, float]:
    return {name: float(value)} if np.isfinite(value) else {}


def _correlation(x: Floats, y: Floats) -> float:
    """Pearson's; NaN where one does not vary."""
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 0 else float("nan")
