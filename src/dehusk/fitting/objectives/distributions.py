"""Objectives that punish any dependence on features, not correlation alone: DIR's information, CRM's distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dehusk.core.kinds import objectives
from dehusk.fitting.losses.discrepancy import conditional_mmd
from dehusk.fitting.losses.information import label_information
from dehusk.fitting.objectives.objective import Batch
from dehusk.fitting.objectives.penalised import Levelled
from dehusk.fitting.objectives.queue import Seen, held
from dehusk.fitting.objectives.side_network import Apply, ask, learn, side_network

if TYPE_CHECKING:
    from torch import Tensor, nn

_HELD_OUT = 5  # q never learns from one pair in this many


@objectives.add("dir", paper="arXiv 2512.23461", needs=("features",))
@dataclass(frozen=True, kw_only=True)
class InformationBound(Levelled):
    """DIR (arXiv 2512.23461): a network q tells from a pair's difference which answer has more; that is then unlearnt.

    Defaults: 5 steps of q a step as released, strength 3 (released: 1) for heads on frozen states. On a frozen model
    the difference is that of rewards, since that of states cannot change; `level="points"` is the paper's when a model
    is trained. Ties have no label (released: a 0), and the marginal term is that of a queue (released: of the
    micro-batch, which makes the penalty 0 at one pair a device).

    `held_out_auc`: q's on pairs it never learns from, the highest over features, at the end; `highest_held_out_auc`:
    the highest it ever had. If the first stays above a half the bound did not do its job; if the second never left a
    half, the penalty was noise.

    Side effect: accuracy on pairs whose chosen answer has more of the feature falls; noisy in small batches; rewards
    overshoot to the other sign unless q is quicker than the head and the head's learning rate falls to 0.
    """

    term: ClassVar[str] = "information"

    strength: float = 3.0
    """What the bound is multiplied by."""

    queue: int = 2048
    """Pairs that q learns from and that the marginal term is taken over."""

    steps: int = 5
    """Steps of q before each step of the head."""

    rate: float = 0.03
    """Learning rate of q, which must be quicker than the head; 1e-4 in the paper, where the head has 2e-6."""

    units: int = 8
    """Hidden units of q, 0 for a linear one; 1024 in the paper, on states of 4096 dimensions."""

    def build(self, dimensions: int, features: int, pairs: int) -> nn.ModuleDict:  # noqa: D102 - see Objective
        import torch

        head = super().build(dimensions, features, pairs)
        head["q"] = side_network(self.width(dimensions, features), self.units, features)
        head["q"].register_buffer("highest", torch.full((), float("nan")))
        return head

    def before(self, head: nn.ModuleDict, batch: Batch, progress: float) -> None:  # noqa: D102
        import torch

        super().before(head, batch, progress)
        seen = Seen.unpack(held(head["queue"]), batch.chosen_features.shape[1])
        labels, known = seen.more()
        known = known * (seen.row % _HELD_OUT != 0).to(known.dtype)[:, None]
        inputs = _scaled(seen, seen)

        def loss(apply: Apply) -> Tensor:
            each = torch.nn.functional.binary_cross_entropy_with_logits(apply(inputs), labels, reduction="none")
            return (known * each).sum() / known.sum().clamp_min(1)

        for _ in range(self.steps):
            learn(head["q"], loss, rate=self.rate)
        highest = head["q"].get_buffer("highest")
        highest.copy_(torch.fmax(highest, _held_out_auc(head["q"], seen)))

    def penalty(self, head: nn.ModuleDict, batch: Batch) -> Tensor:
        """What differences tell of the labels, by q as it stands."""
        everyone = Seen.unpack(held(head["queue"]), batch.chosen_features.shape[1])
        labels, known = everyone.more()
        shares = (known * labels).sum(0) / known.sum(0).clamp_min(1)
        here = self._shown(head, batch)
        labels, known = here.more()
        found: Tensor = label_information(
            ask(head["q"], _scaled(here, everyone)), labels, known * here.weight[:, None], shares
        )
        return found

    def readings(self, head: nn.ModuleDict) -> dict[str, float]:  # noqa: D102
        last = list(head["q"].children())[-1]
        seen = Seen.unpack(held(head["queue"]), last.get_parameter("bias").numel())
        found = {
            "held_out_auc": float(_held_out_auc(head["q"], seen)),
            "highest_held_out_auc": float(head["q"].get_buffer("highest")),
        }
        return {name: value for name, value in found.items() if value == value}  # noqa: PLR0124 - NaN is not a number


def _scaled(seen: Seen, everyone: Seen) -> Tensor:
    """Differences of some pairs in units of their usual size: q shall not have to follow as rewards grow."""
    size = (everyone.chosen - everyone.rejected).detach().square().mean().sqrt().clamp_min(1e-12)
    return (seen.chosen - seen.rejected) / size


def _held_out_auc(q: nn.Module, seen: Seen) -> Tensor:
    """AUC of q for each feature on the pairs it never learns from, the highest; NaN if no feature has both labels."""
    import torch

    labels, known = seen.more()
    out = seen.row % _HELD_OUT == 0
    found = [torch.full((), float("nan"))]
    with torch.no_grad():
        for logit, label, there in zip(ask(q, _scaled(seen, seen)).T, labels.T, known.T, strict=True):
            ones, zeros = logit[out & (there > 0) & (label > 0)], logit[out & (there > 0) & (label == 0)]
            if len(ones) and len(zeros):
                ahead = ones[:, None] - zeros[None]
                found.append(((ahead > 0).double().mean() + (ahead == 0).double().mean() / 2).to(found[0].dtype))
    best = found[0]
    for each in found[1:]:
        best = torch.fmax(best, each)
    return best


@objectives.add("mmd", paper="arXiv 2501.09620", needs=("features",))
@dataclass(frozen=True, kw_only=True)
class DistributionDistance(Levelled):
    """CRM's conditional form (arXiv 2501.09620): rewards have one distribution whatever the feature, given the label.

    Defaults: 5 quantile bins (the paper names no number), median bandwidth, on rewards, of at most 256 pairs drawn
    anew at each step. Weights of pairs do not enter the penalty.

    Side effect: at high strength rewards lose their spread (DIR's authors saw the landscape collapse), and what a
    feature rightly earns is lost.
    """

    term: ClassVar[str] = "discrepancy"

    strength: float = 10.0
    """What the mean MMD² is multiplied by."""

    bins: int = 5
    """Quantile bins of a feature."""

    most: int = 256
    """Pairs that a step compares; the time grows with the square."""

    def penalty(self, head: nn.ModuleDict, batch: Batch) -> Tensor:
        """Mean MMD² between bins, within chosen and within rejected answers."""
        import torch

        shown, features, label, _ = self.seen(head, batch).answers()
        if len(shown) > 2 * self.most:
            pairs = torch.randperm(len(shown) // 2, device=shown.device)[: self.most]
            some = torch.cat([pairs, pairs + len(shown) // 2])
            shown, features, label = shown[some], features[some], label[some]
        found: Tensor = conditional_mmd(shown, features, label, bins=self.bins)
        return found
