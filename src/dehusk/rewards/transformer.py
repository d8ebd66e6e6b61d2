"""`hf:`, a reward model in the format of Hugging Face."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dehusk.core.kinds import reward_models
from dehusk.core.messages import Text, say
from dehusk.core.options import Scoring
from dehusk.core.tables import Floats, Ints
from dehusk.rewards.classifiers import Classifier, recognise
from dehusk.rewards.network import Network
from dehusk.rewards.opening import split_settings
from dehusk.rewards.precision import SAMPLES, settle
from dehusk.rewards.rendering import Rendering, rendering_for

_AT_ONCE = 16_384  # texts whose tokens are in memory together


@dataclass
class Transformer:
    """A reward model whose texts are rendered, batched and scored here."""

    name: str
    where: str
    options: Scoring
    classifier: Classifier
    network: Network
    rendering: Rendering
    identity: str
    remarks: tuple[Text, ...]
    special_ids: Mapping[str, int | None]
    special_texts: Mapping[str, str | None]
    truncated: int = 0  # texts so far that were too long
    first: str = ""  # the first text that was scored

    @property
    def max_length(self) -> int | None:
        """Tokens kept of a text."""
        return self.rendering.max_length

    @property
    def notes(self) -> tuple[str, ...]:
        """How it was loaded, how its texts look, and the first of them once there is one, in sentences."""
        said = self.remarks
        if self.first:
            said = (*said, say("models.first", text=_shortened(self.first)))
        if self.truncated:
            said = (*said, say("models.truncated", count=self.truncated, tokens=self.max_length))
        return tuple(remark.render(getattr(self.options, "lang", "en")) for remark in said)

    def render(self, prompts: Sequence[str], responses: Sequence[str]) -> list[str]:  # noqa: D102 - see the protocol
        return [self.rendering.text(asked, said) for asked, said in zip(prompts, responses, strict=True)]

    def token_ids(self, text: str) -> list[int]:  # noqa: D102 - see the protocol
        return self.rendering.ids([text])[0]

    def score_texts(self, texts: Sequence[str]) -> Floats:  # noqa: D102 - see the protocol
        return _in_one_batch(self.classifier, self.network, self.rendering.ids(texts))

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> Floats:  # noqa: D102 - see the protocol
        scores = np.full(len(responses), np.nan)
        for rows, values in self.in_parts(prompts, responses):
            scores[rows] = values
        return scores

    def in_parts(self, prompts: Sequence[str], responses: Sequence[str]) -> Iterator[tuple[Ints, Floats]]:
        """Score n answers in the order that is fastest: the rows of a batch, and their scores."""
        head = self.classifier.head
        for start in range(0, len(responses), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            texts = self.render(prompts[some], responses[some])
            self.first = self.first or texts[0]
            ids = self.rendering.ids(texts)
            self.truncated += sum(len(row) == self.max_length for row in ids)
            for rows, hidden in self.network.read(ids, [head.position(row) for row in ids], _first):
                yield rows + start, head.rewards(numbers(hidden))

    def again(self) -> Transformer:
        """The same checkpoint loaded a second time."""
        model: Transformer = open_transformer(self.name, self.where, self.options)
        return model


@reward_models.add("hf")
def open_transformer(name: str | None, where: str, options: Scoring) -> Transformer:
    """A Hugging Face folder or hub name: a classifier with one output, or a language model with a value head.

    Also an adapter folder that holds its head; ?base=PATH says where its base model is. Texts follow the chat template
    of the tokenizer; ?join=plain, or any text with {prompt} and {response} as in ?join={prompt}{response}, is used
    instead. Only safetensors files are read, and no remote code is run.

    Raises:
        InputError: nothing that can be loaded, or a head that is missing: it would be random.
        MissingExtra: the libraries that models need are not installed.
    """
    place, settings = split_settings(where, ["join", "base"])
    classifier = recognise(place, settings.get("base"))
    tokenizer, config = classifier.tokenizer, classifier.network.config
    rendering = rendering_for(
        tokenizer, config, settings.get("join"), options.max_length, ending=classifier.ending, causal=classifier.causal
    )
    pad = tokenizer.pad_token_id if config.get("pad_token_id") is None else config["pad_token_id"]
    ids = rendering.ids([rendering.text(asked, said) for asked, said in SAMPLES])

    def network(model: Any) -> Network:
        return Network(model, classifier.causal, pad or 0, options.batch_tokens, tokenizer.sep_token_id)

    model, dtype, precision = settle(
        classifier.load,
        lambda model: _in_one_batch(classifier, network(model), ids),
        options,
        classifier.network.parameters,
        causal=classifier.causal,
    )
    parts = ("1", classifier.digest(), dtype, network(model).attention, repr(rendering.settings))
    return Transformer(
        name=name or place.rstrip("/").rpartition("/")[2] or place,
        where=where,
        options=options,
        classifier=classifier,
        network=network(model),
        rendering=rendering,
        identity="hf:" + hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest(),
        remarks=(*classifier.remarks, rendering.remark(), precision),
        special_ids={"bos": tokenizer.bos_token_id, "eos": tokenizer.eos_token_id, "pad": pad},
        special_texts={"bos": tokenizer.bos_token, "eos": tokenizer.eos_token, "pad": tokenizer.pad_token},
    )


def numbers(tensor: Any) -> Floats:
    """A tensor as float64 on the processor, same shape."""
    found: Floats = tensor.float().cpu().numpy().astype(np.float64)
    return found


def _in_one_batch(classifier: Classifier, network: Network, ids: Sequence[list[int]]) -> Floats:
    head = classifier.head
    return head.rewards(numbers(network.one_batch(ids, [head.position(row) for row in ids], _first)))


def _shortened(text: str) -> str:
    """One line of at most 400 characters, the middle left out, line feeds visible."""
    shown = text.replace("\n", "⏎")
    return shown if len(shown) <= 400 else f"{shown[:250]} … {shown[-148:]}"


def _first(hidden: Any, _: int) -> Any:
    return hidden[0]
