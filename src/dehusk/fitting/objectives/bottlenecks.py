"""Objectives that hold the representation back rather than a named feature: InfoRM, GRM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dehusk.core.errors import InputError
from dehusk.core.kinds import objectives
from dehusk.fitting.losses.information import kl_by_dimension, latent_kl, noisy_bradley_terry
from dehusk.fitting.losses.prompts import text_regularisation
from dehusk.fitting.objectives.dense import Dense, layers_of, network, weights_in
from dehusk.fitting.objectives.objective import Batch

if TYPE_CHECKING:
    from torch import Tensor, nn

_ACTIVE = 0.01  # nats: a latent dimension with less has collapsed to the prior


@objectives.add("inform", paper="arXiv 2402.09345")
@dataclass(frozen=True, kw_only=True)
class Bottleneck(Dense):
    """InfoRM (arXiv 2402.09345): rewards come from a noisy latent state that is charged for what it tells.

    Defaults: 32 dimensions and a price of .01 for heads on frozen states (released: 512, and 1 on a KL that averages
    over dimensions first, which is `averaged`). At use the latent state is its mean. While it is fitted, the likelihood
    is the mean over the noise, of which the paper draws one sample: with a linear decoder it is that of one number. L2
    is on what encoder and decoder make together, since half the squares of both come to |w|, under which a head that
    is held down strongly collapses.

    `active_dimensions` counts those that tell more than .01 nats, `kl` what all tell of an answer: a single one or
    none means that it collapsed.

    Side effect: it names no feature and keeps the strongest signal, which a shortcut may well be; fine signal goes
    first (a later paper has math fall from 67.8 to 48.0).
    """

    latent: int = 32
    """Dimensions of the latent state."""

    price: float = 0.01
    """What the KL of both answers is multiplied by (β)."""

    averaged: bool = False
    """The released KL, of means over dimensions: μ of opposite signs cost nothing."""

    def build(self, dimensions: int, features: int, pairs: int) -> nn.ModuleDict:
        import torch
        from torch import nn

        encoder, decoder = network(dimensions, self.hidden, self.latent), nn.Linear(self.latent, 1)
        made = nn.ModuleDict(
            {
                "reward": nn.ModuleDict({"mean": encoder, "decoder": decoder}),
                "spread": network(dimensions, self.hidden, self.latent),
            }
        )
        made.register_buffer("told", torch.zeros(self.latent))
        return made

    def before(self, head: nn.ModuleDict, batch: Batch, progress: float) -> None:
        import torch

        with torch.no_grad():
            told = kl_by_dimension(self._encoder(head)(batch.chosen), head["spread"](batch.chosen)).mean(0)
            head.get_buffer("told").mul_(0.9).add_(told, alpha=0.1)

    def terms(self, head: nn.ModuleDict, batch: Batch, progress: float) -> dict[str, Tensor]:
        means, told, noise = [], [], 0.0
        share = self._decoder(head).get_parameter("weight")[0].square()
        for points in (batch.chosen, batch.rejected):
            mean, spread = self._encoder(head)(points), head["spread"](points)
            means.append(self._decoder(head)(mean)[:, 0])
            told.append(latent_kl(mean, spread, averaged=self.averaged, weight=batch.weight))
            noise = noise + spread.exp() @ share
        fit = noisy_bradley_terry(means[0] - means[1], noise, margin=batch.margin, weight=batch.weight)
        return {"likelihood": fit, "kl": self.price * (told[0] + told[1])}

    def weights(self, head: nn.ModuleDict) -> list[Tensor]:
        """Those of the rewards; of a linear head encoder and decoder are one: an L2 penalty on both would be |w|."""
        *earlier, last = weights_in(self._encoder(head))
        return [*earlier, self._decoder(head).get_parameter("weight") @ last]

    def reward(self, head: nn.ModuleDict, points: Tensor) -> Tensor:
        rewards: Tensor = self._decoder(head)(self._encoder(head)(points))[:, 0]
        return rewards

    def layers(self, head: nn.ModuleDict) -> list[tuple[Any, Any]]:
        """See Objective; the decoder is folded into the last layer of the encoder, there being nothing between."""
        *earlier, (weight, bias) = layers_of(self._encoder(head))
        [(last, constant)] = layers_of(self._decoder(head))
        return [*earlier, (last @ weight, last @ bias + constant)]

    def readings(self, head: nn.ModuleDict) -> dict[str, float]:
        told = head.get_buffer("told")
        return {"active_dimensions": float((told > _ACTIVE).sum()), "kl": float(told.sum())}

    def _encoder(self, head: nn.ModuleDict) -> nn.Module:
        return head["reward"].get_submodule("mean")

    def _decoder(self, head: nn.ModuleDict) -> nn.Module:
        return head["reward"].get_submodule("decoder")


@objectives.add("grm", paper="arXiv 2406.10216", needs=("text",))
@dataclass(frozen=True, kw_only=True)
class TextRegularised(Dense):
    """GRM (arXiv 2406.10216), SFT form: the model that is trained must go on being able to write the chosen answers.

    Defaults: share .01 and β = .1, as released. It needs a whole model with its language head: on frozen states there
    is nothing to regularise.

    Side effect: none on a named feature, good or bad; it costs the language head's memory and time, and it favours
    what is likely, so chosen answers that are fluent rather than right.
    """

    share: float = 0.01
    """Share of the text loss α; the likelihood has the rest."""

    beta: float = 0.1
    """Slope β of −log σ(β·log π)."""

    def terms(self, head: nn.ModuleDict, batch: Batch, progress: float) -> dict[str, Tensor]:
        """See Objective.

        Raises:
            InputError: the batch has no text loss.
        """
        if batch.text_loss is None:
            raise InputError("grm has no language model to keep in use", expected="training of a whole model")
        text = text_regularisation(batch.text_loss, beta=self.beta, weight=batch.weight)
        return {"likelihood": (1 - self.share) * self.likelihood(head, batch), "text": self.share * text}
