"""What a small network beside a head would learn, solved for: regressions on a few inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dehusk.fitting.losses.correlation import residuals

if TYPE_CHECKING:
    from torch import Tensor, nn

_RIDGE = 1e-3  # of the mean size of an input: some of them may be the same
_NEWTON = 3  # steps from the last solution
_LOG_ODDS = 0.01  # ridge a row, 1 at least, which keeps log odds finite where the label can be told for certain


def least_squares(inputs: Tensor, values: Tensor, label: Tensor | None, weight: Tensor) -> Tensor:
    """What a linear regression says of values, shape (n, m), without a gradient.

    Args:
        inputs: Shape (n, f).
        values: Shape (n, m).
        label: 1 or 0, shape (n,), where both classes have a constant of their own; None for a single constant.
        weight: What each row counts, shape (n,).
    """
    import torch

    with torch.no_grad():
        x, y = (
            residuals(each, torch.ones_like(weight) if label is None else label, weight=weight)
            for each in (inputs, values)
        )
        product = x.T @ (weight[:, None] * x)
        ridge = _RIDGE * product.diagonal().mean() + 1e-12
        slopes = torch.linalg.solve(product + ridge * torch.eye(len(product)).to(product), x.T @ (weight[:, None] * y))
        said: Tensor = inputs @ slopes
        return said


def regression(inputs: int, outputs: int) -> nn.Module:
    """A linear layer that knows nothing yet and asks for no gradient: `log_odds` solves for it."""
    from torch import nn

    made = nn.Linear(inputs, outputs).requires_grad_(requires_grad=False)
    for each in made.parameters():
        nn.init.zeros_(each)
    return made


def log_odds(layer: nn.Module, inputs: Tensor, labels: Tensor, known: Tensor) -> None:
    """Make a layer from `regression` the logistic regressions of k labels, from where it stands, by Newton's method.

    Args:
        layer: The layer.
        inputs: Shape (n, f).
        labels: 1 or 0, shape (n, k).
        known: What each label counts, shape (n, k).
    """
    import torch

    with torch.no_grad():
        x = torch.cat([inputs, torch.ones_like(inputs[:, :1])], dim=1)
        slopes, constants = layer.get_parameter("weight"), layer.get_parameter("bias")
        found = torch.cat([slopes, constants[:, None]], dim=1)
        ridge = (_LOG_ODDS * known.sum(0)).clamp_min(1.0)  # where next to nothing is known, next to nothing is said
        for _ in range(_NEWTON):
            said = (x @ found.T).sigmoid()
            slope = (known * (said - labels)).T @ x + ridge[:, None] * found
            bend = torch.einsum("nk,nf,ng->kfg", known * said * (1 - said), x, x)
            bend = bend + ridge[:, None, None] * torch.eye(x.shape[1]).to(x)
            found = found - torch.linalg.solve(bend, slope)
        slopes.copy_(found[:, :-1])
        constants.copy_(found[:, -1])
