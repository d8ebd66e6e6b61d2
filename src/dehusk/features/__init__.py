"""Declared features by family, mined features, and measuring them all in one pass."""

from dehusk.features import formula, language, layout, length, repetition, rhetoric, tone
from dehusk.features.measuring import declared, measure

__all__ = ["declared", "formula", "language", "layout", "length", "measure", "repetition", "rhetoric", "tone"]
