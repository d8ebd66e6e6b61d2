"""Checks of one probe, one after the other, and the sentences they end in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Curve, Estimate, Finding, Verdict
from dehusk.core.messages import Text, catalogue, say
from dehusk.probes.training_run.curves import Run

# Findings that one remedy serves.
_ONE_REMEDY = {
    "exploded_sides": "exploded",
    "kl_far": "kl",
    "kl_spikes": "kl",
    "plateau": "kl",
    "perplexity": "kl",
    "in_vain": "kl",
    "unwatched": "epoch_steps",
    "gold": "kl",
    "held_out_falls": "kl",
    "all_cut": "cut",
    "cut_and_falling": "cut",
    "one_length": "cut",
    "groups_all": "groups",
    "gap_guessing": "gap",
}

# A check looks at a run: a finding, None where nothing is wrong, NotEnoughData where the log has not what it looks at.
Check = Callable[[Run, np.random.Generator], Finding | None]


def look(probe: str, run: Run, rng: np.random.Generator, checks: Mapping[str, Check], needs: str) -> Iterator[Finding]:
    """Make every check that the log allows; where none finds anything, one finding says what was looked at.

    Args:
        probe: Name of the probe.
        run: The run.
        rng: For intervals.
        checks: Name of each check (`training_run.check`) and the check.
        needs: What a log would have to have, for the refusal.

    Raises:
        NotEnoughData: when the log has nothing that any check looks at.
    """
    looked, found = [], []
    for name, check in checks.items():
        try:
            finding = check(run, rng)
        except NotEnoughData:
            continue
        looked.append(name)
        found += [] if finding is None else [finding]
    if not looked:
        raise NotEnoughData(needs)
    yield from found
    if not found:
        sentence = say("training_run.clear", checks=_listed(looked), steps=run.logged, first=run.first, last=run.last)
        yield Finding(probe=probe, stage="training_run", sentence=sentence, verdict="pass")


def _listed(names: Iterable[str]) -> Text:
    first, *rest = (say(f"training_run.check.{name}") for name in names)
    for name in rest:
        first = say("training_run.and_next", so_far=first, name=name)
    return first


def told(
    probe: str,
    name: str,
    verdict: Verdict,
    run: Run,
    *,
    confirm: str = "",
    estimate: Estimate | None = None,
    curves: Iterable[Curve] = (),
    values: Mapping[str, Any],
) -> Finding:
    """A finding: sentence `training_run.found.<name>`, and for warnings what to do in the words of the framework.

    Args:
        probe: Name of the probe.
        name: Key of the sentence, and of the remedy (see `_ONE_REMEDY`).
        verdict: How serious it is.
        run: The run, whose framework chooses the remedy.
        confirm: What would confirm it (`training_run.confirm`): a curve alone proves nothing.
        estimate: The number behind it.
        curves: What the report draws.
        values: What the sentence mentions.
    """
    remedy = _remedy(name, run.framework, confirm) if verdict in ("warn", "fail") else None
    return Finding(
        probe=probe,
        stage="training_run",
        sentence=say(f"training_run.found.{name}", **values),
        verdict=verdict,
        estimate=estimate,
        remedy=remedy,
        details={"curves": tuple(curves)},
    )


def _remedy(name: str, framework: str, confirm: str) -> Text:
    """What to do, with the option as the framework of the log spells it; words without an option for others."""
    remedy, spelt = _ONE_REMEDY.get(name, name), framework.replace("-", "_")
    key = f"training_run.remedy.{remedy}.{spelt}"
    if key not in catalogue("en"):
        key = f"training_run.remedy.{remedy}.any"
    if not confirm:
        return say(key)
    return say("training_run.advice", fix=say(key), confirm=say(f"training_run.confirm.{confirm}"))
