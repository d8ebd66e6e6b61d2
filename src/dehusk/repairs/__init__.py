"""Repairs of preference pairs, one module a method: each returns a `Plan` and changes nothing itself."""

import dehusk.repairs.aflite
import dehusk.repairs.augmenting
import dehusk.repairs.cartography
import dehusk.repairs.flipping
import dehusk.repairs.matching
import dehusk.repairs.ranking
import dehusk.repairs.reweighting
import dehusk.repairs.selecting  # noqa: F401 - importing a module adds its repairs to the table
from dehusk.repairs.applying import apply

__all__ = ["apply"]
