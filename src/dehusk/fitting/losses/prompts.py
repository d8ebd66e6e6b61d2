"""Losses that ask a reward model to read the prompt, and GRM's that keeps it a language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dehusk.core.kinds import losses
from dehusk.fitting.losses.bradley_terry import bradley_terry

if TYPE_CHECKING:
    from torch import Tensor


@losses.add("neutral_tie", paper="arXiv 2409.13156")
def neutral_tie(difference: Tensor, *, weight: Tensor | None = None) -> Tensor:
    """−½[log σ(d′) + log σ(−d′)]: under a foreign prompt neither answer is better (RRM, arXiv 2409.13156).

    Its least, ln 2, is at d′ = 0. It is also what teaches nothing of style under the answers' own prompt.

    Args:
        difference: Reward differences d′ of pairs under another prompt, shape (b,).
        weight: What each pair counts, shape (b,).
    """
    tie: Tensor = bradley_terry(difference, label=difference.new_full((), 0.5), weight=weight)
    return tie


@losses.add("interpolated", paper="own design; after arXiv 2409.13156")
def interpolated(difference: Tensor, share: Tensor, *, weight: Tensor | None = None) -> Tensor:
    """−y·log σ(d_t) − (1 − y)·log σ(−d_t) with y = ½ + t/2: the label of a pair with a share t of its prompt left.

    Our own design, after the ties of arXiv 2409.13156: a tie at t = 0, the pair as it is at t = 1. No paper was found
    that trains on interpolated prompts.

    Args:
        difference: Reward differences d_t of pairs whose prompt is kept at share t, shape (b,).
        share: t between 0 and 1, shape (b,).
        weight: What each pair counts, shape (b,).
    """
    loss: Tensor = bradley_terry(difference, label=(1 + share) / 2, weight=weight)
    return loss


@losses.add("small_gap_weights", paper="arXiv 2504.06020")
def small_gap_weights(gap: Tensor, known: Tensor, *, sharpness: float = 1.0) -> Tensor:
    """Weights that prefer pairs whose difference comes from the prompt: exp(−sharpness · |gap| / median |gap|), (b,).

    After arXiv 2504.06020, which samples pairs with a small prompt-free gap; the gap under one foreign prompt is that
    gap's estimate from a sample of one. Divided by the mean over all known pairs and not over the batch, so that one
    pair a device keeps its weight. Pairs without a gap yet (NaN) weigh 1.

    Args:
        gap: Reward differences of these pairs under foreign prompts, shape (b,).
        known: The same of all pairs seen so far, shape (n,), n of at least 1; NaN for the others.
        sharpness: 0 for equal weights.
    """
    seen = known[~known.isnan()].abs()
    typical = seen.median().clamp_min(1e-12)
    mean = (-sharpness * seen / typical).exp().mean()
    return ((-sharpness * gap.abs() / typical).exp() / mean).nan_to_num(1.0).detach()


@losses.add("text_regularisation", paper="arXiv 2406.10216")
def text_regularisation(text_loss: Tensor, *, beta: float = 0.1, weight: Tensor | None = None) -> Tensor:
    """−log σ(β·log π(y_w | x)): GRM keeps the language head of the model in use, SFT form (arXiv 2406.10216).

    log π is a mean a token here: the sum over tokens asks more of long chosen answers, and their length is what reward
    models should not be taught to notice.

    Args:
        text_loss: Mean −log π a token of each chosen answer, shape (b,).
        beta: β, .1 in the released code.
        weight: What each pair counts, shape (b,).
    """
    from torch.nn.functional import softplus

    each = softplus(beta * text_loss)
    return (each if weight is None else weight * each).mean()
