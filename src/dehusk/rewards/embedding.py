"""Texts as points: hidden states of a frozen model, pooled, and kept in the store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from dehusk.core.errors import InputError
from dehusk.core.messages import Text
from dehusk.core.options import Loading
from dehusk.core.tables import Floats, Ints
from dehusk.rewards.checkpoints import load, load_tokenizer, open_checkpoint
from dehusk.rewards.network import Network
from dehusk.rewards.precision import SAMPLES, settle
from dehusk.rewards.rendering import Rendering, rendering_for
from dehusk.rewards.store import Store, key

Pooling = Literal["mean", "last"]


@dataclass(frozen=True)
class Embedder:
    """A frozen model that places an answer, given its prompt, in d dimensions."""

    network: Network
    rendering: Rendering
    pooling: Pooling
    identity: str
    precision: Text
    store: Store | None = field(default=None, compare=False)

    def embed(self, prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Embeddings of n answers, shape (n, d); what the store knows is not computed again."""
        names = [
            key(self.identity, "embedding", asked or "", said) for asked, said in zip(prompts, responses, strict=True)
        ]
        known = self.store.get(list(dict.fromkeys(names))) if self.store else {}
        first = {name: i for i, name in enumerate(names) if name not in known}
        missing = list(first.values())
        asked, said = [prompts[i] for i in missing], [responses[i] for i in missing]
        for rows, values in self._in_parts(asked, said):
            fresh = {names[missing[row]]: value for row, value in zip(rows, values, strict=True)}
            if self.store:
                self.store.put(fresh)
            known |= fresh
        return np.stack([known[name] for name in names]).astype(np.float32) if names else np.empty((0, 0), np.float32)

    def _in_parts(self, prompts: Sequence[str], responses: Sequence[str]) -> Iterator[tuple[Ints, Any]]:
        ids, starts = self.rendering.parts(prompts, responses)
        for rows, values in self.network.read(ids, self._from(ids, starts), self._pool):
            yield rows, values.float().cpu().numpy()

    def _from(self, ids: Sequence[list[int]], starts: Sequence[int]) -> list[int]:
        """First token that is pooled: of the answer in a causal model, of all in one that looks both ways."""
        if self.pooling == "last":
            return [len(row) - 1 for row in ids]
        return list(starts) if self.network.causal else [0] * len(ids)

    def _pool(self, hidden: Any, _: int) -> Any:
        return hidden[-1] if self.pooling == "last" else hidden.float().mean(0)


def open_embedder(
    where: str,
    options: Loading,
    *,
    layers: Sequence[int] = (-1,),
    pooling: Pooling = "mean",
    store: Store | None = None,
) -> Embedder:
    """Open a frozen language model, or a sentence model such as MiniLM, as an embedder.

    Args:
        where: Folder, hub name or packaged model.
        options: Device, number format, tokens a batch and a text.
        layers: Whose hidden states, side by side: 0 the token embeddings, -1 the last.
        pooling: Mean over the answer's tokens (over all tokens in a model that looks both ways), or the last token.
        store: Where embeddings are kept.

    Raises:
        InputError: it cannot be loaded, or has no such layer.
        MissingExtra: the libraries that models need are not installed.
    """
    checkpoint = open_checkpoint(where)
    tokenizer = load_tokenizer(checkpoint)
    causal = any("CausalLM" in name or "LMHead" in name for name in checkpoint.config.get("architectures") or [])
    rendering = rendering_for(tokenizer, checkpoint.config, None, options.max_length, causal=causal)
    depth = checkpoint.config.get("num_hidden_layers", checkpoint.config.get("n_layer"))
    if depth and any(not -depth - 1 <= layer <= depth for layer in layers):
        raise InputError(f"layers {list(layers)}", where=where, expected=f"0 to {depth}, or -1 for the last")

    def embedder(model: Any, identity: str = "", precision: Text | None = None) -> Embedder:
        pad = tokenizer.pad_token_id or 0
        network = Network(model, causal, pad, options.batch_tokens, tokenizer.sep_token_id, tuple(layers))
        return Embedder(network, rendering, pooling, identity, precision or Text("models.chat"), store)

    def values(model: Any) -> Floats:
        found = embedder(model)
        ids, starts = rendering.parts(*zip(*SAMPLES, strict=True))
        read = found.network.one_batch(ids, found._from(ids, starts), found._pool)
        points: Floats = read.double().cpu().numpy()
        return points

    # An encoder's pooler, if it has one, is made up at random in some checkpoints and never used here.
    def loaded(dtype: Any) -> Any:
        whole = load("AutoModel", checkpoint, dtype, spare=("pooler.",))
        return _up_to(max(layer if layer >= 0 else depth + 1 + layer for layer in layers), whole) if depth else whole

    model, dtype, precision = settle(loaded, values, options, checkpoint.parameters, causal=causal)
    attention = model.config._attn_implementation
    parts = (checkpoint.digest(), dtype, attention, repr(rendering.settings), repr(tuple(layers)), pooling)
    identity = "embedding:" + hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
    return embedder(model, identity, precision)


def _up_to(layer: int, model: Any) -> Any:
    """The model without the layers above `layer`, whose states nobody asked for; whole where its parts are not known.

    Above the last layer stands a norm, which the states of a middle layer never went through.
    """
    from torch import nn

    blocks = getattr(model, "layers", None)
    if isinstance(blocks, nn.ModuleList) and hasattr(model, "norm") and layer < len(blocks):
        model.layers, model.norm = blocks[: max(layer, 1)], nn.Identity()
    return model
