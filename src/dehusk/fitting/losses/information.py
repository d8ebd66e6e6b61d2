"""Penalties on information: DIR's bound on what differences tell of a bias, InfoRM's bottleneck."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dehusk.core.kinds import losses

if TYPE_CHECKING:
    from torch import Tensor


_NODES = 9  # of the rule; right within .003 nats for a spread of 3, within 1e-6 for one of 1


@losses.add("label_information", paper="arXiv 2512.23461")
def label_information(logits: Tensor, labels: Tensor, known: Tensor, shares: Tensor) -> Tensor:
    """DIR's vCLUB estimate of how much a pair's difference tells of k yes-or-no labels, summed (arXiv 2512.23461).

    mean_i [log q(b_i | Δ_i) − Σ_b p(b) log q(b | Δ_i)] with q as it stands. The released code takes p(b), the marginal
    term, from the other pairs of a micro-batch: with one pair a device the two terms are the same and the penalty is 0
    whatever q says. Here p comes from a queue, which for yes-or-no labels is the mean over all its pairs exactly.
    It is an upper bound only as far as q is right, and may be negative: nothing is clamped, so gradients stay whole.

    Args:
        logits: log-odds of q that each label is 1, shape (b, k), with a gradient to the differences only.
        labels: Whether e.g. the chosen answer is the longer one, shape (b, k).
        known: 0 where there is no label (a tie: the released code calls that a 0), 1 elsewhere, shape (b, k).
        shares: How often each label is 1, p, shape (k,).
    """
    # log q(b | Δ) = b·logit + log σ(−logit), and the second part is that of both terms
    return (known * (labels - shares) * logits).sum() / len(logits)


@losses.add("latent_kl", paper="arXiv 2402.09345")
def latent_kl(mean: Tensor, log_variance: Tensor, *, averaged: bool = False, weight: Tensor | None = None) -> Tensor:
    """Mean of KL(N(μ, σ²) ‖ N(0, 1)), summed over dimensions: InfoRM's bottleneck (arXiv 2402.09345).

    The released code averages μ and log σ² over the dimensions before it applies the formula (`averaged`): means of
    opposite signs cancel, so that a latent state can tell anything at no cost. It is here to reproduce that code.

    Args:
        mean: μ, shape (b, m).
        log_variance: log σ², shape (b, m).
        averaged: The released form.
        weight: What each row counts, shape (b,).
    """
    if averaged:
        mean, log_variance = mean.mean(1, keepdim=True), log_variance.mean(1, keepdim=True)
    each = kl_by_dimension(mean, log_variance).sum(1)
    return (each if weight is None else weight * each).mean()


@losses.add("noisy_bradley_terry", paper="arXiv 2402.09345")
def noisy_bradley_terry(
    difference: Tensor, variance: Tensor, *, margin: Tensor | None = None, weight: Tensor | None = None
) -> Tensor:
    """Mean of E[−log σ(d + √v·ε − m)], ε normal: InfoRM's likelihood, whose papers draw ε once (arXiv 2402.09345).

    A linear decoder makes of the noise of a latent state that of one number, over which Gauss and Hermite's rule takes
    the mean. Nothing is random then, so a fit can settle.

    Args:
        difference: Mean reward differences d, shape (b,).
        variance: Of the differences v, shape (b,).
        margin: Target margins m, shape (b,).
        weight: What each pair counts, shape (b,).
    """
    import numpy as np
    from torch.nn.functional import softplus

    places, shares = (difference.new_tensor(each) for each in np.polynomial.hermite_e.hermegauss(_NODES))
    margin = difference.new_zeros(()) if margin is None else margin
    drawn = (margin - difference)[:, None] + (variance + 1e-12).sqrt()[:, None] * places
    each = softplus(drawn) @ (shares / shares.sum())
    return (each if weight is None else weight * each).mean()


def kl_by_dimension(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, 1)) of every number, in the shape of μ."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)
