"""Options of `dehusk certify`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dehusk.core.config import Config, Lang
from dehusk.core.errors import InputError
from dehusk.core.options.scoring import Loading


@dataclass(frozen=True, kw_only=True)
class CertifyConfig(Loading, Config):
    """Certify a repaired reward model: what it chooses, against what the one before it chose from the same answers."""

    responses: str | None = None
    """Several answers to each prompt, from which both reward models choose; a column `gold` says how good they are."""
    pairs: str | None = None
    """Labelled pairs, as for `dehusk audit`: accuracy must not be lower. Without --responses they are the pool too."""
    before: str | None = None
    """The reward model before the repair, as [NAME=]KIND:WHERE (`dehusk list reward_models`)."""
    after: str | None = None
    """The reward model after the repair."""
    gold: str | None = None
    """A reward model that says how good answers are, of another family than both."""
    target: tuple[str, ...] = ()
    """Features, families or phrases whose pressure the repair should have taken away. Repeatable."""
    wanted: tuple[str, ...] = ()
    """Features, families or phrases that the repaired model may choose more of. Repeatable."""
    fail_on: tuple[Literal["contamination", "substitution", "over_correction", "not_enough_data", "never"], ...] = (
        "contamination",
        "substitution",
        "over_correction",
        "not_enough_data",
    )
    """Verdicts that exit with code 1."""
    margin: float = 0.15
    """Pressure on a target that does not matter: about its correlation with the reward within prompts."""
    growth: float = 0.1
    """Growth of the pressure on another feature that does not matter."""
    gold_margin: float = 0.1
    """Loss of pressure on gold that does not matter."""
    accuracy_margin: float = 0.02
    """Loss of accuracy on labelled pairs that does not matter."""
    detectable: float = 0.3
    """Growth that must not have gone unseen on any feature for success."""
    nats: float = 0.5
    """How far weights exp(score/β) go that choose beside best-of-n, in nats; 16 answers reach about 1; 0 for none."""
    level: float = 0.95
    """Coverage of the intervals, all at once."""
    map: tuple[str, ...] = ()
    """Columns of your file, e.g. prompt=question,response=answer."""
    layout: str | None = None
    """Read the pairs in this layout instead of detecting it (`dehusk list layouts`)."""
    sample: int | None = None
    """Look at this many rows only, whole prompts, chosen at random."""
    out: str | None = None
    """Folder for certificate.json and certificate.html."""
    format: Literal["text", "json"] = "text"
    """What is printed on standard output."""
    lang: Lang = "en"
    """Language of the page and the messages."""
    seed: int = 0
    """Seed of every random choice."""

    def __post_init__(self) -> None:
        """Check what types cannot say.

        Raises:
            InputError: a margin of nothing, a level outside (0, 1), a negative divergence, or a sample of nothing.
        """
        super().__post_init__()
        self.check_scoring()
        for name in ("margin", "growth", "gold_margin", "accuracy_margin", "detectable"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} = {getattr(self, name):g}", where=_flag(name), expected="more than 0")
        if self.detectable <= self.growth:
            expected = f"more than --growth ({self.growth:g})"
            raise InputError(f"detectable = {self.detectable:g}", where="--detectable", expected=expected)
        if not 0 < self.level < 1:
            raise InputError(f"level = {self.level:g}", where="--level", expected="a share between 0 and 1")
        if not self.nats >= 0:
            raise InputError(f"nats = {self.nats:g}", where="--nats", expected="0 or more")
        if self.sample is not None and self.sample < 1:
            raise InputError(f"sample = {self.sample}", where="--sample", expected="at least 1 row")

    def check_given(self) -> None:
        """Check that there is something to choose from, something that chooses, and something to look at.

        Raises:
            InputError: naming what is missing.
        """
        if self.responses is None and self.pairs is None:
            raise InputError("nothing to choose from", fix="--responses pool.jsonl, several answers to each prompt")
        for name in ("before", "after"):
            if getattr(self, name) is None:
                fix = f"--{name} hf:FOLDER (dehusk list reward_models)"
                raise InputError(f"no reward model {name} the repair", fix=fix)
        if not self.target:
            raise InputError("no target", expected="the feature that was repaired", fix="--target characters")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
