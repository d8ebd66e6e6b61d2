"""A training set made ready: points and features standardised once, as tensors on their device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dehusk.core.tables import Floats, Ints
from dehusk.fitting.objectives import Batch
from dehusk.fitting.training_set import Points, TrainingSet
from dehusk.stats.bounding import bounded

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Ground:
    """n pairs on standardised dimensions; `mean` and `scale`, shape (d,), are over both sides of all of them."""

    mean: Floats
    scale: Floats
    chosen: Tensor  # (n, d) float32
    rejected: Tensor
    chosen_features: Tensor  # (n, k)
    rejected_features: Tensor
    weight: Tensor  # (n,)
    foreign_chosen: Tensor | None
    foreign_rejected: Tensor | None
    margin: Tensor | None

    def differences(self, rows: Ints | slice = slice(None)) -> Points:
        """Chosen − rejected, shape (m, d)."""
        found: Points = (self.chosen[rows] - self.rejected[rows]).cpu().numpy()
        return found

    def batch(self, rows: Tensor, places: Tensor, weight: Tensor) -> Batch:
        """Some pairs for an objective.

        Args:
            rows: Which, shape (b,).
            places: Where they stand among the pairs of the fit, shape (b,).
            weight: What they count, shape (b,).
        """
        names = ("chosen", "rejected", "chosen_features", "rejected_features")
        given: dict[str, Any] = {name: getattr(self, name).index_select(0, rows) for name in names}  # [rows] is slower
        for name in ("foreign_chosen", "foreign_rejected", "margin"):
            whole = getattr(self, name)
            given[name] = None if whole is None else whole.index_select(0, rows)
        return Batch(weight=weight, row=places, **given)


def ground_of(data: TrainingSet, device: str) -> Ground:
    """Standardise a training set."""
    import torch

    mean, scale = _scales(data.chosen, data.rejected)
    features = even(np.stack([data.chosen_features, data.rejected_features]))

    def tensor(values: Any) -> Tensor:
        return torch.as_tensor(np.asarray(values, dtype=np.float32), device=device)

    def points(values: Points | None) -> Any:
        return None if values is None else tensor((values - mean.astype(np.float32)) / scale.astype(np.float32))

    return Ground(
        mean=mean,
        scale=scale,
        chosen=points(data.chosen),
        rejected=points(data.rejected),
        chosen_features=tensor(features[0]),
        rejected_features=tensor(features[1]),
        weight=tensor(data.weight),
        foreign_chosen=points(data.foreign_chosen),
        foreign_rejected=points(data.foreign_rejected),
        margin=None if data.margin is None else tensor(data.margin),
    )


def even(features: Floats) -> Floats:
    """Features of both sides, shape (2, n, k), standardised over both, once no answer outweighs all others.

    One answer of a hundred thousand characters among two thousand of a thousand has almost all of their variance: a
    correlation would be that answer's, and nothing would be asked of the rest.
    """
    both = np.concatenate(list(features))
    chosen, rejected = np.split(bounded(both - np.median(both, axis=0)), 2)
    mean, scale = _scales(chosen, rejected)
    return np.stack([(chosen - mean) / scale, (rejected - mean) / scale])


def _scales(chosen: Any, rejected: Any) -> tuple[Floats, Floats]:
    """Mean and standard deviation over both sides, shape (d,); 1 for what never moves."""
    means = [side.mean(axis=0, dtype=np.float64) for side in (chosen, rejected)]
    mean = (means[0] + means[1]) / 2
    spreads = [side.var(axis=0, dtype=np.float64) for side in (chosen, rejected)]
    scale = np.sqrt((spreads[0] + spreads[1]) / 2 + ((means[0] - means[1]) / 2) ** 2)
    scale[scale < 1e-8 * max(float(scale.max(initial=0)), 1e-300)] = 1.0
    return mean, scale
