"""Objectives that add a penalty, a statistic of many pairs, to the likelihood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from dehusk.core.errors import InputError
from dehusk.fitting.objectives.dense import Dense, hidden_states
from dehusk.fitting.objectives.objective import Batch
from dehusk.fitting.objectives.queue import Seen, empty_queue, filled_up, push

if TYPE_CHECKING:
    from torch import Tensor, nn


Form = Literal["pairs", "partial", "plain"]
Sample = tuple["Tensor", "Tensor", "Tensor | None", "Tensor"]


@dataclass(frozen=True, kw_only=True)
class Penalised(Dense):
    """The likelihood and a penalty on features, measured on at least `queue` pairs."""

    term: ClassVar[str] = "penalty"

    strength: float = 1.0
    """What the penalty is multiplied by."""

    warm_up: float = 0.1
    """Share of the training over which the strength rises from 0: at first rewards mean nothing."""

    queue: int = 512
    """Pairs that the penalty is measured on: earlier ones fill up a smaller batch, a larger one is used alone."""

    def width(self, dimensions: int, features: int) -> int:
        """How many numbers `represent` gives an answer, m."""
        return 1

    def represent(self, head: nn.ModuleDict, points: Tensor) -> Tensor:
        """What the penalty is on, shape (b, m)."""
        return self.reward(head, points)[:, None]

    def penalty(self, head: nn.ModuleDict, batch: Batch) -> Tensor:
        """The penalty without its strength, a scalar."""
        raise NotImplementedError

    def build(self, dimensions: int, features: int, pairs: int) -> nn.ModuleDict:
        """See Objective.

        Raises:
            InputError: there are no features.
        """
        if not features:
            raise InputError("a penalty on features without any feature", expected="at least one target")
        head = super().build(dimensions, features, pairs)
        head["queue"] = empty_queue(self.queue, 2 * (self.width(dimensions, features) + 1 + features))
        return head

    def before(self, head: nn.ModuleDict, batch: Batch, progress: float) -> None:
        import torch

        with torch.no_grad():
            push(head["queue"], self._shown(head, batch).packed())

    def terms(self, head: nn.ModuleDict, batch: Batch, progress: float) -> dict[str, Tensor]:
        strength = self.strength * (min(1.0, progress / self.warm_up) if self.warm_up > 0 else 1.0)
        return {"likelihood": self.likelihood(head, batch), self.term: strength * self.penalty(head, batch)}

    def seen(self, head: nn.ModuleDict, batch: Batch) -> Seen:
        """This batch, below earlier pairs if it is small; a gradient counts for all of them (see `filled_up`)."""
        rows = filled_up(head["queue"], self._shown(head, batch).packed())
        return Seen.unpack(rows, batch.chosen_features.shape[1])

    @property
    def drifts(self) -> bool:
        """Whether what is shown is a reward, whose constant no loss holds: it wanders while a whole model learns."""
        return True

    def _shown(self, head: nn.ModuleDict, batch: Batch) -> Seen:
        """What the batch shows; rewards less their mean, so that remembered ones can stand beside today's."""
        import torch

        chosen, rejected = self.represent(head, batch.chosen), self.represent(head, batch.rejected)
        if self.drifts:
            middle = torch.cat([chosen, rejected]).mean(dim=0)
            chosen, rejected = chosen - middle, rejected - middle
        return Seen(
            chosen,
            rejected,
            batch.weight,
            batch.chosen_features,
            batch.rejected_features,
            batch.row,
        )


@dataclass(frozen=True, kw_only=True)
class Sampled(Penalised):
    """The penalty is a statistic of rewards and features, over pairs or over answers."""

    form: Form = "pairs"
    """On what: differences within pairs, answers given whether they were chosen, or all answers alike (as published).

    Rewards are only ever compared within a prompt. Over answers of many prompts a reward that pays for length within
    each of them can go with none, if prompts that ask for long answers are rewarded less, and the other way round; and
    nothing in the likelihood holds what a prompt is worth. Of differences the mean is taken out: it is the label's.
    """

    def sample(self, head: nn.ModuleDict, batch: Batch, of: Callable[[Tensor], Tensor] = lambda z: z) -> Sample:
        """What the penalty is on, in its form.

        Args:
            head: The head.
            batch: Some pairs.
            of: From features, shape (n, k), to functions of them, shape (n, f).

        Returns:
            What is shown, shape (r, m), functions of the features, shape (r, f), the class whose mean says nothing,
            shape (r,), or None, and weights, shape (r,): a row a pair, or an answer.
        """
        import torch

        seen = self.seen(head, batch)
        one = torch.ones_like(seen.weight)
        chosen, rejected = of(seen.chosen_features), of(seen.rejected_features)
        if self.form == "pairs":
            return seen.chosen - seen.rejected, chosen - rejected, one, seen.weight
        shown, features = torch.cat([seen.chosen, seen.rejected]), torch.cat([chosen, rejected])
        label = torch.cat([one, 0 * one]) if self.form == "partial" else None
        return shown, features, label, torch.cat([seen.weight, seen.weight])


@dataclass(frozen=True, kw_only=True)
class Levelled(Penalised):
    """The penalty is on rewards, on the hidden layer, or on the points where the model below them learns too."""

    level: Literal["reward", "hidden", "points"] = "reward"
    """What must not tell of features: rewards, the hidden layer, or the states of a model that is trained."""

    @property
    def drifts(self) -> bool:
        """Whether the penalty is on rewards."""
        return self.level == "reward"

    def width(self, dimensions: int, features: int) -> int:
        """As wide as the level."""
        return {"reward": 1, "hidden": self.hidden, "points": dimensions}[self.level]

    def represent(self, head: nn.ModuleDict, points: Tensor) -> Tensor:
        """Rewards (b, 1), the hidden layer or the points."""
        if self.level == "reward":
            return super().represent(head, points)
        return points if self.level == "points" else hidden_states(head, points)

    def build(self, dimensions: int, features: int, pairs: int) -> nn.ModuleDict:
        """See Objective.

        Raises:
            InputError: there are no features, or no hidden layer to look at.
        """
        if self.level == "hidden" and not self.hidden:
            raise InputError("a linear head has no hidden layer", expected="hidden of at least 1, or level='reward'")
        return super().build(dimensions, features, pairs)

    def terms(self, head: nn.ModuleDict, batch: Batch, progress: float) -> dict[str, Tensor]:
        """See Objective.

        Raises:
            InputError: the penalty is on points that nothing can change.
        """
        import torch

        if self.level == "points" and torch.is_grad_enabled() and not batch.chosen.requires_grad:
            raise InputError("a penalty on the points of a frozen model changes nothing", expected="level='reward'")
        return super().terms(head, batch, progress)
