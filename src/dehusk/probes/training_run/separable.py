"""`training_run.separable`: a run that saturated, beside how well its pairs are told apart without reading them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Finding
from dehusk.core.kinds import probes
from dehusk.core.tables import Measures, Pairs, TrainLog
from dehusk.probes.data.separability import FAIL, WARN, separability
from dehusk.probes.training_run.checking import told
from dehusk.probes.training_run.curves import Run
from dehusk.probes.training_run.saturation import place, saturated

PROBE = "training_run.separable"


@probes.add(PROBE)
def separable(log: TrainLog, pairs: Pairs, measures: Measures, rng: np.random.Generator) -> Iterator[Finding]:
    """Whether the pairs explain a run that saturated: surface alone tells chosen from rejected.

    Args:
        log: The training log.
        pairs: The pairs that were trained on.
        measures: Features of both sides.
        rng: For intervals and folds.

    Raises:
        NotEnoughData: the run did not saturate, or there are too few pairs.
    """
    run = Run(log)
    found = saturated(run, rng)
    if found is None:
        raise NotEnoughData("a log of a run that saturated")
    readings = [one for one in separability(pairs, measures, rng, most=1_000) if one.estimate is not None]
    best = max(readings, key=lambda one: one.estimate.value if one.estimate else 0.0, default=None)
    if best is None or best.estimate is None:
        raise NotEnoughData("pairs that have words or features")
    number = best.estimate
    known = number.value >= WARN and number.low > WARN - 0.05
    verdict = "fail" if number.value >= FAIL and number.low > FAIL - 0.05 else "warn" if known else "inform"
    values = {"auc": number.value, "low": number.low, "high": number.high, "where": place(run, found.step)}
    name = "separable" if known else "not_separable"
    yield told(PROBE, name, verdict, run, estimate=number, values=values)  # type: ignore[arg-type]
