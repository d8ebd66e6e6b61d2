"""`training_run.saturation`: a reward model or DPO run that had nothing left to learn soon after it began."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Finding
from dehusk.core.kinds import probes
from dehusk.core.messages import Text, say
from dehusk.core.tables import TrainLog
from dehusk.probes.training_run.checking import look, told
from dehusk.probes.training_run.curves import Run, Series, curve, level
from dehusk.stats.saturation import EARLY, EMPTY, FULL, GROWN, NOT_LEARNT, for_good
from dehusk.stats.trends import trend

PROBE = "training_run.saturation"


@dataclass(frozen=True)
class Saturated:
    """Where a run stopped learning."""

    series: Series  # accuracy or loss
    step: float
    share: float  # of the run
    epoch: float | None
    margins: tuple[float, float] | None  # there and at the end, if the margin went on growing

    @property
    def early(self) -> bool:
        """Before a fifth of the run, or of the first epoch."""
        return self.share < EARLY or (self.epoch is not None and self.epoch < EARLY)


@probes.add(PROBE)
def saturation(log: TrainLog, rng: np.random.Generator) -> Iterator[Finding]:
    """Whether accuracy reached 1, or the loss 0, while the run had hardly begun: then the data are separable.

    Args:
        log: The training log.
        rng: For intervals.

    Raises:
        NotEnoughData: the log is not of a reward model, DPO or KTO run, or has neither accuracy nor loss.
    """
    yield from look(
        PROBE, Run(log), rng, {"saturation": _check}, "a log of a reward model or DPO run with accuracy or loss"
    )


def saturated(run: Run, rng: np.random.Generator) -> Saturated | None:
    """Where a run saturated for good; None if it did not.

    Raises:
        NotEnoughData: the log has neither accuracy nor loss of training on pairs.
    """
    if not run.preferring:
        raise NotEnoughData("a log of a reward model or DPO run")
    accuracy, loss = run.find("accuracy", least=3), run.find("loss", least=3)
    if accuracy is None and loss is None:
        raise NotEnoughData("at least 3 logged steps with accuracy or loss")
    if accuracy is not None and run.closing(accuracy).mean < NOT_LEARNT:
        return None  # whatever the loss says
    reached: list[tuple[Series, float]] = []
    for series in (accuracy, loss):
        if series is not None:
            smooth = run.smooth(series)
            at = for_good(smooth >= FULL if series is accuracy else smooth <= EMPTY)
            reached += [] if at is None else [(series, float(series.step[at]))]
    if not reached:
        return None
    series, step = min(reached, key=lambda one: one[1])
    return Saturated(series, step, (step - run.first) / max(run.span, 1), run.epoch(step), _growing(run, step, rng))


def _growing(run: Run, step: float, rng: np.random.Generator) -> tuple[float, float] | None:
    """Margin at a step and at the end, if it grew between them."""
    margin = run.find("margin")
    after = None if margin is None else margin.where(margin.step >= step)
    if after is None or len(after) < 2:
        return None
    start, end = float(after.value[0]), run.closing(after).mean
    try:
        grew = trend(after.step, after.value, rng).low > 0
    except NotEnoughData:
        grew = end > GROWN * max(start, 0.0)
    return (start, end) if grew else None


def _check(run: Run, rng: np.random.Generator) -> Finding | None:
    found = saturated(run, rng)
    if found is None:
        return None
    serious = found.early and (found.margins is not None or "margin" not in run.metrics)
    metric, margin = found.series.metric, run.find("margin")
    curves = [curve(found.series, metric)] + ([] if margin is None else [curve(margin, "margin")])
    return told(
        PROBE,
        f"saturated_{'early' if found.early else 'late'}",
        "warn" if serious else "inform",
        run,
        confirm="pairs",
        estimate=level(run.closing(found.series), metric),
        curves=curves,
        values={"reached": _reached(found), "where": place(run, found.step), "growth": _growth(found)},
    )


def _reached(found: Saturated) -> Text:
    key = "reached_accuracy" if found.series.metric == "accuracy" else "reached_loss"
    return say(f"training_run.saturated.{key}", full=FULL, empty=EMPTY)


def _growth(found: Saturated) -> Text:
    if found.margins is None:
        return say("training_run.saturated.no_growth")
    return say("training_run.saturated.growth", start=found.margins[0], end=found.margins[1])


def place(run: Run, step: float) -> Text:
    """A step in words: its number, the share of the run, and the epoch if it is known."""
    share, epoch = (step - run.first) / max(run.span, 1), run.epoch(step)
    if step in (run.first, run.last):
        return say(f"training_run.place.{'first' if step == run.first else 'last'}", step=int(step))
    if epoch is None:
        return say("training_run.place.step", step=int(step), share=share)
    return say("training_run.place.epoch", step=int(step), share=share, epoch=epoch)
