"""Objectives that punish the correlation of rewards with features: PRISM, ODIN, FiMi."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from dehusk.core.kinds import objectives
from dehusk.fitting.losses.bradley_terry import bradley_terry
from dehusk.fitting.losses.correlation import (
    curve_correlation,
    odin,
    orthogonality,
    shortcut_kernel,
    squared_correlation,
)
from dehusk.fitting.objectives.dense import hidden_states
from dehusk.fitting.objectives.objective import Batch
from dehusk.fitting.objectives.penalised import Penalised
from dehusk.fitting.objectives.side_network import Apply, ask, learn, side_network

if TYPE_CHECKING:
    from torch import Tensor, nn


@objectives.add("correlation", paper="arXiv 2510.19050", needs=("features",))
@dataclass(frozen=True, kw_only=True)
class Correlation(Penalised):
    """PRISM's R_global (arXiv 2510.19050): the squared correlation of rewards with each feature is punished.

    Defaults: given the label, over at least 512 pairs, with a strength for heads on frozen states. The paper trains
    8B models with .1, raised from .01 over the first half and lowered to .06 again.

    Side effect: rewards turn to what goes with the features but is not among them, and what a feature rightly earns is
    lost with the rest; it sees linear dependence only.
    """

    term: ClassVar[str] = "correlation"

    strength: float = 3.0
    """What Σ ρ² is multiplied by."""

    form: Literal["partial", "plain", "pairs"] = "partial"
    """ρ within chosen and within rejected answers, over all answers, or of differences within pairs."""

    kernel: float = 0.0
    """PRISM's λ₁: asks pairs of like features for this much more margin at most (see `shortcut_kernel`)."""

    def build(self, dimensions: int, features: int, pairs: int) -> nn.ModuleDict:  # noqa: D102 - see Objective
        import torch
        from torch import nn

        head = super().build(dimensions, features, pairs)
        if self.kernel:
            head["kernel"] = nn.ParameterDict({"logits": torch.zeros(features)})
        return head

    def likelihood(self, head: nn.ModuleDict, batch: Batch) -> Tensor:
        """Bradley and Terry's loss, with the kernel's margin if there is one."""
        if not self.kernel:
            return super().likelihood(head, batch)
        logits = head["kernel"].get_parameter("logits")
        asked = self.kernel * shortcut_kernel(batch.chosen_features, batch.rejected_features, logits)
        margin = asked if batch.margin is None else batch.margin + asked
        fit: Tensor = bradley_terry(self.difference(head, batch), margin=margin, weight=batch.weight)
        return fit

    def penalty(self, head: nn.ModuleDict, batch: Batch) -> Tensor:
        """Squared correlation with each feature, summed."""
        seen = self.seen(head, batch)
        if self.form == "pairs":
            rewards, features = seen.chosen - seen.rejected, seen.chosen_features - seen.rejected_features
            label, weight = None, seen.weight
        else:
            rewards, features, label, weight = seen.answers()
        given = label if self.form == "partial" else None
        found: Tensor = squared_correlation(rewards[:, 0], features, label=given, weight=weight)
        return found


