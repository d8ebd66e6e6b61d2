"""Options of `dehusk repair`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dehusk.core.config import Config, Lang
from dehusk.core.errors import InputError
from dehusk.core.options.scoring import Scoring


@dataclass(frozen=True, kw_only=True)
class RepairConfig(Scoring, Config):
    """Repair preference pairs so that named features stop telling which answer was chosen."""

    pairs: str | None = None
    """Preference pairs, as for `dehusk audit`."""
    method: str | None = None
    """What to do (`dehusk list repairs`)."""
    target: tuple[str, ...] = ()
    """Features, families or phrases that should have nothing to do with the label. Repeatable."""
    option: tuple[str, ...] = ()
    """Options of the method as NAME=VALUE, such as caliper=0.1. Repeatable."""
    out: str | None = None
    """File of repaired pairs to write, in the layout of the source; what became of each row stands beside it."""
    report: str | None = None
    """Folder for a page with the audits before and after."""
    dry_run: bool = False
    """Say what would be done and write nothing."""
    embedder: str | None = None
    """Folder or packaged model (`dehusk models`) that places answers by meaning, for methods that ask for it."""
    map: tuple[str, ...] = ()
    """Columns of your file, e.g. prompt=question,chosen=win,rejected=lose."""
    layout: str | None = None
    """Read the pairs in this layout instead of detecting it."""
    format: Literal["text", "json"] = "text"
    """What is printed on standard output."""
    lang: Lang = "en"
    """Language of the report, the reasons and the messages."""
    seed: int = 0
    """Seed of every random choice."""

    def __post_init__(self) -> None:
        """Check what types cannot say."""
        super().__post_init__()
        self.check_scoring()

    def check_places(self) -> None:
        """Check that something is read, and that something is written or deliberately not.

        Raises:
            InputError: no pairs, or nowhere to write.
        """
        if self.pairs is None:
            raise InputError("nothing to repair", fix="--pairs FILE")
        if self.out is None and not self.dry_run:
            raise InputError("nowhere to write", fix="--out repaired.jsonl, or --dry-run")
