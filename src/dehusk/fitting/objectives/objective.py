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
    weight: Tensor  # (b,) with a mean of one over the training set
    row: Tensor  # (b,) int64, rows of the training set
    foreign_chosen: Tensor | None = None  # (b, d) the same answers under another prompt
    foreign_rejected: Tensor | None = None  # (b, d)
    margin: Tensor | None = None  # (b,) target margins
    text_loss: Tensor | None = None  # (b,) mean −log π a token of the chosen answer, when a whole model is trained


class Objective(Protocol):
    """One way to fit a reward head; a frozen dataclass whose fields are the options of the method.

    The same objective serves heads on cached embeddings and the training of a whole model: it sees points and never
    asks where they come from. All that it learns or remembers is in the head, so a checkpoint of the head is one of
    the fit. Its chance (first weights, noise) is that of torch's own generator, which the training loop seeds.

    Its row in the table of objectives says what it `needs` beside points: "features" (at least one), "foreign" points,
    "text" (the text loss of a whole model).

    A step of training is `before`, then `terms`, their sum backwards, and a step of the optimiser over the head's
    parameters that ask for a gradient.
    """

    def build(self, dimensions: int, features: int, pairs: int) -> nn.ModuleDict:
        """The head, with whatever else is trained beside it and thrown away, on points of `dimensions`.

        `head["reward"]` holds the part that the rewards come from.
        """
        ...

    def before(self, head: nn.ModuleDict, batch: Batch, progress: float) -> None:
        """Bring up to date what is beside the head: queues, weights, networks with an optimiser of their own."""
        ...

    def terms(self, head: nn.ModuleDict, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Named scalars whose sum is minimised; `progress` runs from 0 to 1 over the training. Changes nothing."""
        ...

    def weights(self, head: nn.ModuleDict) -> list[Tensor]:
        """What an L2 penalty holds down: all that the likelihood is explained by, constants apart."""
        ...

    def reward(self, head: nn.ModuleDict, points: Tensor) -> Tensor:
        """Rewards, shape (b,), of points (b, d), as they are at use: nothing random, nothing that is thrown away."""
        ...

    def layers(self, head: nn.ModuleDict) -> list[tuple[Any, Any]]:
        """The same rewards as dense layers, (outputs, inputs) and (outputs,) NumPy arrays, a ReLU between them."""
        ...

    def readings(self, head: nn.ModuleDict) -> dict[str, float]:
        """What the method says about itself at the end, e.g. whether its penalty had anything to hold on to."""
        ...
