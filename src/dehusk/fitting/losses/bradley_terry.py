"""The likelihood of preferences, with margins, ties and weights; and the centring of rewards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dehusk.core.kinds import losses

if TYPE_CHECKING:
    from torch import Tensor


@losses.add("bradley_terry", paper="Bradley and Terry (1952)")
def bradley_terry(
    difference: Tensor, *, margin: Tensor | None = None, label: Tensor | None = None, weight: Tensor | None = None
) -> Tensor:
    """Mean of −[y·log σ(d − m) + (1 − y)·log σ(−d − m)], Bradley and Terry (1952); y = ½ is a tie, its least at d = 0.

    A weight multiplies the loss of its pair and nothing is divided by the sum of the weights: with one pair a device
    that would cancel them. Give weights that have a mean of one over the training set.

    Args:
        difference: Rewards of the chosen less those of the rejected answers d, shape (b,).
        margin: By how much an answer that is better should win m, shape (b,); 0 by default (Llama 2, arXiv 2307.09288).
        label: Probability y that the chosen answer is the better one, shape (b,); 1 by default.
        weight: What each pair counts, shape (b,); 1 by default.
    """
    from torch.nn.functional import softplus

    margin = difference.new_zeros(()) if margin is None else margin
    each = softplus(margin - difference)
    if label is not None:
        each = label * each + (1 - label) * softplus(margin + difference)
    return (each if weight is None else weight * each).mean()


@losses.add("centring", paper="arXiv 2312.09244")
def centring(chosen: Tensor, rejected: Tensor, *, weight: Tensor | None = None) -> Tensor:
    """Mean of (r_w + r_l)²: fixes the additive constant that preferences leave open (Eisenstein, arXiv 2312.09244).

    TRL multiplies it by .01 (`center_rewards_coefficient`).

    Args:
        chosen: Rewards of the chosen answers, shape (b,).
        rejected: Rewards of the rejected answers, shape (b,).
        weight: What each pair counts, shape (b,).
    """
    each = (chosen + rejected) ** 2
    return (each if weight is None else weight * each).mean()
