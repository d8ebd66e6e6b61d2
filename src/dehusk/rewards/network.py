"""A language model as a function from tokens to hidden states, batch by batch."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dehusk.core.tables import Ints
from dehusk.rewards.batching import plan

_CACHED = 1024  # tokens: larger batches are slower on processors (benchmarks/scoring.py)
Read = Callable[[Any, int], Any]  # (hidden states of one row from its start on, shape (t, d); the row) -> tensor


@dataclass(frozen=True)
class Network:
    """A loaded model and how to run it.

    A causal model needs no mask: rows are padded on the right, and no token looks to the right. That is faster, and
    what a text is batched with cannot change its numbers but for rounding.
    """

    model: Any  # gives `last_hidden_state`, or `logits` if it is a whole classifier
    causal: bool
    pad: int  # a token to fill rows with
    tokens: int  # most tokens a batch, padding included
    separator: int | None = None  # a token after which another segment begins, for a model that has segments
    layers: tuple[int, ...] = (-1,)  # hidden states that are wanted, side by side; 0 are the embeddings, -1 the last
    share: bool = True  # compute the beginning that several texts share once

    @property
    def budget(self) -> int:
        """Tokens a batch: on a processor, no more than its caches hold the states of."""
        return min(self.tokens, _CACHED) if self.model.device.type == "cpu" else self.tokens

    @property
    def shares(self) -> bool:
        """Whether shared beginnings are computed once: a gain on processors, not measured elsewhere.

        Convolutions carry a state that keys and values do not hold.
        """
        import torch

        if not (self.share and self.causal and self.model.device.type == "cpu"):
            return False
        takes_keys = {"cache", "past_key_values"} & set(inspect.signature(self.model.forward).parameters)
        return bool(takes_keys) and not any(isinstance(layer, torch.nn.Conv1d) for layer in self.model.modules())

    @property
    def attention(self) -> str:
        """Name of the attention it runs with, which numbers depend on in their last digits."""
        return str(self.model.config._attn_implementation)

    def read(self, ids: Sequence[list[int]], starts: Sequence[int], read: Read) -> Iterator[tuple[Ints, Any]]:
        """Read something off the hidden states of each of n texts.

        Args:
            ids: Tokens of each text.
            starts: First token of each text whose hidden state is wanted.
            read: Gets the hidden states of a text from its start to its end.

        Yields:
            Rows of a batch, and what was read of each, stacked.
        """
        for shared, batches in plan(ids, starts, self.budget, share=self.shares):
            known = self._beginning(ids[int(batches[0][0])][:shared]) if shared else None
            for rows in batches:
                some, firsts = [ids[row] for row in rows], [starts[row] for row in rows]
                values = self._read(some, firsts, read, rows, known, shared)
                yield rows, values

    def one_batch(self, ids: Sequence[list[int]], starts: Sequence[int], read: Read) -> Any:
        """Read as `read` does, of all texts in one padded batch, stacked in their order."""
        return self._read(ids, starts, read, np.arange(len(ids)))

    def _read(
        self,
        ids: Sequence[list[int]],
        starts: Sequence[int],
        read: Read,
        rows: Ints,
        known: Any = None,
        shared: int = 0,
    ) -> Any:
        """Run one batch, whose texts begin with `shared` tokens that are `known`, and read each of its rows."""
        import torch

        with torch.inference_mode():
            hidden = self._hidden([row[shared:] for row in ids], known, shared)
            parts = (hidden[i, start - shared : len(ids[i]) - shared] for i, start in enumerate(starts))
            return torch.stack([read(part, int(row)) for part, row in zip(parts, rows, strict=True)])

    def _hidden(self, ids: Sequence[list[int]], known: Any, shared: int) -> Any:
        """Hidden states of one batch, shape (b, t, layers × d), after `shared` tokens that are `known`."""
        import torch

        lengths = np.array([len(row) for row in ids])
        filled = np.full((len(ids), lengths.max()), self.pad, dtype=np.int64)
        real = np.arange(filled.shape[1]) < lengths[:, None]
        filled[real] = np.concatenate([np.asarray(row, dtype=np.int64) for row in ids])
        inputs: dict[str, Any] = {"input_ids": torch.from_numpy(filled).to(self.model.device)}
        if not self.causal:
            inputs |= self._segments(filled, real)
        elif known is not None:
            grown = copy.deepcopy(known)
            grown.batch_repeat_interleave(len(ids))
            positions = torch.arange(shared, shared + filled.shape[1], device=self.model.device)[None]
            inputs |= {_cache_word(self.model): grown, "position_ids": positions, "use_cache": True}
        elif "use_cache" in inspect.signature(self.model.forward).parameters:
            inputs["use_cache"] = False
        return self._wanted(self.model(**inputs, **self._ask()))

    def _beginning(self, ids: list[int]) -> Any:
        """Keys and values of the tokens that several texts begin with."""
        import torch
        from transformers import DynamicCache

        cache = DynamicCache(config=self.model.config)
        with torch.inference_mode():
            self.model(
                torch.tensor([ids], device=self.model.device), use_cache=True, **{_cache_word(self.model): cache}
            )
        return cache

    def _segments(self, ids: Any, real: Any) -> dict[str, Any]:
        """Mask of a model that looks both ways, and its second segment: what follows the first separator."""
        import torch

        found = {"attention_mask": torch.from_numpy(real.astype(np.int64)).to(self.model.device)}
        if getattr(self.model.config, "type_vocab_size", 0) >= 2 and self.separator is not None:
            ends = ids == self.separator
            second = (np.cumsum(ends, axis=1) - ends).clip(0, 1) * real
            found["token_type_ids"] = torch.from_numpy(second).to(self.model.device)
        return found

    def _ask(self) -> dict[str, bool]:
        return {} if self.layers == (-1,) else {"output_hidden_states": True}

    def _wanted(self, output: Any) -> Any:
        import torch

        if "logits" in output:  # a classifier has pooled already: one position a row
            return output.logits[:, None]
        if self.layers == (-1,):
            return output.last_hidden_state
        return torch.cat([output.hidden_states[layer] for layer in self.layers], dim=-1)


def _cache_word(model: Any) -> str:
    """What a model calls the keys and values it is given: transformers renamed it."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