@objectives.add("odin", paper="arXiv 2402.07319", needs=("features",))
@dataclass(frozen=True, kw_only=True)
class Odin(Penalised):
    """ODIN (arXiv 2402.07319): a second head takes up the features; both explain the labels, one is thrown away.

    Defaults: both strengths 1, one head a feature, over at least 512 pairs.

    Side effect: the correlation with length is met over all answers, so what length shares with being chosen is lost
    too, and accuracy falls by a point or two; linear dependence only.
    """

    term: ClassVar[str] = "heads"

    orthogonal: float = 1.0
    """Strength of |cos(w_Q, w_L)|."""

    def width(self, dimensions: int, features: int) -> int:
        """One reward that is kept and one a feature that is not."""
        return 1 + features

    def represent(self, head: nn.ModuleDict, points: Tensor) -> Tensor:
        """The reward that is kept beside those that are not, shape (b, 1 + k)."""
        import torch

        return torch.cat([self.reward(head, points)[:, None], head["other"](hidden_states(head, points))], dim=1)

    def build(self, dimensions: int, features: int, pairs: int) -> nn.ModuleDict:  # noqa: D102 - see Objective
        from torch import nn

        head = super().build(dimensions, features, pairs)
        head["other"] = nn.Linear(self.hidden or dimensions, features, bias=False)
        return head

    def likelihood(self, head: nn.ModuleDict, batch: Batch) -> Tensor:
        """Bradley and Terry's loss of the sum of all heads."""
        both = (self.represent(head, batch.chosen) - self.represent(head, batch.rejected)).sum(1)
        fit: Tensor = bradley_terry(both, margin=batch.margin, weight=batch.weight)
        return fit

    def penalty(self, head: nn.ModuleDict, batch: Batch) -> Tensor:
        """What drives the two heads apart."""
        shown, features, _, weight = self.seen(head, batch).answers()
        found: Tensor = odin(shown[:, 0], shown[:, 1:], features, weight=weight)
        return found

    def terms(self, head: nn.ModuleDict, batch: Batch, progress: float) -> dict[str, Tensor]:  # noqa: D102
        last = list(head["reward"].children())[-1].get_parameter("weight")[0]
        apart = self.orthogonal * orthogonality(last, head["other"].get_parameter("weight"))
        return super().terms(head, batch, progress) | {"orthogonality": apart}


@objectives.add("fimi", paper="arXiv 2505.12843", needs=("features",))
@dataclass(frozen=True, kw_only=True)
class FitAndMitigate(Penalised):
    """FiMi (arXiv 2505.12843): a small network learns any curve of the features in the rewards, which then unlearn it.

    Defaults: a plain fit for the first quarter; then every 8 steps the network takes 8 of its own. Strength 1, |ρ|.

    Side effect: |ρ| is met over all answers, so what a feature shares with being chosen is lost too; accuracy falls by
    about a point, most where the feature and the label agree.
    """

    term: ClassVar[str] = "curve"

    warm_up: float = 0.25
    """Share of the training over which the strength rises from 0."""

    every: int = 8
    """Steps between two visits to the network, and how many it takes at each."""

    units: int = 32
    """Hidden units of the network."""

    rate: float = 0.01
    """Its learning rate."""

    def build(self, dimensions: int, features: int, pairs: int) -> nn.ModuleDict:  # noqa: D102 - see Objective
        import torch

        head = super().build(dimensions, features, pairs)
        head["curve"] = side_network(2 * len(_WAVES) * features, self.units, 1)
        head["curve"].register_buffer("calls", torch.zeros((), dtype=torch.long))
        return head

    def before(self, head: nn.ModuleDict, batch: Batch, progress: float) -> None:  # noqa: D102
        import torch

        super().before(head, batch, progress)
        calls = head["curve"].get_buffer("calls")
        calls += 1
        if (int(calls) - 1) % self.every:
            return
        with torch.no_grad():
            rewards, features, _, weight = self.seen(head, batch).answers()

        def loss(apply: Apply) -> Tensor:
            fit: Tensor = -curve_correlation(rewards[:, 0], apply(_waves(features))[:, 0], weight=weight)
            return fit

        for _ in range(self.every):
            learn(head["curve"], loss, rate=self.rate)

    def penalty(self, head: nn.ModuleDict, batch: Batch) -> Tensor:
        """|ρ| of rewards with what the network says they are."""
        rewards, features, _, weight = self.seen(head, batch).answers()
        found: Tensor = curve_correlation(rewards[:, 0], ask(head["curve"], _waves(features))[:, 0], weight=weight)
        return found


_WAVES = (0.25, 0.5, 1.0, 2.0)  # periods of 25 to 3 standard deviations: slower than a straight line to a step


def _waves(features: Tensor) -> Tensor:
    """Sines and cosines of standardised features, shape (n, 2 · waves · k)."""
    import torch

    angles = torch.cat([wave * features for wave in _WAVES], dim=1)
    return torch.cat([angles.sin(), angles.cos()], dim=1)
