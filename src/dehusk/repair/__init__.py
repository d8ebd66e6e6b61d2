"""Repairs of preference pairs, one module a method: each returns a `Plan` and changes nothing itself."""

import dehusk.repair.aflite
import dehusk.repair.augmenting
import dehusk.repair.cartography
import dehusk.repair.flipping
import dehusk.repair.matching
import dehusk.repair.ranking
import dehusk.repair.reweighting
import dehusk.repair.selecting  # noqa: F401 - importing a module adds its repairs to the table
from dehusk.repair.applying import apply

__all__ = ["apply"]
