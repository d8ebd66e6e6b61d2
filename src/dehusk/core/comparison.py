"""Methods side by side: one row a method, one reading a column, and the JSON of it (schema 1).

`comparison.json` is a contract: others build on it. `docs/comparison.schema.json` describes it and a test validates
against it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from dehusk.core.findings import Estimate, plain
from dehusk.core.messages import Text
from dehusk.core.run import InputRecord, RunRecord

SCHEMA = 1
LOST = 0.01  # accuracy on the user's own distribution that a repair may cost


@dataclass(frozen=True)
class MethodRow:
    """What one method gave over all splits.

    `readings` are its own values, `against` the differences from the plain model on the same splits (paired); both by
    the name of the column. `moved` is the feature, no target, whose coefficient changed most, `grown` the one that grew
    most away from 0, each with the change; `grown_sure` says whether that is more than next to nothing, and holds when
    all other features are looked at together.
    """

    method: str
    kind: str  # "plain", "repair", "objective", "combination" or "adjustment"
    readings: Mapping[str, Estimate] = field(default_factory=lambda: MappingProxyType({}))
    against: Mapping[str, Estimate] = field(default_factory=lambda: MappingProxyType({}))
    moved: tuple[str, Estimate] | None = None
    grown: tuple[str, Estimate] | None = None
    grown_sure: bool = False
    efficient: bool = False  # no other method is better on accuracy and on the targets at once
    lost: float = 0.0  # pairs left out, mean a split
    added: float = 0.0  # pairs added, mean a split
    effective: float = 0.0  # effective sample size of the pairs that were fitted, mean a split
    seconds: float = 0.0  # mean a split
    refusal: Text | None = None  # why there is no number


@dataclass(frozen=True)
class Comparison:
    """Every method on the same data, splits and embeddings."""

    run: RunRecord
    inputs: tuple[InputRecord, ...]
    targets: tuple[str, ...]
    columns: tuple[str, ...]  # names of the readings, in the order they are shown
    rows: tuple[MethodRow, ...]
    splits: int
    pairs: int
    prompts: int
    best_of: int | None = None  # answers of the pool of which the best is looked at for targets, and gold in short
    notes: tuple[Text, ...] = ()

    @property
    def plain(self) -> MethodRow:
        """The model that all others are compared with."""
        return next(row for row in self.rows if row.kind == "plain")

    @property
    def gold(self) -> str | None:
        """The column that says in short how good the answers are that a method picks."""
        return next((key for key in self.columns if key == f"gold:{self.best_of}"), None)

    @property
    def paid(self) -> tuple[str, ...]:
        """Targets that the plain model pays for, or punishes, beyond chance."""
        return tuple(name for name in self.targets if self.plain.readings[f"coefficient:{name}"].direction)

    def clears(self, row: MethodRow) -> bool:
        """Whether a method does what was asked and nothing else.

        The coefficient of every target that the plain model pays for moved towards 0 beyond chance and has 0 in its
        interval, no other target got one that has not, at most a point of accuracy is lost, gold of the best of 16 (of
        all, where there are fewer) is not lower, and no other feature grew. Never so where the plain model pays for no
        target.
        """
        if not self.paid or not row.against:
            return False
        signs = {name: self.plain.readings[f"coefficient:{name}"].direction for name in self.paid}
        return (
            all(row.readings[f"coefficient:{name}"].direction == 0 for name in self.targets)
            and all(row.against[f"coefficient:{name}"].direction == -sign for name, sign in signs.items())
            and row.against["accuracy"].value >= -LOST
            and (self.gold is None or row.against[self.gold].high >= 0)
            and not row.grown_sure
        )

    def to_json(self) -> str:
        """The comparison as JSON; a sentence is its English text, its key and its values."""
        return json.dumps({"schema": SCHEMA, **plain(self)}, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
