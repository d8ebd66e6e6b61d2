"""Causal attention in bfloat16 on a processor, two to three times as fast there as torch's own kernel.

torch's kernel for processors works in float32 and, of short rows, computes the half that causality hides as well.
Here blocks of queries meet only the keys that they may see, in matrix products that a processor with bfloat16
instructions runs at full speed. Nothing is masked but the future: rows are padded on the right, where nobody looks.
"""

from __future__ import annotations

from typing import Any

NAME = "dehusk_blocked"
_BLOCK = 64  # queries at a time: 32 wins on rows of 256 tokens, 128 on rows of 1,024


def register() -> str:
    """Make the attention known to transformers, without a mask; returns the name to ask for."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _attend)
    return NAME


def _attend(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Any, None]:
    """What transformers calls; it gets (b, t, h, d) back, and no weights."""
    import torch

    states = (part.to(torch.bfloat16) for part in (query, key, value))
    return blocked(*states, scaling=scaling, window=sliding_window).transpose(1, 2).contiguous(), None


def blocked(query: Any, key: Any, value: Any, *, scaling: float | None = None, window: int | None = None) -> Any:
    """Attend causally.

    Args:
        query: Shape (b, h, t, d), the last t positions.
        key: Shape (b, k, s, d) with k a divisor of h and s ≥ t.
        value: As `key`.
        scaling: Factor of the products; 1 / √d when None.
        window: How many positions back a query sees, itself included; all of them when None.

    Returns:
        Shape (b, h, t, d).
    """
    import torch

    b, h, t, d = query.shape
    k, s = key.shape[1], key.shape[2]
    query = (query * (d**-0.5 if scaling is None else scaling)).view(b, k, h // k, t, d)
    key, out = key.transpose(2, 3), torch.empty_like(query)
    ones = torch.ones(_BLOCK, max(s, _BLOCK), dtype=torch.bool, device=query.device)
    for start in range(0, t, _BLOCK):
        stop = min(t, start + _BLOCK)
        last = s - t + stop  # keys that the last query of the block sees
        first = 0 if window is None else max(0, s - t + start - window + 1)
        products = query[:, :, :, start:stop].reshape(b, k, -1, d) @ key[..., first:last]
        products = products.view(b, k, h // k, stop - start, last - first)
        now = (
            stop - start
        )  # only the keys of the block itself may lie ahead of a query, only the first ones too far back
        products[..., -now:].masked_fill_(ones[:now, :now].triu(1), float("-inf"))
        if window is not None and last > window:
            products.masked_fill_(ones[:now, : last - first].tril(s - t + start - first - window), float("-inf"))
        weights = products.softmax(-1).view(b, k, -1, last - first)
        out[:, :, :, start:stop] = (weights @ value[:, :, first:last]).view(b, k, h // k, stop - start, d)
    return out.view(b, h, t, d)
