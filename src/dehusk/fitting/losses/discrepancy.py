"""A penalty on how the whole distribution of rewards differs between answers with more and with less of a feature."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dehusk.core.kinds import losses

if TYPE_CHECKING:
    from torch import Tensor


_FREQUENCIES = 32
_FARTHEST = 7.5  # bandwidths, over which so many frequencies give the kernel
_LOOKED_AT = 256  # answers whose distances give the bandwidth


@losses.add("conditional_mmd", paper="arXiv 2501.09620")
def conditional_mmd(
    shown: Tensor, features: Tensor, label: Tensor | None, *, bins: int = 5, bandwidth: float | None = None
) -> Tensor:
    """Mean MMD² between the quantile bins of each feature, within chosen and within rejected answers: CRM's penalty.

    It is the conditional form of arXiv 2501.09620; the unconditional one (without `label`) also punishes what a feature
    shares with being chosen. The bandwidth is the median distance between answers, taken without a gradient: with
    it the penalty is blind to the scale of rewards, while a fixed one is met by shrinking them. The estimate is the
    unbiased one (Gretton, 2012), around 0 and so now and then below it without any association; the biased one of the
    paper is positive in small bins even then.

    Args:
        shown: Rewards, or a representation, of the answers, shape (n, m).
        features: Shape (n, k).
        label: 1 for a chosen and 0 for a rejected answer, shape (n,); None for the unconditional form.
        bins: Quantile bins of a feature within a class.
        bandwidth: h of exp(−‖a − b‖² / 2h²); the median distance within the class by default.
    """
    import torch

    found = []
    for inside in [slice(None)] if label is None else [label > 0.5, label <= 0.5]:
        points = shown[inside]
        if len(points) < 2:
            continue
        alike = _likeness(points, bandwidth)
        for values in features[inside].T:
            found.append(between_bins(alike, bins_of(values, bins)))
    found = [part for part in found if len(part)]
    return torch.cat(found).mean() if found else shown.sum() * 0


def bins_of(values: Tensor, bins: int) -> Tensor:
    """Number of the quantile bin of each value, shape (n,); equal values share a bin, so some bins may be empty."""
    import torch

    cuts = torch.quantile(values, torch.linspace(0, 1, bins + 1, dtype=values.dtype, device=values.device)[1:-1])
    return torch.bucketize(values.contiguous(), cuts)


def between_bins(alike: Callable[[Tensor], Tensor], bins: Tensor) -> Tensor:
    """MMD² of every two bins with at least two answers, (pairs of bins,), from the kernel's sums over groups."""
    import torch
    from torch.nn.functional import one_hot

    member = one_hot(bins)
    member = member[:, member.sum(0) >= 2]
    total = alike(member)
    size = member.sum(0).to(total.dtype)
    within = (total.diag() - size) / (size * (size - 1))
    apart = within[:, None] + within[None] - 2 * total / (size[:, None] * size[None])
    first, second = torch.triu_indices(len(size), len(size), offset=1, device=total.device)
    return apart[first, second]


def _likeness(points: Tensor, bandwidth: float | None) -> Callable[[Tensor], Tensor]:
    """Sums of exp(−‖a − b‖² / 2h²) over every two of g groups, shape (g, g), from who is in them, shape (n, g).

    Of single numbers the kernel is a mean of cosines over frequencies (Bochner), so that no table of all pairs is
    needed. Gauss and Hermite's rule takes it, exact to 1e-3 up to a distance of 7.5 h; so numbers farther than half of
    that from their mean count as lying there.
    """
    import numpy as np
    import torch

    points = points - points.detach().mean(0)
    width = _median_distance(points.detach()) if bandwidth is None else bandwidth
    if points.shape[1] == 1:
        places, shares = (points.new_tensor(each) for each in np.polynomial.hermite_e.hermegauss(_FREQUENCIES))
        angles = (points / width).clamp(-_FARTHEST / 2, _FARTHEST / 2) * places
        waves = torch.cat([angles.cos(), angles.sin()], dim=1) * (shares / shares.sum()).sqrt().tile(2)

        def by_waves(member: Tensor) -> Tensor:
            sums = member.to(waves.dtype).T @ waves
            return sums @ sums.T

        return by_waves
    lengths = (points**2).sum(1)
    squares = (lengths[:, None] + lengths[None] - 2 * points @ points.T).clamp_min(0)
    kernel = (-squares / (2 * width**2)).exp()

    def by_pairs(member: Tensor) -> Tensor:
        member = member.to(kernel.dtype)
        return member.T @ kernel @ member

    return by_pairs


def _median_distance(points: Tensor) -> Any:
    """Median distance between answers, of evenly spaced ones if there are many."""
    import torch

    some = points[:: max(len(points) // _LOOKED_AT, 1)]
    return torch.pdist(some).median().clamp_min(1e-6)
