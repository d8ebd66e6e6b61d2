"""Reward models of every kind behind one `score`, and a store so that nothing is scored twice."""

import dehusk.rewards.callables
import dehusk.rewards.combining
import dehusk.rewards.command
import dehusk.rewards.ensembles
import dehusk.rewards.heads
import dehusk.rewards.http
import dehusk.rewards.implicit
import dehusk.rewards.projection
import dehusk.rewards.score_files
import dehusk.rewards.shaping
import dehusk.rewards.transformer  # noqa: F401 - importing a module adds its kinds to the table
from dehusk.rewards.lookup import ScoreFile
from dehusk.rewards.opening import open_models, parse_model
from dehusk.rewards.scoring import score_tables

__all__ = ["ScoreFile", "open_models", "parse_model", "score_tables"]
