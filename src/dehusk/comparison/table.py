"""From what every method gave in every split to one row a method, each against the plain model on the same splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dehusk.comparison.readings import Reading
from dehusk.core.comparison import MethodRow
from dehusk.core.findings import Estimate
from dehusk.core.messages import Text
from dehusk.core.tables import Floats
from dehusk.stats.resplits import over_fixed, over_splits

METHOD = "splits of the prompts, corrected resampled t"
FIXED = "the same prompts in every split, splits of the fitted prompts, delete-d jackknife"
PLAIN = "plain"
MATTERS = 0.05  # SD per SD: half of what `reward_model.association` warns of
_UNITS = {"accuracy": "share of pairs", "prompt_gain": "accuracy", "coefficient": "SD per SD"}


@dataclass(frozen=True)
class Outcome:
    """What one method gave in one split."""

    readings: Mapping[str, Reading]  # column -> value
    slopes: Floats  # (k,) coefficient of every feature, NaN where one does not vary
    lost: int = 0
    added: int = 0
    effective: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Tried:
    """One method in all splits, or why there is no number."""

    method: str
    kind: str
    outcomes: tuple[Outcome, ...] = ()
    refusal: Text | None = None


def rows_of(tried: Sequence[Tried], features: Sequence[str], targets: Sequence[str], held: float) -> list[MethodRow]:
    """One row a method, the plain model's first; the efficient ones are marked.

    Args:
        tried: The plain model, called "plain", and the methods, all on the same splits.
        features: Names of the features, k of them.
        targets: Those that a method should bring to 0.
        held: Share of the prompts that were held out.

    Raises:
        NotEnoughData: with fewer than 2 splits.
    """
    plain = next(one for one in tried if one.method == PLAIN)
    rows = [_row(one, plain, features, targets, held) for one in tried]
    return _marked(sorted(rows, key=lambda row: row.method != PLAIN), targets)


def _row(one: Tried, plain: Tried, features: Sequence[str], targets: Sequence[str], held: float) -> MethodRow:
    if one.refusal is not None:
        return MethodRow(one.method, one.kind, refusal=one.refusal)
    own, base = ([outcome.readings for outcome in tried.outcomes] for tried in (one, plain))
    against = [
        {name: np.subtract(value, before[name]) for name, value in now.items()}
        for now, before in zip(own, base, strict=True)
    ]
    found = MethodRow(
        method=one.method,
        kind=one.kind,
        readings=_estimates(own, held),
        against=_estimates(against, held, change=True) if one is not plain else {},
        lost=float(np.mean([outcome.lost for outcome in one.outcomes])),
        added=float(np.mean([outcome.added for outcome in one.outcomes])),
        effective=float(np.mean([outcome.effective for outcome in one.outcomes])),
        seconds=float(np.mean([outcome.seconds for outcome in one.outcomes])),
    )
    if one is plain:
        return found
    return replace(found, **_elsewhere(one, plain, features, targets, held))


def _elsewhere(
    one: Tried, plain: Tried, features: Sequence[str], targets: Sequence[str], held: float
) -> dict[str, Any]:
    """What changed, and what grew, of the features that are no targets."""
    after, before = (np.stack([each.slopes for each in tried.outcomes]) for tried in (one, plain))
    others = [
        k for k, name in enumerate(features) if name not in targets and np.isfinite(after[:, k] - before[:, k]).all()
    ]
    if not others:
        return {}
    after, before = after[:, others], before[:, others]
    means = over_splits(after - before, held, comparisons=len(others))
    away = np.sign(after.mean(axis=0)) * means.value  # towards where the coefficient ends up
    growth = np.where(np.abs(after.mean(axis=0)) > np.abs(before.mean(axis=0)), away, 0.0)

    def said(at: int) -> tuple[str, Estimate]:
        value, low, high, p = (float(part[at]) for part in means)
        return features[others[at]], Estimate(value, low, high, len(after), "SD per SD", METHOD, p)

    found: dict[str, Any] = {"moved": said(int(np.abs(means.value).argmax()))}
    sure = (growth >= MATTERS) & ((means.low > 0) | (means.high < 0))
    if growth.max() > 0:
        at = int(np.where(sure, growth + 1e9, growth).argmax())
        found |= {"grown": said(at), "grown_sure": bool(sure[at])}
    return found


def _estimates(splits: Sequence[Mapping[str, Reading]], held: float, *, change: bool = False) -> dict[str, Estimate]:
    """Mean over splits of every column."""
    found = {}
    for column in splits[0]:
        values = np.array([one[column] for one in splits])  # (s,), or (s, g) of what is the same in every split
        fixed = values.ndim > 1
        value, low, high, p = map(float, over_fixed(values, held) if fixed else over_splits(values, held))
        unit = _UNITS.get(column.split(":")[0], "SD")
        unit = "accuracy" if change and unit == "share of pairs" else unit
        meant = change or unit != "share of pairs"  # p is of no effect, which is 0 only for these
        n, method = (values.shape[1], FIXED) if fixed else (len(values), METHOD)
        found[column] = Estimate(value, low, high, n, unit, method, p if meant else None)
    return found


def _marked(rows: list[MethodRow], targets: Sequence[str]) -> list[MethodRow]:
    """Mark the rows that no other beats on both accuracy and the largest coefficient of a target."""
    places = {
        at: (row.readings["accuracy"].value, -pressure(row, targets)) for at, row in enumerate(rows) if row.readings
    }

    def beaten(at: int) -> bool:
        return any(
            all(theirs >= ours for theirs, ours in zip(place, places[at], strict=True)) and place != places[at]
            for other, place in places.items()
            if other != at
        )

    return [replace(row, efficient=at in places and not beaten(at)) for at, row in enumerate(rows)]


def pressure(row: MethodRow, targets: Sequence[str]) -> float:
    """The largest coefficient of a target, in size."""
    return max((abs(row.readings[f"coefficient:{target}"].value) for target in targets), default=0.0)
