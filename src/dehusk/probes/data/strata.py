"""Parts of a data set named by a column: where an association turns around from one source to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from dehusk.core.findings import Estimate, Finding
from dehusk.core.kinds import Feature
from dehusk.core.messages import say
from dehusk.core.tables import Ints, Measures, Pairs
from dehusk.probes.data.contrast import SHIFT_UNIT, estimate, shifts
from dehusk.stats.multiplicity import benjamini_hochberg
from dehusk.stats.panel import Effects

COLUMNS = ("source", "subset")


@dataclass(frozen=True)
class Level:
    """The pairs that share one value of a column."""

    column: str
    name: str
    rows: Ints


def levels(pairs: Pairs, least: int = 50, most: int = 12) -> list[Level]:
    """The largest parts of the data by source and subset; a column counts if two of its values have enough pairs."""
    found = []
    for column in COLUMNS:
        if column not in pairs.frame.columns:
            continue
        values = pairs.frame[column].cast(pl.String)
        names, index, counts = np.unique(values.fill_null("").to_numpy(), return_inverse=True, return_counts=True)
        large = [k for k in np.argsort(-counts, kind="stable")[:most] if counts[k] >= least and names[k] != ""]
        parts = [Level(column, str(names[k]), np.flatnonzero(index == k)) for k in large]
        found += [part for part in parts if len(np.unique(pairs.groups[part.rows])) > 1] if len(parts) > 1 else []
    return found


class Parts:
    """Shifts of some features in every part of the data, and the places where they turn around."""

    def __init__(self, pairs: Pairs, measures: Measures, features: Sequence[Feature]) -> None:
        """Measure every feature in every part."""
        self.features = tuple(features)
        self.levels = levels(pairs) if features else []
        self.effects: list[Effects] = shifts(pairs, measures, features, [level.rows for level in self.levels])

    def of(self, feature: str) -> list[dict[str, Any]]:
        """The shift of one feature in each part, for `details`."""
        column = [known.name for known in self.features].index(feature)
        shown = []
        for level, effects in zip(self.levels, self.effects, strict=True):
            number = estimate(effects, column, SHIFT_UNIT, "clustered mean of signs")
            if number is not None:
                shown.append({"column": level.column, "level": level.name, "estimate": number})
        return shown

    def turned(self, q: float, least_shift: float) -> Iterator[Finding]:
        """One finding a feature and column in which one part prefers more of it and another less."""
        if not self.levels:
            return
        value = np.stack([effects.value for effects in self.effects])
        significance = benjamini_hochberg(np.stack([effects.p for effects in self.effects]).ravel())
        certain = significance.reshape(value.shape) <= q
        for column in COLUMNS:
            here = np.array([level.column == column for level in self.levels])
            up = (value >= least_shift) & certain & here[:, None]
            down = (value <= -least_shift) & certain & here[:, None]
            for k in np.flatnonzero(up.any(axis=0) & down.any(axis=0)):
                high = int(np.where(up[:, k], value[:, k], -np.inf).argmax())
                low = int(np.where(down[:, k], value[:, k], np.inf).argmin())
                yield self._turn(int(k), high, low, float(significance.reshape(value.shape)[[high, low], k].max()))

    def _turn(self, k: int, high: int, low: int, q: float) -> Finding:
        feature = self.features[k]
        return Finding(
            probe="data.association",
            stage="data",
            sentence=say(
                "data.association.turned",
                feature=feature.name,
                column=self.levels[high].column,
                more=self.levels[high].name,
                less=self.levels[low].name,
                points_more=float(self.effects[high].value[k]) * 100,
                points_less=float(self.effects[low].value[k]) * 100,
            ),
            verdict="warn",
            feature=feature.name,
            family=feature.family,
            estimate=self._apart(k, high, low),
            q=q,
            remedy=say("data.remedy.by_source"),
            details={"reading": "turned", "column": self.levels[high].column, "by": self.of(feature.name)},
        )

    def _apart(self, k: int, high: int, low: int) -> Estimate:
        """Shift in one part − shift in the other, the parts taken as independent."""
        first, second = self.effects[high], self.effects[low]
        value = float(first.value[k] - second.value[k])
        half = float(np.hypot(first.high[k] - first.value[k], second.high[k] - second.value[k]))
        prompts = int(first.n[k] + second.n[k])
        return Estimate(value, value - half, value + half, prompts, SHIFT_UNIT, "difference of two parts")
