"""Penalties on the correlation of rewards with features: PRISM, ODIN and FiMi."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dehusk.core.kinds import losses

if TYPE_CHECKING:
    from torch import Tensor

_TINY = 1e-20  # of a product of two variances: something that does not move correlates with nothing


def correlation(values: Tensor, features: Tensor, *, weight: Tensor | None = None) -> Tensor:
    """Pearson's ρ of a value with each feature, shape (k,); 0 for what does not move.

    Args:
        values: Shape (n,), or (n, k): one value a feature.
        features: Shape (n, k).
        weight: What each row counts, shape (n,).
    """
    values = values if values.dim() > 1 else values[:, None]
    share = values.new_full((len(values), 1), 1 / len(values)) if weight is None else (weight / weight.sum())[:, None]
    x, y = values - (share * values).sum(0), features - (share * features).sum(0)
    product = (share * x**2).sum(0) * (share * y**2).sum(0)
    return (share * x * y).sum(0) / product.clamp_min(_TINY).sqrt()


def residuals(values: Tensor, label: Tensor, *, weight: Tensor | None = None) -> Tensor:
    """What is left of values once the means of the two classes are taken out: the same shape, (n,) or (n, k).

    Args:
        values: Shape (n,) or (n, k).
        label: 1 for a chosen and 0 for a rejected answer, shape (n,).
        weight: What each row counts, shape (n,).
    """
    weight = label.new_ones(label.shape) if weight is None else weight
    left = values
    for inside in (label, 1 - label):
        share = weight * inside / (weight * inside).sum().clamp_min(_TINY)
        mean = (share @ values) if values.dim() == 1 else (share[:, None] * values).sum(0)
        left = left - (inside * mean if values.dim() == 1 else inside[:, None] * mean)
    return left


@losses.add("squared_correlation", paper="arXiv 2510.19050")
def squared_correlation(
    rewards: Tensor, features: Tensor, *, label: Tensor | None = None, weight: Tensor | None = None
) -> Tensor:
    """Sum over features of ρ(r, z)², PRISM's R_global (arXiv 2510.19050); given the label with `label`.

    Given the label (means of chosen and of rejected answers taken out of rewards and features alike) it leaves alone
    what a feature shares with being chosen; without, it punishes that too. It is blind to scale and shift of rewards.

    Of n answers without any association its expectation is k/(n − 1) (k/(n − 2) given the label), not 0. That is left
    as it is: a correction would change its gradient by a factor of (n − 1)/(n − 2) only, and hides how few n are.

    Args:
        rewards: Shape (n,): chosen and rejected answers one below the other.
        features: Shape (n, k).
        label: 1 for a chosen and 0 for a rejected answer, shape (n,); None for the plain form.
        weight: What each answer counts, shape (n,).
    """
    if label is not None:
        rewards, features = (residuals(value, label, weight=weight) for value in (rewards, features))
    return (correlation(rewards, features, weight=weight) ** 2).sum()


@losses.add("shortcut_kernel", paper="arXiv 2510.19050")
def shortcut_kernel(chosen: Tensor, rejected: Tensor, logits: Tensor, width: float = 1.0) -> Tensor:
    """PRISM's kernel Σ_j α_j exp(−(z_w − z_l)²/ω²), shape (b,), α = softmax of logits (arXiv 2510.19050).

    PRISM subtracts λ₁ times it from a pair's difference. It lies in (0, 1], so it moves no difference by more than λ₁
    (.1 in the paper), and it is largest for pairs whose answers have the *same* features: it asks for a larger margin
    exactly where no shortcut could have helped. It carries no gradient to rewards except through the loss's slope.

    Args:
        chosen: Standardised features of the chosen answers, shape (b, k).
        rejected: Those of the rejected answers, shape (b, k).
        logits: How much each feature counts, shape (k,).
        width: ω.
    """
    return ((-((chosen - rejected) ** 2) / width**2).exp() * logits.softmax(0)).sum(1)


@losses.add("odin", paper="arXiv 2402.07319")
def odin(
    quality: Tensor, other: Tensor, features: Tensor, *, label: Tensor | None = None, weight: Tensor | None = None
) -> Tensor:
    """Sum over features of |ρ(r^Q, z)| − ρ(r^L, z), what drives ODIN's two heads apart (arXiv 2402.07319).

    Notes that swap the heads are wrong: the second head must collect the feature, the first must lose it.

    Args:
        quality: Rewards that are kept, shape (n,).
        other: Rewards that are thrown away, one head a feature, shape (n, k).
        features: Shape (n, k).
        label: 1 or 0, shape (n,), where the means of the two classes are to say nothing; None as published.
        weight: What each answer counts, shape (n,).
    """
    if label is not None:
        quality, other, features = (residuals(each, label, weight=weight) for each in (quality, other, features))
    kept = correlation(quality, features, weight=weight).abs()
    return (kept - correlation(other, features, weight=weight)).sum()


@losses.add("orthogonality", paper="arXiv 2402.07319")
def orthogonality(quality: Tensor, other: Tensor) -> Tensor:
    """Sum of |cos(w_Q, w_L)| over the other heads: ODIN's |W_Q W_Lᵀ| of heads with normalised weights (2402.07319).

    Args:
        quality: Weights of the head that is kept, shape (d,).
        other: Weights of the heads that are thrown away, shape (k, d).
    """
    from torch.nn.functional import cosine_similarity

    return cosine_similarity(quality[None], other, dim=1).abs().sum()


@losses.add("curve_correlation", paper="arXiv 2505.12843")
def curve_correlation(
    rewards: Tensor, predicted: Tensor, *, label: Tensor | None = None, weight: Tensor | None = None
) -> Tensor:
    """|ρ(r, r̂)| of rewards with what a curve of the features predicts of them, FiMi (arXiv 2505.12843).

    Args:
        rewards: Shape (n,).
        predicted: Of the same answers from their features alone, shape (n,).
        label: 1 or 0, shape (n,), where the means of the two classes are to say nothing; None as published.
        weight: What each answer counts, shape (n,).
    """
    if label is not None:
        rewards, predicted = (residuals(each, label, weight=weight) for each in (rewards, predicted))
    return correlation(rewards, predicted[:, None], weight=weight).abs().sum()
