"""What every objective is: it builds the head it needs, says what it minimises, and hands the head over at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Batch:
    """b pairs as tensors of one device; the points carry gradients when a whole model is trained."""

    chosen: Tensor  # (b, d) points of the chosen answers
    rejected: Tensor  # (b, d)
    chosen_features: Tensor  # (b, k) standardised once on the training set
    rejected_features: Tensor  # (b, k)
    weight: Tensor  # (b,)
    row: Tensor  # (b,) int64, rows of the training set
    foreign_chosen: Tensor | None = None  # (b, d) the same answers under another prompt
    foreign_rejected: Tensor | None = None  # (b, d)
    margin: Tensor | None = None  # (b,) target margins
    text_loss: Tensor | None = None  # (b,) mean −log π a token of the chosen answer, when a whole model is trained


class Objective(Protocol):
    """One way to fit a reward head; a frozen dataclass whose fields are the options of the method.

    The same objective serves heads on cached embeddings and the training of a whole model: it sees points and never
    asks where they come from.
    """

    def build(self, dimensions: int, features: int, pairs: int) -> nn.Module:
        """The head, with whatever else is trained beside it and thrown away, on points of `dimensions`."""
        ...

    def terms(self, head: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Named scalars whose sum is minimised; `progress` runs from 0 to 1 over the training."""
        ...

    def reward(self, head: nn.Module, points: Tensor) -> Tensor:
        """Rewards, shape (b,), of points (b, d), as they are at use: nothing random, nothing that is thrown away."""
        ...

    def layers(self, head: nn.Module) -> list[tuple[Any, Any]]:
        """The same rewards as dense layers, (outputs, inputs) and (outputs,) NumPy arrays, a ReLU between them."""
        ...
