"""Objectives that punish the correlation of rewards with features: PRISM, ODIN, FiMi."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dehusk.core.kinds import objectives
from dehusk.fitting.losses.bradley_terry import bradley_terry
from dehusk.fitting.losses.correlation import (
    curve_correlation,
    odin,
    orthogonality,
    shortcut_kernel,
    squared_correlation,
)
from dehusk.fitting.objectives.dense import hidden_states, weights_in
from dehusk.fitting.objectives.objective import Batch
from dehusk.fitting.objectives.penalised import Sampled
from dehusk.fitting.objectives.regressions import least_squares
from dehusk.fitting.objectives.side_network import Apply, ask, learn, side_network

if TYPE_CHECKING:
    from torch import Tensor, nn


@objectives.add("correlation", paper="arXiv 2510.19050", needs=("features",))
@dataclass(frozen=True, kw_only=True)
class Correlation(Sampled):
    """PRISM's R_global (arXiv 2510.19050): the squared correlation of rewards with each feature is punished.

    Defaults: on differences within pairs (published: over all answers, `form="plain"`), over at least 512 pairs, with a
    strength for heads on frozen states. The paper trains 8B models with .1, raised from .01 over the first half and
    lowered to .06 again. With 3, one of 135M paid nothing for length any more and was right in .61 of 100 held-out
    pairs, where its head alone had been in .72 (`benchmarks/train.py`): begin lower there.

    Side effect: rewards turn to what goes with the features but is not among them, and what a feature rightly earns is
    lost with the rest; it sees linear dependence only.
    """

    term: ClassVar[str] = "correlation"

    strength: float = 3.0
    """What Σ ρ² is multiplied by."""

    kernel: float = 0.0
    """PRISM's λ₁: asks pairs of like features for this much more margin at most (see `shortcut_kernel`)."""

    def build(self, dimensions: int, features: int, pairs: int) -> nn.ModuleDict:
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
        shown, features, label, weight = self.sample(head, batch)
        found: Tensor = squared_correlation(shown[:, 0], features, label=label, weight=weight)
        return found


@objectives.add("odin", paper="arXiv 2402.07319", needs=("features",))
@dataclass(frozen=True, kw_only=True)
class Odin(Sampled):
    """ODIN (arXiv 2402.07319): a second head takes up the features; both explain the labels, one is thrown away.

    Defaults: both strengths .3 (released: 1; any strength above what the likelihood would pay brings an absolute value
    to 0, and a smaller one settles sooner), one head a feature, on differences within pairs, over at least 512. L2
    holds all heads down: on the kept one alone it would make the others take over the preference.

    `form="plain"` is the released form. There the correlation is met over all answers, so what length shares with being
    chosen must be made up for by paying less than nothing for it within pairs.

    Side effect: what only the head that is thrown away can tell is lost, so accuracy falls where the feature and the
    label agree, by a point or two in the paper; linear dependence only.
    """

    term: ClassVar[str] = "heads"

    strength: float = 0.3
    """What the correlations are multiplied by; 1 in the paper."""

    orthogonal: float = 0.3
    """Strength of |cos(w_Q, w_L)|."""

    def width(self, dimensions: int, features: int) -> int:
        """One reward that is kept and one a feature that is not."""
        return 1 + features

    def represent(self, head: nn.ModuleDict, points: Tensor) -> Tensor:
        """The reward that is kept beside those that are not, shape (b, 1 + k)."""
        import torch

        return torch.cat([self.reward(head, points)[:, None], head["other"](hidden_states(head, points))], dim=1)

    def build(self, dimensions: int, features: int, pairs: int) -> nn.ModuleDict:
        from torch import nn

        head = super().build(dimensions, features, pairs)
        head["other"] = nn.Linear(self.hidden or dimensions, features, bias=False)
        return head

    def weights(self, head: nn.ModuleDict) -> list[Tensor]:
        """Those of all heads: an L2 penalty on one alone would hand the preference to the others."""
        return [*super().weights(head), *weights_in(head["other"])]

    def likelihood(self, head: nn.ModuleDict, batch: Batch) -> Tensor:
        """Bradley and Terry's loss of the sum of all heads."""
        both = (self.represent(head, batch.chosen) - self.represent(head, batch.rejected)).sum(1)
        fit: Tensor = bradley_terry(both, margin=batch.margin, weight=batch.weight)
        return fit

    def penalty(self, head: nn.ModuleDict, batch: Batch) -> Tensor:
        """What drives the two heads apart."""
        shown, features, label, weight = self.sample(head, batch)
        found: Tensor = odin(shown[:, 0], shown[:, 1:], features, label=label, weight=weight)
        return found

    def terms(self, head: nn.ModuleDict, batch: Batch, progress: float) -> dict[str, Tensor]:
        last = list(head["reward"].children())[-1].get_parameter("weight")[0]
        apart = self.orthogonal * orthogonality(last, head["other"].get_parameter("weight"))
        return super().terms(head, batch, progress) | {"orthogonality": apart}


