"""Objectives that count some pairs more than others: PoE, NormBT, GroupDRO, JTT, focal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dehusk.core.errors import InputError
from dehusk.core.kinds import objectives
from dehusk.fitting.losses.bradley_terry import bradley_terry
from dehusk.fitting.losses.pair_weights import (
    distance_weights,
    error_weights,
    focal,
    leaning,
    product_of_experts,
    sides,
    worst_group,
)
from dehusk.fitting.objectives.dense import Dense
from dehusk.fitting.objectives.objective import Batch

if TYPE_CHECKING:
    from torch import Tensor, nn


@objectives.add("poe", paper="arXiv 2310.05199", needs=("features",))
@dataclass(frozen=True, kw_only=True)
class ProductOfExperts(Dense):
    """PoE (arXiv 2310.05199): an expert that sees the features alone is added to the reward while it is fitted.

    Defaults: the expert is linear in the differences of the features, fitted to the labels for itself. The paper's is a
    small language model on noised input with a higher learning rate; features say directly what it should take up.

    Side effect: what an expert without content cannot explain is left to the reward, so correlated features the expert
    does not see stay; a small gain in the paper (66.9 to 67.5).
    """

    def build(self, dimensions: int, features: int, pairs: int) -> nn.ModuleDict:
        from torch import nn

        head = super().build(dimensions, _some(features), pairs)
        head["expert"] = nn.Linear(features, 1, bias=False)
        nn.init.zeros_(head["expert"].get_parameter("weight"))
        return head

    def terms(self, head: nn.ModuleDict, batch: Batch, progress: float) -> dict[str, Tensor]:
        expert = head["expert"](batch.chosen_features - batch.rejected_features)[:, 0]
        difference = self.difference(head, batch)
        return {
            "likelihood": product_of_experts(difference, expert, margin=batch.margin, weight=batch.weight),
            "expert": bradley_terry(expert, weight=batch.weight),
        }


@objectives.add("normbt", paper="arXiv 2512.06343")
@dataclass(frozen=True, kw_only=True)
class DistanceWeighted(Dense):
    """NormBT (arXiv 2512.06343): pairs of much alike answers get the say that their short gradients take from them.

    Defaults: running mean of distances with a decay of .9, as in the paper; no pair counts more than 10 times.

    Side effect: near-duplicates, whose labels are the noisiest, count most; a small loss on safety in the paper. It
    names no feature.
    """

    decay: float = 0.9
    """Of the running mean of distances."""

    most: float = 10.0
    """Largest weight of a pair."""

    def build(self, dimensions: int, features: int, pairs: int) -> nn.ModuleDict:
        import torch

        head = super().build(dimensions, features, pairs)
        head.register_buffer("typical", torch.full((), float("nan")))
        return head

    def before(self, head: nn.ModuleDict, batch: Batch, progress: float) -> None:
        typical, here = head.get_buffer("typical"), _distance(batch).mean()
        typical.copy_(here if typical.isnan() else self.decay * typical + (1 - self.decay) * here)

    def terms(self, head: nn.ModuleDict, batch: Batch, progress: float) -> dict[str, Tensor]:
        weights = distance_weights(_distance(batch), head.get_buffer("typical"), most=self.most)
        return {"likelihood": self.likelihood(head, replace(batch, weight=batch.weight * weights))}


@objectives.add("groupdro", paper="arXiv 1911.08731", needs=("features",))
@dataclass(frozen=True, kw_only=True)
class WorstGroup(Dense):
    """GroupDRO (arXiv 1911.08731): the group of pairs that is fitted worst counts most.

    Defaults: two groups a feature, chosen answers with more of it and with less; ties of a feature are in neither.

    Side effect: without strong L2 a network fits every group perfectly and nothing is left to lean on; wrong labels
    gather in the worst group and get its weight. No published result on reward models.
    """

    step: float = 0.2
    """How fast the groups' shares move; .01 in the paper, whose runs are long: with it a few hundred steps end long
    before the shares stand still."""

    def build(self, dimensions: int, features: int, pairs: int) -> nn.ModuleDict:
        import torch

        head = super().build(dimensions, _some(features), pairs)
        head.register_buffer("shares", torch.full((2 * features,), 0.5 / features))
        return head

    def before(self, head: nn.ModuleDict, batch: Batch, progress: float) -> None:
        import torch

        shares = head.get_buffer("shares")
        with torch.no_grad():
            shares.copy_(leaning(shares, self._each(head, batch), _groups(batch), step=self.step))

    def terms(self, head: nn.ModuleDict, batch: Batch, progress: float) -> dict[str, Tensor]:
        return {"likelihood": worst_group(self._each(head, batch), _groups(batch), head.get_buffer("shares"))}

    def readings(self, head: nn.ModuleDict) -> dict[str, float]:
        return {"largest_group_share": float(head.get_buffer("shares").max())}

    def _each(self, head: nn.ModuleDict, batch: Batch) -> Tensor:
        from torch.nn.functional import softplus

        difference = self.difference(head, batch)
        return batch.weight * softplus(-difference if batch.margin is None else batch.margin - difference)


@objectives.add("jtt", paper="arXiv 2107.09044")
@dataclass(frozen=True, kw_only=True)
class JustTrainTwice(Dense):
    """JTT (arXiv 2107.09044): a first head shows which pairs are hard; a second one is fitted with those counted more.

    Defaults: the first gets .3 of the training. Its errors count 3 times unless it gives their label less than .1, and
    together they get .4 of the weight at most. The paper counts errors 20 to 100 times, without any such limit
    (`factor=20, believable=0, room=1`), on labels that are clean.

    Side effect: a fifth to a third of preference labels are wrong, and those are most of what a head gets wrong. Errors
    that outweigh the rest (3 times a third) teach the contrary of what the first head saw, content and feature alike;
    within the limit the method does little, for good or ill: on planted pairs a linear head leans on the feature a
    little more, not less. Only the head starts again, not a model trained below it; and in a training of one epoch no
    pair is seen again, so nothing counts more.
    """

    stage: float = 0.3
    """Share of the training that the first head gets."""

    factor: float = 3.0
    """How often an error counts."""

    believable: float = 0.1
    """Errors whose label the first head gives less than this probability are taken for wrong labels."""

    room: float = 0.4
    """Share of the weight that all errors together get at most; 1 for no limit, as published."""

    def build(self, dimensions: int, features: int, pairs: int) -> nn.ModuleDict:
        import torch

        head = super().build(dimensions, features, pairs)
        head.register_buffer("first", torch.full((pairs,), float("nan")))
        head.register_buffer("second_stage", torch.zeros((), dtype=torch.bool))
        return head

    def before(self, head: nn.ModuleDict, batch: Batch, progress: float) -> None:
        import torch
        from torch import nn

        second = head.get_buffer("second_stage")
        if second:
            return
        if progress < self.stage:
            with torch.no_grad():
                head.get_buffer("first")[batch.row] = self.difference(head, batch)
            return
        second.fill_(True)
        for part in head["reward"].modules():
            if isinstance(part, nn.Linear):
                part.reset_parameters()

    def terms(self, head: nn.ModuleDict, batch: Batch, progress: float) -> dict[str, Tensor]:
        if not head.get_buffer("second_stage"):
            return {"likelihood": self.likelihood(head, batch)}
        weights = self._weights(head)[batch.row]
        return {"likelihood": self.likelihood(head, replace(batch, weight=batch.weight * weights))}

    def readings(self, head: nn.ModuleDict) -> dict[str, float]:
        weights = self._weights(head)
        return {"share_counted_more": float((weights > 1).double().mean())} if len(weights) else {}

    def _weights(self, head: nn.ModuleDict) -> Tensor:
        first = head.get_buffer("first")
        found: Tensor = error_weights(first, factor=self.factor, believable=self.believable, room=self.room)
        return found


@objectives.add("focal", paper="arXiv 1708.02002")
@dataclass(frozen=True, kw_only=True)
class Focal(Dense):
    """Focal loss (arXiv 1708.02002): the surer the reward is of a pair, the less the pair counts.

    Defaults: γ = 2, as in the paper.

    Side effect: easy pairs are the ones a shortcut solves, but wrong labels are never easy and count fully; rewards
    are underconfident. Margins of pairs are not used. No published result on reward models.
    """

    gamma: float = 2.0
    """How fast an easy pair loses its say; 0 is the plain loss."""

    def terms(self, head: nn.ModuleDict, batch: Batch, progress: float) -> dict[str, Tensor]:
        return {"likelihood": focal(self.difference(head, batch), gamma=self.gamma, weight=batch.weight)}


def _some(features: int) -> int:
    """The number of features, if there are any."""
    if not features:
        raise InputError("a method that acts on features without any feature", expected="at least one target")
    return features


def _groups(batch: Batch) -> Tensor:
    groups: Tensor = sides(batch.chosen_features, batch.rejected_features)
    return groups


def _distance(batch: Batch) -> Tensor:
    distance: Tensor = (batch.chosen - batch.rejected).detach().norm(dim=1)
    return distance
