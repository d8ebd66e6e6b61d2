"""Statistics of many pairs need earlier ones beside a small batch: a queue of what they showed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Seen:
    """n pairs, those of this batch last: the sample of a penalty."""

    chosen: Tensor  # (n, m) what the penalty is on: rewards (m = 1) or a representation
    rejected: Tensor  # (n, m)
    weight: Tensor  # (n,)
    chosen_features: Tensor  # (n, k)
    rejected_features: Tensor  # (n, k)
    row: Tensor  # (n,) rows of the training set

    @classmethod
    def unpack(cls, rows: Tensor, features: int) -> Seen:
        """From the rows of a queue, shape (n, 2m + 2k + 2)."""
        import torch

        m = rows.shape[1] // 2 - 1 - features
        chosen, rejected, weight, row, more, less = torch.split(rows, [m, m, 1, 1, features, features], dim=1)
        return cls(chosen, rejected, weight[:, 0], more, less, row[:, 0])

    def packed(self) -> Tensor:
        """As rows of a queue."""
        import torch

        told = [self.weight[:, None], self.row[:, None], self.chosen_features, self.rejected_features]
        return torch.cat([self.chosen, self.rejected, *(part.to(self.chosen.dtype) for part in told)], dim=1)

    def more(self) -> tuple[Tensor, Tensor]:
        """Whether the chosen answer has more of each feature, and whether one of them has, both 0 or 1, (n, k)."""
        moved = self.chosen_features - self.rejected_features
        return (moved > 0).to(moved.dtype), (moved != 0).to(moved.dtype)


def empty_queue(size: int, width: int) -> nn.Module:
    """Room for `size` rows of `width` numbers, as buffers: a checkpoint holds them."""
    import torch
    from torch import nn

    queue = nn.Module()
    queue.register_buffer("rows", torch.zeros(size, width))
    queue.register_buffer("count", torch.zeros((), dtype=torch.long))
    return queue


def push(queue: nn.Module, rows: Tensor) -> None:
    """Put rows, shape (b, width), in place of the oldest ones."""
    import torch

    kept, count = queue.get_buffer("rows"), queue.get_buffer("count")
    rows = rows.detach()[-len(kept) :] if len(kept) else rows[:0]
    kept[(count + torch.arange(len(rows), device=kept.device)) % max(len(kept), 1)] = rows.to(kept.dtype)
    count += len(rows)


def held(queue: nn.Module) -> Tensor:
    """All rows that are in it, shape (n, width), in no order."""
    kept: Tensor = queue.get_buffer("rows")
    return kept[: int(queue.get_buffer("count"))]


def filled_up(queue: nn.Module, rows: Tensor) -> Tensor:
    """Rows (b, width), which were pushed last, below those pushed before them, as many as the queue holds: (n, width).

    Only this batch's rows carry a gradient, and it is multiplied by n / b: it estimates that of n rows, so a penalty
    does not fade as batches get smaller.
    """
    import torch

    kept, count = queue.get_buffer("rows"), int(queue.get_buffer("count"))
    earlier = min(count, len(kept)) - len(rows)
    if earlier <= 0:
        return rows
    order = torch.arange(count - len(rows) - earlier, count - len(rows), device=kept.device) % len(kept)
    scale = (earlier + len(rows)) / len(rows)
    return torch.cat([kept[order].to(rows.dtype), rows.detach() + scale * (rows - rows.detach())])
