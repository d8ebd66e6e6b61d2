"""Options of `dehusk audit` and `dehusk validate`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dehusk.core.config import Config, FailOn, Format, Lang
from dehusk.core.errors import InputError
from dehusk.core.options.scoring import Scoring


@dataclass(frozen=True, kw_only=True)
class AuditConfig(Scoring, Config):
    """What separates chosen from rejected, and what grew from stage to stage."""

    pairs: str | None = None
    """Preference pairs: JSONL, JSON, CSV, Parquet (also .gz, .zst), a saved HF dataset or hf://…"""
    responses: tuple[str, ...] = ()
    """Answers of one stage as NAME=FILE, earliest stage first; or one FILE with a stage column. Repeatable."""
    counterfactuals: str | None = None
    """Answers beside rewrites that add one feature: columns prompt, original, edited, feature, perhaps human."""
    log: str | None = None
    """What a trainer wrote: its output folder, or a log file."""
    map: tuple[str, ...] = ()
    """Columns of your file, e.g. prompt=question,chosen=win,rejected=lose."""
    layout: str | None = None
    """Read the pairs in this layout instead of detecting it (`dehusk list layouts`)."""
    stages: tuple[str, ...] = ()
    """Order of the stages, earliest first, where a file has a stage column."""
    unwanted: tuple[str, ...] = ()
    """Features, families or phrases that must not be associated or grow: a warning about them is a failure."""
    wanted: tuple[str, ...] = ()
    """Features, families or phrases that may: they are reported, never warned about."""
    fail_on: FailOn = "fail"
    """Exit with code 1 when a finding is this serious."""
    out: str | None = None
    """Folder for audit.json, report.html, report.md and the measured tables."""
    format: Format = "text"
    """What is printed on standard output."""
    lang: Lang = "en"
    """Language of the report and the messages."""
    q: float = 0.05
    """False-discovery rate at which a finding counts as confirmed."""
    sample: int | None = None
    """Look at this many rows only, whole prompts, chosen at random."""
    texts: int = 100
    """Prompts on which a reward model scores edited answers and swapped prompts; more is slower and surer."""
    seed: int = 0
    """Seed of every random choice."""

    def __post_init__(self) -> None:
        """Check what types cannot say.

        Raises:
            InputError: q outside (0, 1) or a sample of nothing.
        """
        super().__post_init__()
        self.check_scoring()
        if not 0 < self.q < 1:
            raise InputError(f"q = {self.q}", where="--q", expected="a rate between 0 and 1", fix="--q 0.05")
        if self.sample is not None and self.sample < 1:
            raise InputError(f"sample = {self.sample}", where="--sample", expected="at least 1 row")
        if self.texts < 1:
            raise InputError(f"texts = {self.texts}", where="--texts", expected="at least 1 prompt")


@dataclass(frozen=True, kw_only=True)
class ValidateConfig(Config):
    """Plant known effects in your own data and see which of them an audit finds."""

    pairs: str | None = None
    """Preference pairs, as for `dehusk audit`."""
    responses: tuple[str, ...] = ()
    """Answers of two stages, as for `dehusk audit`; the effect is planted in the last."""
    map: tuple[str, ...] = ()
    """Columns of your file, e.g. prompt=question,chosen=win,rejected=lose."""
    layout: str | None = None
    """Read the pairs in this layout instead of detecting it."""
    stages: tuple[str, ...] = ()
    """Order of the stages, earliest first, where a file has a stage column."""
    rates: tuple[float, ...] = (0.005, 0.01, 0.02, 0.03, 0.05)
    """Shares of the chosen (later) answers in which the phrase is planted."""
    repeats: int = 20
    """Plantings a rate, and label permutations."""
    phrase: str | None = None
    """The phrase to plant; by default one that does not occur in the data, in the data's language."""
    q: float = 0.05
    """False-discovery rate at which a finding counts as confirmed."""
    sample: int | None = None
    """Look at this many rows only, whole prompts, chosen at random."""
    seed: int = 0
    """Seed of every random choice."""
    lang: Lang = "en"
    """Language of the messages."""
    format: Literal["text", "json"] = "text"
    """What is printed on standard output."""

    def __post_init__(self) -> None:
        """Check what types cannot say; `AuditConfig` checks the options they share.

        Raises:
            InputError: a rate outside (0, 1] or nothing to repeat.
        """
        super().__post_init__()
        for rate in self.rates:
            if not 0 < rate <= 1:
                raise InputError(f"rate {rate:g}", where="--rates", expected="shares in (0, 1]", fix="--rates 0.03")
        if self.repeats < 1:
            raise InputError(f"repeats = {self.repeats}", where="--repeats", expected="at least 1")
