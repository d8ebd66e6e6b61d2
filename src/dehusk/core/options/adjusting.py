"""Options of `dehusk adjust`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dehusk.core.config import Config, Lang
from dehusk.core.errors import InputError
from dehusk.core.options.scoring import Scoring


@dataclass(frozen=True, kw_only=True)
class AdjustConfig(Scoring, Config):
    """Make a frozen reward model another one, or several one, and say what that changed on held-out prompts."""

    method: str | None = None
    """What to do (`dehusk list adjustments`): project, residualise, par, …; ensemble or average for several models."""
    pairs: str | None = None
    """Preference pairs, as for `dehusk audit`: what is made is made on some prompts and looked at on the others."""
    responses: tuple[str, ...] = ()
    """Answers of the policy: what residualise is fitted on, and par is centred on; without any, those of the pairs."""
    target: tuple[str, ...] = ()
    """Features, families or phrases that should not be paid for. Repeatable."""
    rule: str | None = None
    """How an ensemble makes one score of several (`dehusk list combinations`); mean when absent."""
    option: tuple[str, ...] = ()
    """Options of the method as NAME=VALUE, such as strength=0.5. Repeatable."""
    out: str | None = None
    """Folder to write the new model to; what is printed names it as --reward-model takes it."""
    held_out: float = 0.3
    """Share of the prompts of the pairs that only look at the result."""
    map: tuple[str, ...] = ()
    """Columns of your file, e.g. prompt=question,chosen=win,rejected=lose."""
    layout: str | None = None
    """Read the pairs in this layout instead of detecting it."""
    stages: tuple[str, ...] = ()
    """Order of the stages, earliest first, where a file of responses has a stage column."""
    sample: int | None = None
    """Use this many rows only, whole prompts, chosen at random."""
    format: Literal["text", "json"] = "text"
    """What is printed on standard output."""
    lang: Lang = "en"
    """Language of the messages."""
    seed: int = 0
    """Seed of every random choice."""

    def __post_init__(self) -> None:
        """Check what types cannot say.

        Raises:
            InputError: a share outside (0, 1), or a sample of nothing.
        """
        super().__post_init__()
        self.check_scoring()
        if not 0 < self.held_out < 1:
            raise InputError(f"held-out = {self.held_out}", where="--held-out", expected="a share between 0 and 1")
        if self.sample is not None and self.sample < 1:
            raise InputError(f"sample = {self.sample}", where="--sample", expected="at least 1 row")

    def check_places(self) -> None:
        """Check that there is a model, a method, something to read and somewhere to write.

        Raises:
            InputError: what is missing.
        """
        if not self.reward_model:
            raise InputError("no reward model", fix="--reward-model linear:FOLDER (dehusk list reward_models)")
        if self.pairs is None:
            raise InputError("nothing to look at the result with", fix="--pairs FILE")
        if self.out is None:
            raise InputError("nowhere to write", fix="--out FOLDER")
