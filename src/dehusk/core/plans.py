"""What a repair of preference pairs says should be done, before anything is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from dehusk.core.messages import Text
from dehusk.core.tables import Bools, Floats, Pairs


@dataclass(frozen=True, eq=False)
class Plan:
    """A decision for each of n pairs, and pairs to add; a repair returns one and changes nothing itself.

    A tie (neither answer is better) is two opposite pairs of half the weight: their loss is that of a label of one
    half, and every trainer can read them.
    """

    repair: str  # name in the table of repairs
    weight: Floats  # (n,), what each pair should count from now on; 0 leaves it out
    reason: tuple[Text | None, ...]  # (n,), why a pair is changed or left out; None where it stays as it is
    flipped: Bools | None = None  # (n,), pairs whose answers change places
    added: Pairs | None = None  # new pairs, in the order they follow at the end
    columns: Mapping[str, Floats] = field(default_factory=lambda: MappingProxyType({}))  # numbers to write beside pairs
    notes: tuple[Text, ...] = ()  # what the user should know: overlap, bins without a mirror, clipped weights

    @property
    def kept(self) -> Bools:
        """Pairs that stay, shape (n,)."""
        found: Bools = self.weight > 0
        return found

    @property
    def lost(self) -> int:
        """Pairs that are left out."""
        return int((~self.kept).sum())

    @property
    def effective(self) -> float:
        """Effective sample size of the pairs that stay: (Σw)² / Σw² (Kish, 1965)."""
        total, squares = float(self.weight.sum()), float((self.weight**2).sum())
        return total**2 / squares if squares > 0 else 0.0


def unchanged(pairs: Pairs) -> tuple[Floats, list[Text | None]]:
    """Weights and reasons of a plan that changes nothing, to start from."""
    return pairs.frame["weight"].to_numpy().astype(np.float64), [None] * len(pairs)
