"""Probes on selection: what picking the best of n answers by a score does to everything else about them."""

from dehusk.probes.selection import best_of_n

__all__ = ["best_of_n"]
