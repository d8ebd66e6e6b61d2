"""Objectives that punish any dependence on features, not correlation alone: DIR's information, CRM's distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dehusk.core.kinds import objectives
from dehusk.fitting.losses.discrepancy import conditional_mmd
from dehusk.fitting.losses.information import label_information
from dehusk.fitting.objectives.objective import Batch
from dehusk.fitting.objectives.penalised import Levelled, Sampled
from dehusk.fitting.objectives.queue import Seen, held
from dehusk.fitting.objectives.regressions import log_odds, regression
from dehusk.fitting.objectives.side_network import Apply, ask, learn, side_network

if TYPE_CHECKING:
    from torch import Tensor, nn

_HELD_OUT = 5  # q never learns from one pair in this many


@objectives.add("dir", paper="arXiv 2512.23461", needs=("features",))
@dataclass(frozen=True, kw_only=True)
class InformationBound(Levelled):
    """DIR (arXiv 2512.23461): a network q tells from a pair's difference which answer has more; that is then unlearnt.

    Defaults: strength 3 (released: 1) for heads on frozen states. On a frozen model the difference is that of rewards,
    since that of states cannot change; `level="points", units=1024` is the paper's when a model is trained. q is solved
    for at every step, which a difference of rewards allows: a network that learns beside the head, 5 steps a step as
    released, is behind it, and what the head owes to the feature swings from one side to the other. Ties have no label
    (released: a 0), and the marginal term is that of a queue (released: of the micro-batch, which makes the penalty 0
    at one pair a device).

    `held_out_auc`: q's on pairs it never learns from, the highest over features, at the end; `highest_held_out_auc`:
    the highest it ever had. If the first stays above a half the bound did not do its job; if the second never left a
    half, the penalty was noise.

    Side effect: accuracy on pairs whose chosen answer has more of the feature falls; noisy in small batches. It sees
    which answer has more and not how much, so something of what the amount is worth is left.
    """

    term: ClassVar[str] = "information"

    strength: float = 3.0
    """What the bound is multiplied by."""

    queue: int = 256
    """Pairs that q and the marginal term are taken from; the longer past they are, the more q lags behind the head,
    which then swings about it."""

    units: int = 0
    """Hidden units of q; 0 to solve for it at every step, as a logistic regression on the difference and its square."""

    steps: int = 5
    """Steps of a q that has hidden units before each step of the head."""

    rate: float = 0.03
    """Its learning rate, which must be quicker than the head's; 1e-4 in the paper, where the head has 2e-6."""

    def build(self, dimensions: int, features: int, pairs: int) -> nn.ModuleDict:
        import torch

        head = super().build(dimensions, features, pairs)
        width = self.width(dimensions, features)
        head["q"] = side_network(width, self.units, features) if self.units else regression(2 * width, features)
        head["q"].register_buffer("highest", torch.full((), float("nan")))
        return head

    def before(self, head: nn.ModuleDict, batch: Batch, progress: float) -> None:
        import torch

        super().before(head, batch, progress)
        with torch.no_grad():
            seen = self.seen(head, batch)
        labels, known = seen.more()
        known = known * (seen.row % _HELD_OUT != 0).to(known.dtype)[:, None]
        inputs = self._told(seen, seen)
        if self.units:

            def loss(apply: Apply) -> Tensor:
                each = torch.nn.functional.binary_cross_entropy_with_logits(apply(inputs), labels, reduction="none")
                return (known * each).sum() / known.sum().clamp_min(1)

            for _ in range(self.steps):
                learn(head["q"], loss, rate=self.rate)
        else:
            log_odds(head["q"], inputs, labels, known)
        highest = head["q"].get_buffer("highest")
        highest.copy_(torch.fmax(highest, self._held_out_auc(head["q"], seen)))

    def penalty(self, head: nn.ModuleDict, batch: Batch) -> Tensor:
        """What differences tell of the labels, by q as it stands."""
        everyone = self.seen(head, batch)
        labels, known = everyone.more()
        shares = (known * labels).sum(0) / known.sum(0).clamp_min(1)
        here = self._shown(head, batch)
        labels, known = here.more()
        logits = ask(head["q"], self._told(here, everyone))
        found: Tensor = label_information(logits, labels, known * here.weight[:, None], shares)
        return found

    def readings(self, head: nn.ModuleDict) -> dict[str, float]:
        rows = held(head["queue"])
        seen = Seen.unpack(rows, list(head["q"].parameters())[-1].numel())
        found = {
            "held_out_auc": float(self._held_out_auc(head["q"], seen)),
            "highest_held_out_auc": float(head["q"].get_buffer("highest")),
        }
        return {name: value for name, value in found.items() if value == value}  # noqa: PLR0124 - NaN is not a number

    def _told(self, seen: Seen, everyone: Seen) -> Tensor:
        """What q sees of some pairs: differences in units of their usual size, so that it need not follow as they grow.

        A logistic regression on a number and its square is right for two normal distributions; both are bounded, so
        that no pair outweighs all others.
        """
        import torch

        size = (everyone.chosen - everyone.rejected).detach().square().mean().sqrt().clamp_min(1e-12)
        told = (seen.chosen - seen.rejected) / size
        return told if self.units else torch.cat([told.tanh(), told.tanh() ** 2], dim=1)

    def _held_out_auc(self, q: nn.Module, seen: Seen) -> Tensor:
        """AUC of q for each feature on the pairs it never learns from, the highest; NaN if none has both labels."""
        import torch

        labels, known = seen.more()
        out = seen.row % _HELD_OUT == 0
        found = [torch.full((), float("nan"))]
        with torch.no_grad():
            for logit, label, there in zip(ask(q, self._told(seen, seen)).T, labels.T, known.T, strict=True):
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
class DistributionDistance(Levelled, Sampled):
    """CRM's conditional form (arXiv 2501.09620): rewards have one distribution whatever the feature, given the label.

    Defaults: 5 quantile bins (the paper names no number), median bandwidth, on differences of rewards within pairs
    (published: on the answers given the label, `form="partial"`). Weights of pairs do not enter the penalty.

    Side effect: at high strength rewards lose their spread (DIR's authors saw the landscape collapse), and what a
    feature rightly earns is lost.
    """

    term: ClassVar[str] = "discrepancy"

    strength: float = 10.0
    """What the mean MMD² is multiplied by."""

    bins: int = 5
    """Quantile bins of a feature."""

    most: int = 512
    """States that a step compares, drawn anew; the time grows with the square. Rewards are all compared."""

    def penalty(self, head: nn.ModuleDict, batch: Batch) -> Tensor:
        """Mean MMD² between bins of differences, or of answers within each class."""
        import torch

        shown, features, label, _ = self.sample(head, batch)
        if self.level != "reward" and len(shown) > self.most:
            some = torch.randperm(len(shown), device=shown.device)[: self.most]
            shown, features = shown[some], features[some]
            label = None if label is None else label[some]
        found: Tensor = conditional_mmd(shown, features, label, bins=self.bins)
        return found
