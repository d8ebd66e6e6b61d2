"""`training_run.normal`: what looks wrong in a log and is not; the questions asked most often."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Curve, Finding
from dehusk.core.kinds import probes
from dehusk.core.tables import TrainLog
from dehusk.probes.training_run.checking import look, told
from dehusk.probes.training_run.curves import EVAL, Run, curve, level
from dehusk.probes.training_run.margins import EXPLODED, FALLEN, fallen

PROBE = "training_run.normal"
NEAR_0 = 0.02  # GRPO's loss
HUMAN = (0.60, 0.75)  # accuracy of reward models on human labels: 65–70 % and what is around it


@probes.add(PROBE)
def normal(log: TrainLog, rng: np.random.Generator) -> Iterator[Finding]:
    """What looks wrong in a log and is normal: negative rewards, a GRPO loss near 0, falling DPO rewards.

    Args:
        log: The training log.
        rng: Not used; checks of a run have one form.

    Raises:
        NotEnoughData: the log has nothing of the kind.
    """
    checks = {"negative": _negative, "near_0": _near_zero, "both_fall": _both_fall, "human": _human_accuracy}
    yield from look(PROBE, Run(log), rng, checks, "a log with rewards or accuracy")


def _negative(run: Run, _: np.random.Generator) -> Finding | None:
    series = run.of("score", "chosen_score", "reward")
    end = run.closing(series)
    if end.mean >= 0:
        return None
    number = level(end, "reward")
    shown = [curve(series, "reward")]
    return told(PROBE, "negative", "inform", run, estimate=number, curves=shown, values={"reward": end.mean})


def _near_zero(run: Run, _: np.random.Generator) -> Finding | None:
    if run.task != "grpo":
        raise NotEnoughData("a log of GRPO")
    series = run.of("loss")
    size = float(np.median(np.abs(series.value)))
    if size > NEAR_0:
        return None
    return told(PROBE, "near_0", "inform", run, curves=[curve(series, "loss")], values={"size": size})


def _both_fall(run: Run, _: np.random.Generator) -> Finding | None:
    """Both implicit rewards below 0 at the end, the margin above, and the chosen answers not much less likely."""
    chosen, rejected = run.of("implicit_chosen"), run.of("implicit_rejected")
    ends = run.closing(chosen).mean, run.closing(rejected).mean
    if not ends[1] < ends[0] < 0 or ends[0] - ends[1] >= EXPLODED or _lost(run) > FALLEN:
        return None
    shown: list[Curve] = [curve(chosen, "implicit reward"), curve(rejected, "implicit reward")]
    values = {"chosen": ends[0], "rejected": ends[1]}
    return told(PROBE, "both_fall", "inform", run, curves=shown, values=values)


def _lost(run: Run) -> float:
    try:
        return fallen(run)[1]
    except NotEnoughData:
        return 0.0


def _human_accuracy(run: Run, _: np.random.Generator) -> Finding | None:
    if run.task != "reward_model":
        raise NotEnoughData("a log of a reward model")
    series = run.of(EVAL + "accuracy", "accuracy")
    end = run.closing(series)
    if not HUMAN[0] <= end.mean <= HUMAN[1]:
        return None
    number = level(end, "accuracy")
    shown = [curve(series, "accuracy")]
    return told(PROBE, "human", "inform", run, estimate=number, curves=shown, values={"accuracy": end.mean})
