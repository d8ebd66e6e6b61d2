"""Networks that learn beside a head, by an optimiser of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dehusk.fitting.objectives.dense import network

if TYPE_CHECKING:
    from torch import Tensor, nn

Apply = Callable[["Tensor"], "Tensor"]

_DECAYS = (0.5, 0.99)  # shorter memories than Adam's own: it follows a head that moves
_EPSILON = 1e-8


def side_network(inputs: int, hidden: int, outputs: int) -> nn.Module:
    """A small network whose parameters ask for no gradient, so that the head's optimiser leaves them to `learn`.

    Adam's moments are buffers of it: a checkpoint of the head holds them.
    """
    import torch

    made = network(inputs, hidden, outputs).requires_grad_(requires_grad=False)
    for name, parameter in list(made.named_parameters()):
        for moment in ("first", "second"):
            made.register_buffer(_buffer(moment, name), torch.zeros_like(parameter))
    made.register_buffer("steps", torch.zeros((), dtype=torch.long))
    return made


def ask(side: nn.Module, inputs: Tensor) -> Tensor:
    """Its outputs, shape (n, outputs), with a gradient to the inputs only."""
    outputs: Tensor = side(inputs)
    return outputs


def learn(side: nn.Module, loss: Callable[[Apply], Tensor], *, rate: float) -> None:
    """One step of Adam on loss(apply), apply being the network with a gradient to its parameters."""
    import torch
    from torch.func import functional_call

    leaves = {name: each.detach().requires_grad_() for name, each in side.named_parameters()}
    with torch.enable_grad():
        found = torch.autograd.grad(loss(lambda inputs: functional_call(side, leaves, (inputs,))), [*leaves.values()])
    steps = side.get_buffer("steps")
    steps += 1
    with torch.no_grad():
        for (name, parameter), slope in zip(side.named_parameters(), found, strict=True):
            scaled = []
            for moment, decay, value in zip(("first", "second"), _DECAYS, (slope, slope**2), strict=True):
                kept = side.get_buffer(_buffer(moment, name))
                kept.mul_(decay).add_(value, alpha=1 - decay)
                scaled.append(kept / (1 - decay ** int(steps)))
            parameter.addcdiv_(scaled[0], scaled[1].sqrt() + _EPSILON, value=-rate)


def _buffer(moment: str, name: str) -> str:
    return f"{moment}_{name.replace('.', '_')}"
