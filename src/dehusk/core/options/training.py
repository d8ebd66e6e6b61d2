"""How the weights of a whole model are trained; part of `dehusk fit`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dehusk.core.errors import InputError
from dehusk.core.options.scoring import Loading


@dataclass(frozen=True, kw_only=True)
class Training(Loading):
    """How a reward model is trained."""

    embedder: str = "smollm2"
    """Model whose states heads sit on, and that --train lora and full start from: a folder, a hub name or a packaged
    model (`dehusk models`)."""
    target: tuple[str, ...] = ("characters",)
    """Features, families or phrases that the objective sees. Repeatable."""
    train: Literal["heads", "lora", "full"] = "heads"
    """What is fitted: heads on embeddings of a frozen model, added low-rank matrices and a head, or all weights."""
    lora_rank: int = 16
    """Rank of the matrices that --train lora adds to every linear layer."""
    lora_alpha: int = 32
    """What they are multiplied by, times their rank."""
    learning_rate: float | None = None
    """Largest step size, reached after a tenth of the steps; 1e-4 for --train lora and 1e-5 for --train full."""
    epochs: float = 1.0
    """Times that every pair is seen."""
    batch: int = 8
    """Pairs a device and step; penalties on correlations are measured on all pairs of a step."""
    accumulate: int = 1
    """Steps whose gradients are added up before the weights change."""
    overlong: Literal["truncate", "drop"] = "truncate"
    """Whether a text longer than --max-length loses its beginning, or its pair is left out; both are counted."""
    held_out: float = 0.1
    """Share of the prompts that are held out for the monitor."""
    looks: int = 10
    """Times that the held-out pairs are looked at while a whole model is trained, and a checkpoint is written."""
    resume: bool = False
    """Go on from the last checkpoint of a run that was stopped."""
    seed: int = 0
    """Seed of every random choice."""

    def check_training(self) -> None:
        """Check what types cannot say.

        Raises:
            InputError: nothing to train with, or on.
        """
        for name in ("lora_rank", "lora_alpha", "learning_rate", "epochs", "batch", "accumulate", "looks"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{name} = {value}", where=f"--{name.replace('_', '-')}", expected="more than 0")
        if not 0 < self.held_out < 1:
            raise InputError(f"held_out = {self.held_out}", where="--held-out", expected="a share between 0 and 1")
