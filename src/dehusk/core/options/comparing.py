"""Options of `dehusk compare`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dehusk.core.config import Config, Lang
from dehusk.core.errors import InputError
from dehusk.core.options.scoring import Loading


@dataclass(frozen=True, kw_only=True)
class CompareConfig(Loading, Config):
    """Every way to repair, side by side on your own pairs: what each costs, what it removes, and what it moves."""

    pairs: str | None = None
    """Preference pairs, as for `dehusk audit`."""
    target: tuple[str, ...] = ()
    """Features, families or phrases that should not be paid for. Repeatable."""
    methods: tuple[str, ...] = ()
    """Names or kinds of methods (repair, objective, combination, adjustment); all of them when absent."""
    elsewhere: tuple[str, ...] = ()
    """Pairs of another distribution, as NAME=FILE: accuracy is looked at there too. Repeatable."""
    pool: str | None = None
    """Several answers a prompt, from which each method picks the best; with a column `gold` its gold is followed."""
    gold: str | None = None
    """A reward model, as KIND:WHERE, that says how good the answers of the pool are."""
    embedder: tuple[str, ...] = ("minilm",)
    """Frozen models whose embeddings heads are fitted on: a folder or a packaged model. Several stand side by side."""
    layers: tuple[int, ...] = (-1,)
    """Whose hidden states, side by side: 0 the token embeddings, -1 the last."""
    pooling: Literal["mean", "last"] = "mean"
    """Mean over the answer's tokens, or the last token."""
    splits: int = 5
    """Random splits of the prompts into a fitted and a held-out part."""
    held_out: float = 0.3
    """Share of the prompts that is held out in each split."""
    map: tuple[str, ...] = ()
    """Columns of your file, e.g. prompt=question,chosen=win,rejected=lose."""
    layout: str | None = None
    """Read the pairs in this layout instead of detecting it."""
    sample: int | None = None
    """Use this many pairs only, whole prompts, chosen at random."""
    out: str | None = None
    """Folder for comparison.json and comparison.html."""
    format: Literal["text", "json", "markdown"] = "text"
    """What is printed on standard output."""
    lang: Lang = "en"
    """Language of the messages."""
    seed: int = 0
    """Seed of every random choice."""

    def __post_init__(self) -> None:
        """Check what types cannot say.

        Raises:
            InputError: a share outside (0, 1), or too few splits for an interval.
        """
        super().__post_init__()
        self.check_scoring()
        if not 0 < self.held_out < 1:
            raise InputError(f"held-out = {self.held_out}", where="--held-out", expected="a share between 0 and 1")
        if self.splits < 2:
            raise InputError(f"splits = {self.splits}", where="--splits", expected="at least 2 for an interval")
