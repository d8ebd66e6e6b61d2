"""Losses that count some pairs more than others: PoE, focal, NormBT, JTT, GroupDRO."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dehusk.core.kinds import losses
from dehusk.fitting.losses.bradley_terry import bradley_terry

if TYPE_CHECKING:
    from torch import Tensor


@losses.add("product_of_experts", paper="arXiv 2310.05199")
def product_of_experts(
    difference: Tensor, expert: Tensor, *, margin: Tensor | None = None, weight: Tensor | None = None
) -> Tensor:
    """−log σ(d + d_b), d_b of an expert on features alone without a gradient (arXiv 2310.05199).

    A pair that the expert already gets right pulls little on the reward that is kept; one it gets wrong pulls more.

    Args:
        difference: Reward differences d, shape (b,).
        expert: Those of the expert d_b, shape (b,).
        margin: Target margins, shape (b,).
        weight: What each pair counts, shape (b,).
    """
    loss: Tensor = bradley_terry(difference + expert.detach(), margin=margin, weight=weight)
    return loss


@losses.add("focal", paper="arXiv 1708.02002")
def focal(difference: Tensor, *, gamma: float = 2.0, weight: Tensor | None = None) -> Tensor:
    """−(1 − σ(d))^γ · log σ(d): pairs that are easy count little (Lin, arXiv 1708.02002); γ = 0 is plain.

    Args:
        difference: Reward differences d, shape (b,).
        gamma: γ, 2 in the paper.
        weight: What each pair counts, shape (b,).
    """
    from torch.nn.functional import logsigmoid

    each = -(gamma * logsigmoid(-difference)).exp() * logsigmoid(difference)
    return (each if weight is None else weight * each).mean()


@losses.add("distance_weights", paper="arXiv 2512.06343")
def distance_weights(distance: Tensor, typical: Tensor, *, most: float = 10.0) -> Tensor:
    """NormBT's weights: typical distance / ‖h_w − h_l‖, shape (b,), without a gradient (arXiv 2512.06343).

    The gradient of a pair is as long as its distance, so a plain head learns next to nothing from much alike answers.

    Args:
        distance: ‖h_w − h_l‖, shape (b,).
        typical: Running mean of distances, a scalar.
        most: Largest weight. The paper adds a tiny ε to the distance instead, so that answers that are the same in all
            but rounding count a million times.
    """
    return (typical / distance.clamp_min(1e-12)).clamp_max(most).detach()


@losses.add("error_weights", paper="arXiv 2107.09044")
def error_weights(difference: Tensor, *, factor: float = 3.0, believable: float = 0.1, room: float = 0.4) -> Tensor:
    """JTT's weights: `factor` for pairs that a first head gets wrong, 1 for others, shape (n,) (arXiv 2107.09044).

    Of preferences a fifth to a third are labelled wrong, and those are mostly what a head gets wrong. So errors never
    get more than a share `room` of the weight: with a half, what the first head says tells nothing of the label any
    more, and beyond it a second head learns the contrary. Pairs to whose label the first gives less than `believable`
    keep a weight of 1, and so do those it never saw (NaN). The paper has neither (room = 1, believable = 0).

    Args:
        difference: Reward differences of the first head, all n pairs, shape (n,).
        factor: How often a pair it gets wrong counts; 20 to 100 in the paper, whose labels are clean.
        believable: Least probability that the first head may give to a label that counts more.
        room: Largest share of the weight of the pairs it saw that its errors get together, unless they are more.
    """
    wrong = (difference < 0) & (difference.sigmoid() >= believable)
    errors, others = wrong.sum(), (difference.isfinite() & ~wrong).sum()
    allowed = room * others / ((1 - room) * errors).clamp_min(1e-12)  # 1 / 0 is no limit
    weights: Tensor = 1 + (allowed.clamp(1.0, max(factor, 1.0)) - 1) * wrong.to(difference.dtype)
    return weights


def group_losses(each: Tensor, groups: Tensor) -> Tensor:
    """Mean loss of every group, shape (g,); 0 for one without pairs.

    Args:
        each: Loss of every pair, shape (b,).
        groups: Whether (how much) a pair belongs to a group, shape (b, g).
    """
    return (groups * each[:, None]).sum(0) / groups.sum(0).clamp_min(1e-12)


def sides(chosen: Tensor, rejected: Tensor) -> Tensor:
    """Groups by features, shape (b, 2k): the chosen answer has more of a feature; it has less. A tie is in neither."""
    import torch

    moved = chosen - rejected
    return torch.cat([moved > 0, moved < 0], dim=1).to(moved.dtype)


@losses.add("worst_group", paper="arXiv 1911.08731")
def worst_group(each: Tensor, groups: Tensor, shares: Tensor) -> Tensor:
    """GroupDRO: Σ_g q_g · mean loss of group g, with q leaning to the groups that do worst (Sagawa, arXiv 1911.08731).

    Args:
        each: Loss of every pair, shape (b,).
        groups: Which groups a pair is in, shape (b, g); they may overlap.
        shares: q, shape (g,), see `leaning`.
    """
    return (shares.detach() * group_losses(each, groups)).sum()


def leaning(shares: Tensor, each: Tensor, groups: Tensor, *, step: float) -> Tensor:
    """The next q of `worst_group`: q_g · exp(step · mean loss of g), made to sum to 1; shape (g,)."""
    raised = shares * (step * group_losses(each.detach(), groups)).exp()
    return raised / raised.sum()
