"""Objectives without a penalty on features: plain Bradley–Terry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dehusk.core.kinds import objectives
from dehusk.fitting.losses.bradley_terry import centring
from dehusk.fitting.objectives.dense import Dense
from dehusk.fitting.objectives.objective import Batch

if TYPE_CHECKING:
    from torch import Tensor, nn


@objectives.add("bt", paper="Bradley and Terry (1952)")
@dataclass(frozen=True, kw_only=True)
class PlainBradleyTerry(Dense):
    """Bradley and Terry (1952): −log σ(r_w − r_l − margin), with nothing against any feature.

    Defaults: no centring; TRL's `center_rewards_coefficient` is .01 (arXiv 2312.09244). Margins are the batch's.

    Side effect: it learns whatever sets chosen from rejected answers apart; "longer" even from data whose chosen
    answers are shorter on average (arXiv 2512.23461).
    """

    centring: float = 0.0
    """Strength of (r_w + r_l)², which takes out the additive constant; needed before rewards of models are averaged."""

    def terms(self, head: nn.ModuleDict, batch: Batch, progress: float) -> dict[str, Tensor]:
        found = {"likelihood": self.likelihood(head, batch)}
        if self.centring:
            chosen, rejected = self.reward(head, batch.chosen), self.reward(head, batch.rejected)
            found["centring"] = self.centring * centring(chosen, rejected, weight=batch.weight)
        return found
