"""Objectives that make a reward read the prompt; they need the answers' points under another prompt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dehusk.core.errors import InputError
from dehusk.core.kinds import objectives
from dehusk.fitting.losses.prompts import interpolated, neutral_tie, small_gap_weights
from dehusk.fitting.objectives.dense import Dense
from dehusk.fitting.objectives.objective import Batch

if TYPE_CHECKING:
    from torch import Tensor, nn


@objectives.add("neutral_ties", paper="arXiv 2409.13156", needs=("foreign",))
@dataclass(frozen=True, kw_only=True)
class NeutralTies(Dense):
    """RRM's neutral pairs (arXiv 2409.13156): under a foreign prompt neither answer is better.

    Defaults: a tie counts as much as the pair it comes from (as in Crome, arXiv 2506.16507).

    Side effect: it teaches to read the prompt and not to ignore style under the right one; what makes an answer good
    under any prompt is lost too (in the paper Reasoning −4, Chat −1), so is the refusal that any unsafe prompt earns.
    """

    strength: float = 1.0
    """What a tie counts beside its pair."""

    def terms(self, head: nn.ModuleDict, batch: Batch, progress: float) -> dict[str, Tensor]:
        """See Objective.

        Raises:
            InputError: the batch has no foreign points.
        """
        ties = neutral_tie(_foreign_difference(self, head, batch), weight=batch.weight)
        return {"likelihood": self.likelihood(head, batch), "ties": self.strength * ties}


@objectives.add("interpolated_prompts", paper="own design; after arXiv 2409.13156", needs=("foreign",))
@dataclass(frozen=True, kw_only=True)
class InterpolatedPrompts(Dense):
    """The less of its prompt is left, the closer a pair is to a tie: own design, after the ties of arXiv 2409.13156.

    Points are mixed, (1 − t)·foreign + t·own, and the label is ½ + t/2. Defaults: t of 0, ¼, ½, ¾, together counting
    as much as the pair itself. No paper was found that trains on interpolated prompts.

    Side effect: that of neutral ties, and labels between are a guess: a mixed point is no text's, and a pair need not
    lose its preference in a straight line.
    """

    strength: float = 1.0
    """What all mixtures together count beside their pair."""

    shares: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75)
    """Shares of the own prompt that mixtures keep."""

    def terms(self, head: nn.ModuleDict, batch: Batch, progress: float) -> dict[str, Tensor]:
        """See Objective.

        Raises:
            InputError: the batch has no foreign points.
        """
        import torch

        found = [
            interpolated(difference, difference.new_full((), share), weight=batch.weight)
            for share, difference in zip(self.shares, self._mixed(head, batch), strict=True)
        ]
        return {
            "likelihood": self.likelihood(head, batch),
            "mixtures": self.strength * torch.stack(found).mean(),
        }

    def _mixed(self, head: nn.ModuleDict, batch: Batch) -> list[Tensor]:
        """Reward differences of the mixtures, (b,) for each share; a linear head's are mixtures of two differences."""
        if not self.hidden:
            own = self.reward(head, batch.chosen) - self.reward(head, batch.rejected)
            other = _foreign_difference(self, head, batch)
            return [share * own + (1 - share) * other for share in self.shares]
        sides = tuple(zip((batch.chosen, batch.rejected), _foreign(batch), strict=True))
        found = []
        for share in self.shares:
            chosen, rejected = (share * own + (1 - share) * other for own, other in sides)
            found.append(self.reward(head, chosen) - self.reward(head, rejected))
        return found


@objectives.add("prompt_sampling", paper="arXiv 2504.06020", needs=("foreign",))
@dataclass(frozen=True, kw_only=True)
class PromptSampling(Dense):
    """Pairs whose preference comes from the prompt count more (after arXiv 2504.06020, which draws them more often).

    Defaults: exp(−|gap| / median |gap|), the gap being the model's own under a foreign prompt when it last saw the
    pair. The paper solves for the prompt-free gap over many prompts; this is that estimate from a single one.

    Side effect: pairs that are decided by quality under any prompt count least, and so do those the model is sure of;
    nothing stops it from using a shortcut in the others. On planted pairs it did not change what a linear head owes to
    the feature: a logistic fit that holds is the same under weights that depend on its inputs.
    """

    sharpness: float = 1.0
    """How strongly a small gap is preferred; 0 for equal weights."""

    def build(self, dimensions: int, features: int, pairs: int) -> nn.ModuleDict:
        import torch

        head = super().build(dimensions, features, pairs)
        head.register_buffer("gaps", torch.full((pairs,), float("nan")))
        return head

    def before(self, head: nn.ModuleDict, batch: Batch, progress: float) -> None:
        """See Objective.

        Raises:
            InputError: the batch has no foreign points.
        """
        import torch

        with torch.no_grad():
            head.get_buffer("gaps")[batch.row] = _foreign_difference(self, head, batch)

    def terms(self, head: nn.ModuleDict, batch: Batch, progress: float) -> dict[str, Tensor]:
        gaps = head.get_buffer("gaps")
        weights = small_gap_weights(gaps[batch.row], gaps, sharpness=self.sharpness)
        return {"likelihood": self.likelihood(head, replace(batch, weight=batch.weight * weights))}


def _foreign(batch: Batch) -> tuple[Tensor, Tensor]:
    if batch.foreign_chosen is None or batch.foreign_rejected is None:
        raise InputError("no points of the answers under another prompt", expected="a training set with foreign points")
    return batch.foreign_chosen, batch.foreign_rejected


def _foreign_difference(objective: Dense, head: nn.ModuleDict, batch: Batch) -> Tensor:
    """Rewards of the chosen less those of the rejected answers under the foreign prompt, shape (b,)."""
    chosen, rejected = _foreign(batch)
    return objective.reward(head, chosen) - objective.reward(head, rejected)
