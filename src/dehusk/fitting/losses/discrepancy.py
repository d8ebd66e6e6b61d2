"""A penalty on how the whole distribution of rewards differs between answers with more and with less of a feature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dehusk.core.kinds import losses

if TYPE_CHECKING:
    from torch import Tensor


@losses.add("conditional_mmd", paper="arXiv 2501.09620")
def conditional_mmd(
    shown: Tensor, features: Tensor, label: Tensor, *, bins: int = 5, bandwidth: float | None = None
) -> Tensor:
    """Mean MMD² between the quantile bins of each feature, within chosen and within rejected answers: CRM's penalty.

    It is the conditional form of arXiv 2501.09620; the unconditional one, which also punishes what a feature shares
    with being chosen, is left out. The bandwidth is the median distance between answers, taken without a gradient: with
    it the penalty is blind to the scale of rewards, while a fixed one is met by shrinking them. The estimate is the
    unbiased one (Gretton, 2012), around 0 and so now and then below it without any association; the biased one of the
    paper is positive in small bins even then.

    Args:
        shown: Rewards, or a representation, of the answers, shape (n, m).
        features: Shape (n, k).
        label: 1 for a chosen and 0 for a rejected answer, shape (n,).
        bins: Quantile bins of a feature within a class.
        bandwidth: h of exp(−‖a − b‖² / 2h²); the median distance within the class by default.
    """
    import torch

    found = []
    for inside in (label > 0.5, label <= 0.5):
        points = shown[inside]
        if len(points) < 2:
            continue
        similar = _kernel(points, bandwidth)
        for values in features[inside].T:
            found.append(between_bins(similar, bins_of(values, bins)))
    found = [part for part in found if len(part)]
    return torch.cat(found).mean() if found else shown.sum() * 0


def bins_of(values: Tensor, bins: int) -> Tensor:
    """Number of the quantile bin of each value, shape (n,); equal values share a bin, so some bins may be empty."""
    import torch

    cuts = torch.quantile(values, torch.linspace(0, 1, bins + 1, dtype=values.dtype, device=values.device)[1:-1])
    return torch.bucketize(values.contiguous(), cuts)


def between_bins(similar: Tensor, bins: Tensor) -> Tensor:
    """MMD² of every two bins with at least two answers, (pairs of bins,), from the kernel's values, (n, n)."""
    import torch
    from torch.nn.functional import one_hot

    member = one_hot(bins).to(similar.dtype)
    member = member[:, member.sum(0) >= 2]
    size, total = member.sum(0), member.T @ similar @ member
    within = (total.diag() - size) / (size * (size - 1))
    apart = within[:, None] + within[None] - 2 * total / (size[:, None] * size[None])
    first, second = torch.triu_indices(len(size), len(size), offset=1, device=similar.device)
    return apart[first, second]


def _kernel(points: Tensor, bandwidth: float | None) -> Tensor:
    """exp(−‖a − b‖² / 2h²) of every two answers, shape (n, n), h the median distance by default."""
    import torch

    points = points - points.detach().mean(0)
    lengths = (points**2).sum(1)
    squares = (lengths[:, None] + lengths[None] - 2 * points @ points.T).clamp_min(0)
    if bandwidth is not None:
        return (-squares / (2 * bandwidth**2)).exp()
    above = torch.triu_indices(len(points), len(points), offset=1, device=points.device)
    middle = squares.detach()[above[0], above[1]].median().clamp_min(1e-12)
    return (-squares / (2 * middle)).exp()
