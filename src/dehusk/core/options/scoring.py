"""Which reward models are asked, and `dehusk score`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dehusk.core.config import Config, Lang
from dehusk.core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Loading:
    """How models are loaded and run."""

    store: str | None = None
    """File that keeps scores and embeddings, so that none is computed twice; by default in the user's cache folder."""
    device: str = "auto"
    """Where models run: auto, cpu, cuda, cuda:1, mps."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number format of models; auto takes bfloat16 where the processor is faster with it."""
    batch_tokens: int = 4096
    """Most tokens a batch, padding included; a processor without a GPU is fastest with 1,024 and takes no more."""
    max_length: int | None = None
    """Tokens kept of a text; by default what the model was made for."""

    def check_scoring(self) -> None:
        """Check what types cannot say.

        Raises:
            InputError: a batch or a length of nothing.
        """
        for name, least in (("batch_tokens", self.batch_tokens), ("max_length", self.max_length)):
            if least is not None and least < 1:
                raise InputError(f"{name} = {least}", where=f"--{name.replace('_', '-')}", expected="at least 1")


@dataclass(frozen=True, kw_only=True)
class Scoring(Loading):
    """Which reward models to ask, and how; shared by the verbs that score."""

    reward_model: tuple[str, ...] = ()
    """Reward models as [NAME=]KIND:WHERE (`dehusk list reward_models`), earliest first; the last is audited."""


@dataclass(frozen=True, kw_only=True)
class ScoreConfig(Scoring, Config):
    """Score pairs or responses with reward models and write the numbers to a file."""

    pairs: str | None = None
    """Preference pairs, as for `dehusk audit`."""
    responses: tuple[str, ...] = ()
    """Answers, as for `dehusk audit`."""
    map: tuple[str, ...] = ()
    """Columns of your file, e.g. prompt=question,chosen=win,rejected=lose."""
    layout: str | None = None
    """Read the pairs in this layout instead of detecting it."""
    stages: tuple[str, ...] = ()
    """Order of the stages, earliest first, where a file has a stage column."""
    out: str | None = None
    """File of scores to write (JSONL, CSV or Parquet by its suffix); standard output as JSONL when absent."""
    sample: int | None = None
    """Score this many rows only, whole prompts, chosen at random."""
    seed: int = 0
    """Seed of the sample."""
    lang: Lang = "en"
    """Language of the messages."""

    def __post_init__(self) -> None:
        """Check what types cannot say."""
        super().__post_init__()
        self.check_scoring()
