"""Reward models of every kind behind one `score`, and a store so that nothing is scored twice."""

from dehusk.rewards.opening import open_models
from dehusk.rewards.scoring import score_tables

__all__ = ["open_models", "score_tables"]
