"""Steps downhill for heads on points whose directions differ a thousandfold in size.

Two things make a few hundred steps enough. The gradient of weights on points is stretched so that Bradley and Terry's
loss bends about equally in all directions. And a step's length is set by the gradient as a whole, not number by number
as in Adam (compare Adam-mini, arXiv 2406.16793): a shortcut that lies in one direction is reached as fast as a
preference that is spread over all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dehusk.fitting.bradley_terry import Axes

if TYPE_CHECKING:
    from torch import Tensor, nn

_FIRST, _SECOND = 0.9, 0.99  # decay of the two moments, as usual for Adam
_RISE = 0.1  # of the steps, over which their length rises; then it falls as a cosine does
_RATE = 0.01  # Adam's, for numbers that are not weights on points: biases, later layers


@dataclass(frozen=True)
class Schedule:
    """How a head is fitted step by step: rounds, each with steps that grow and shrink, until one changes little."""

    steps: int = 200  # of a round
    rounds: int = 10  # at most; two at least, since what the second changes tells whether the first was enough
    batch: int = 1024  # pairs a step; all of them where there are fewer than two batches
    length: float = 0.12  # of the longest step, in units in which the loss bends by at most 1
    device: str = "cpu"  # where torch computes

    def count(self, pairs: int) -> int:
        """Steps of a round for n pairs: each is seen at least twice."""
        return max(self.steps, math.ceil(2 * pairs / self.batch))

    def share(self, progress: float) -> float:
        """Length of a step as a share of the longest."""
        rising = progress / _RISE
        return rising if rising < 1 else 0.5 * (1 + math.cos(math.pi * (progress - _RISE) / (1 - _RISE)))


class Stretch:
    """Multiplies by (mass / curvature)^½: what is steep becomes short, and the whole about round."""

    def __init__(self, axes: Axes, l2: float, mass: float, device: Any) -> None:
        """Take the curvature ¼ xᵀx + l2 of the loss of pairs whose weights have the sum `mass`."""
        import torch

        self.turn = torch.as_tensor(axes.turn, device=device)
        self.flat = math.sqrt(mass / l2)
        self.along = (mass / (torch.as_tensor(axes.power, device=device) / 4 + l2)).sqrt() - self.flat

    def __call__(self, numbers: Tensor) -> Tensor:
        """Stretch rows of numbers, shape (…, d)."""
        stretched: Tensor = numbers * self.flat + ((numbers @ self.turn) * self.along) @ self.turn.T
        return stretched


class Descent:
    """Steps against the gradient: its running mean, divided by its running size."""

    def __init__(self, head: nn.Module, stretch: Stretch, length: float) -> None:
        """Keep the numbers of `head` that ask for a gradient; a longest step of stretched ones has this `length`."""
        import torch

        self._numbers = [each for each in head.parameters() if each.requires_grad]
        dimensions = len(stretch.turn)
        self._on_points = [each.ndim == 2 and each.shape[1] == dimensions for each in self._numbers]
        self._stretch, self._length = stretch, length
        self._first = [torch.zeros_like(each) for each in self._numbers]
        self._second = [torch.zeros_like(each) for each in self._numbers]
        self._taken = 0

    def step(self, loss: Tensor, share: float) -> None:
        """One step, of a share of the longest length."""
        import torch

        self._taken += 1
        fresh, freshest = 1 - _FIRST**self._taken, 1 - _SECOND**self._taken
        moments = zip(self._numbers, self._on_points, self._slopes(loss), self._first, self._second, strict=True)
        with torch.no_grad():
            for each, on_points, slope, first, second in moments:
                size = slope.square().mean(dim=1, keepdim=True) if on_points else slope.square()
                first.lerp_(slope, 1 - _FIRST)
                second.lerp_(size.expand_as(second), 1 - _SECOND)
                step = (first / fresh) / ((second / freshest).sqrt() + 1e-12)
                if on_points:
                    each.sub_(self._stretch(step), alpha=self._length / math.sqrt(each.shape[1]) * share)
                else:
                    each.sub_(step, alpha=_RATE * share)

    def _slopes(self, loss: Tensor) -> list[Tensor]:
        """Gradients, stretched where they are of weights on points; 0 where the loss does not depend on them."""
        import torch

        found = torch.autograd.grad(loss, self._numbers, allow_unused=True, materialize_grads=True)
        return [
            self._stretch(slope) if on_points else slope
            for slope, on_points in zip(found, self._on_points, strict=True)
        ]


def held_down(weights: Sequence[Tensor]) -> Tensor:
    """Half the sum of squares: what an L2 penalty multiplies."""
    import torch

    return torch.stack([each.square().sum() for each in weights]).sum() / 2