@objectives.add("fimi", paper="arXiv 2505.12843", needs=("features",))
@dataclass(frozen=True, kw_only=True)
class FitAndMitigate(Sampled):
    """FiMi (arXiv 2505.12843): a small network learns any curve of the features in the rewards, which then unlearn it.

    Defaults: a plain fit for the first quarter, then a strength of .3 (released: 1; see ODIN), on differences within
    pairs. The curve is a sum of the sines and cosines that the network would be given, solved for by least squares at
    every step; `units=32, form="plain", strength=1` is the released form, in which a network that learns every 8 steps
    is always behind the rewards, and the two never settle.

    Side effect: what a feature rightly earns is lost with the rest, by any curve of it: accuracy falls most where the
    feature and the label agree, by about a point in the paper. In the `plain` form what it shares with being chosen is
    lost too.
    """

    term: ClassVar[str] = "curve"

    strength: float = 0.3
    """What |ρ| is multiplied by; 1 in the paper."""

    warm_up: float = 0.25
    """Share of the training over which the strength rises from 0."""

    units: int = 0
    """Hidden units of the network; 0 to solve for the curve by least squares at every step instead."""

    every: int = 8
    """Steps between two visits to the network, and how many it takes at each."""

    rate: float = 0.01
    """Its learning rate."""

    def build(self, dimensions: int, features: int, pairs: int) -> nn.ModuleDict:
        import torch

        head = super().build(dimensions, features, pairs)
        if self.units:
            head["curve"] = side_network(2 * len(_WAVES) * features, self.units, 1)
            head["curve"].register_buffer("calls", torch.zeros((), dtype=torch.long))
        return head

    def before(self, head: nn.ModuleDict, batch: Batch, progress: float) -> None:
        import torch

        super().before(head, batch, progress)
        if not self.units:
            return
        calls = head["curve"].get_buffer("calls")
        calls += 1
        if (int(calls) - 1) % self.every:
            return

        def loss(apply: Apply) -> Tensor:
            with torch.no_grad():
                shown = self.sample(head, batch)[0]
            _, drawn, label, weight = self.sample(head, batch, lambda z: apply(_waves(z)))
            fit: Tensor = -curve_correlation(shown[:, 0], drawn[:, 0], label=label, weight=weight)
            return fit

        for _ in range(self.every):
            learn(head["curve"], loss, rate=self.rate)

    def penalty(self, head: nn.ModuleDict, batch: Batch) -> Tensor:
        """|ρ| of rewards with what a curve of the features says they are."""
        if self.units:
            shown, drawn, label, weight = self.sample(head, batch, lambda z: ask(head["curve"], _waves(z)))
        else:
            shown, waves, label, weight = self.sample(head, batch, _waves)
            drawn = least_squares(waves, shown.detach(), label, weight)
        found: Tensor = curve_correlation(shown[:, 0], drawn[:, 0], label=label, weight=weight)
        return found


_WAVES = (0.25, 0.5, 1.0, 2.0)  # periods of 25 to 3 standard deviations: slower than a straight line to a step


def _waves(features: Tensor) -> Tensor:
    """Sines and cosines of standardised features, shape (n, 2 · waves · k)."""
    import torch

    angles = torch.cat([wave * features for wave in _WAVES], dim=1)
    return torch.cat([angles.sin(), angles.cos()], dim=1)
