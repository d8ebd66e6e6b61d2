"""Declared features by family, mined features, and measuring them all in one pass."""
