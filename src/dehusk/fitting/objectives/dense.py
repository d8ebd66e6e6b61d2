"""The head that most objectives fit: a linear layer, or a small network with one hidden layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dehusk.fitting.losses.bradley_terry import bradley_terry
from dehusk.fitting.objectives.objective import Batch

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Dense:
    """Rewards of a dense network; an objective adds its terms."""

    hidden: int = 0
    """Hidden ReLU units; 0 is a linear head."""

    def build(self, dimensions: int, features: int, pairs: int) -> nn.ModuleDict:
        from torch import nn

        return nn.ModuleDict({"reward": network(dimensions, self.hidden, 1)})

    def before(self, head: nn.ModuleDict, batch: Batch, progress: float) -> None:
        pass

    def reward(self, head: nn.ModuleDict, points: Tensor) -> Tensor:
        rewards: Tensor = head["reward"](points)[:, 0]
        return rewards

    def layers(self, head: nn.ModuleDict) -> list[tuple[Any, Any]]:
        return layers_of(head["reward"])

    def readings(self, head: nn.ModuleDict) -> dict[str, float]:
        return {}

    def weights(self, head: nn.ModuleDict) -> list[Tensor]:
        """Those of a linear head; of a network what each hidden unit adds to one, shape (h, d), as if all added alike.

        An L2 penalty on both layers would be one on |weights| and no longer on their squares: one that is right for a
        linear head makes every unit 0.
        """
        found = weights_in(head["reward"])
        if len(found) == 1:
            return found
        first, last = found
        return [math.sqrt(len(first)) / 2 * last[0, :, None] * first]  # a unit is on for half of the points

    def difference(self, head: nn.ModuleDict, batch: Batch) -> Tensor:
        """Rewards of the chosen less those of the rejected answers, shape (b,)."""
        return self.reward(head, batch.chosen) - self.reward(head, batch.rejected)

    def likelihood(self, head: nn.ModuleDict, batch: Batch) -> Tensor:
        """Bradley and Terry's loss of a batch with its margins and weights."""
        fit: Tensor = bradley_terry(self.difference(head, batch), margin=batch.margin, weight=batch.weight)
        return fit


def network(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """A linear layer, or two with `hidden` ReLUs between."""
    from torch import nn

    if not hidden:
        return nn.Sequential(nn.Linear(inputs, outputs))
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def layers_of(module: nn.Module) -> list[tuple[Any, Any]]:
    """Weights and biases, as float64 arrays, of the linear layers in a module, in their order."""
    from torch import nn

    found = [part for part in module.modules() if isinstance(part, nn.Linear)]
    arrays = [[part.detach().double().cpu().numpy() for part in (each.weight, each.bias)] for each in found]
    return [(weight, bias) for weight, bias in arrays]


def weights_in(module: nn.Module) -> list[Tensor]:
    """Weights, without constants, of the linear layers in a module."""
    from torch import nn

    return [part.weight for part in module.modules() if isinstance(part, nn.Linear)]


def hidden_states(head: nn.ModuleDict, points: Tensor) -> Tensor:
    """What the last layer sees: the hidden layer, or, of a linear head, the points themselves."""
    for part in list(head["reward"].children())[:-1]:
        points = part(points)
    return points
