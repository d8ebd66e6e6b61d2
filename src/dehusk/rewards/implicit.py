"""`implicit:`, the reward that a policy trained by DPO amounts to.

r(x, y) = β · (log π(y | x) − log π_ref(y | x)), up to a term of the prompt alone
(Rafailov et al. 2023, arXiv:2305.18290).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dehusk.core.errors import InputError
from dehusk.core.kinds import reward_models
from dehusk.core.messages import Text, say
from dehusk.core.options import Scoring
from dehusk.core.tables import Floats, Ints
from dehusk.rewards.checkpoints import Checkpoint, load, load_tokenizer, open_checkpoint
from dehusk.rewards.classifiers import adapted, open_base
from dehusk.rewards.network import Network
from dehusk.rewards.opening import split_settings
from dehusk.rewards.precision import SAMPLES, settle
from dehusk.rewards.rendering import Rendering, rendering_for

_AT_ONCE = 256  # positions whose likelihoods over the vocabulary fit into memory together
BETA = 0.1  # the default of every framework


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model that says how likely answers are."""

    network: Network  # ends in hidden states
    words: Any  # their product with the vocabulary
    rendering: Rendering
    digest: str = ""
    precision: Text | None = None

    def log_probabilities(self, prompts: Sequence[str], responses: Sequence[str]) -> Iterator[tuple[Ints, Floats]]:
        """Batch by batch: rows, and the log-probability of each answer after its prompt, in nats."""
        ids, starts = self.rendering.parts(prompts, responses)
        for rows, values in self.network.read(ids, _before(starts), self.reader(ids, starts)):
            yield rows, values.double().cpu().numpy()

    def reader(self, ids: Sequence[list[int]], starts: Sequence[int]) -> Any:
        """Reads the log-probability of a text's tokens from its start on off the states of the tokens before them."""
        import torch

        def read(hidden: Any, row: int) -> Any:
            first = max(starts[row], 1)  # nothing says how likely the first token of all is
            told: Any = torch.tensor(ids[row][first:], device=hidden.device)
            pieces = zip(hidden[: len(told)].split(_AT_ONCE), told.split(_AT_ONCE), strict=True)
            return torch.stack(
                [_likelihood(self.words(states).float(), next_ones) for states, next_ones in pieces]
            ).sum()

        return read


def _likelihood(logits: Any, told: Any) -> Any:
    return (logits.gather(1, told[:, None])[:, 0] - logits.logsumexp(-1)).sum()


def _before(starts: Sequence[int]) -> list[int]:
    """The tokens whose states predict the tokens at the starts."""
    return [max(start - 1, 0) for start in starts]


@dataclass(frozen=True)
class Implicit:
    """The implicit reward of two language models."""

    name: str
    policy: LanguageModel
    reference: LanguageModel
    beta: float
    identity: str
    notes: tuple[str, ...]
    texts_a_call: int = 512

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> Floats:  # noqa: D102 - see the protocol
        policy, reference = (_gathered(model, prompts, responses) for model in (self.policy, self.reference))
        return self.beta * (policy - reference)


@reward_models.add("implicit")
def open_implicit(name: str | None, where: str, options: Scoring) -> Implicit:
    """The implicit reward of a DPO policy as POLICY,REFERENCE: beta times the gain in log-probability of the answer.

    Both are folders, hub names or packaged models; ?beta=0.1 is the strength that the policy was trained with. For a
    policy that is an adapter, the reference is its base model unless another one is named.

    Raises:
        InputError: a model that cannot be loaded, two that cut texts differently, or a beta that is no number above 0.
        MissingExtra: the libraries that models need are not installed.
    """
    places, settings = split_settings(where, ["beta"])
    beta = _beta(settings.get("beta"))
    first, _, second = (part.strip() for part in places.partition(","))
    policy = open_checkpoint(first)
    if not second and policy.adapter is None:
        fix = f"implicit:{first},REFERENCE"
        raise InputError(f"{where!r} names one model", where="--reward-model", expected="POLICY,REFERENCE", fix=fix)
    reference = open_checkpoint(second) if second else open_base(policy, None)
    tokenizer = load_tokenizer(policy, reference)
    models = [_open(place, tokenizer, options) for place in (policy, reference)]
    theirs = load_tokenizer(reference, policy)
    if theirs.get_vocab() != tokenizer.get_vocab():
        expected = "a policy and the model it was trained from"
        raise InputError("the two have different vocabularies", where=f"implicit:{places}", expected=expected)
    parts = [model.digest for model in models]
    lang = getattr(options, "lang", "en")
    return Implicit(
        name=name or first.rstrip("/").rpartition("/")[2],
        policy=models[0],
        reference=models[1],
        beta=beta,
        identity="implicit:" + hashlib.blake2b("\0".join([*parts, repr(beta)]).encode(), digest_size=16).hexdigest(),
        notes=tuple(
            text.render(lang)
            for text in (say("models.implicit", beta=beta), models[0].rendering.remark(), models[0].precision)
            if text
        ),
    )


def _open(place: Checkpoint, tokenizer: Any, options: Scoring) -> LanguageModel:
    base = open_base(place, None) if place.adapter is not None else place
    rendering = rendering_for(tokenizer, base.config, None, options.max_length)
    ids, starts = rendering.parts(*zip(*SAMPLES, strict=True))

    def loaded(dtype: Any) -> Any:
        if place.adapter is not None:
            return adapted(place, base, dtype, classifier=False)
        return load("AutoModelForCausalLM", place, dtype)

    def language_model(model: Any) -> LanguageModel:
        network = Network(model.base_model, causal=True, pad=0, tokens=options.batch_tokens)
        return LanguageModel(network, model.get_output_embeddings(), rendering)

    def values(model: Any) -> Floats:
        found = language_model(model)
        read = found.network.one_batch(ids, _before(starts), found.reader(ids, starts))
        likely: Floats = read.double().cpu().numpy()
        return likely

    model, dtype, precision = settle(loaded, values, options, base.parameters)
    parts = (place.digest(), base.digest(), dtype, model.config._attn_implementation, repr(rendering.settings))
    return replace(language_model(model), digest="\0".join(parts), precision=precision)


def _gathered(model: LanguageModel, prompts: Sequence[str], responses: Sequence[str]) -> Floats:
    found = np.full(len(responses), np.nan)
    for rows, values in model.log_probabilities(prompts, responses):
        found[rows] = values
    return found


def _beta(given: str | None) -> float:
    try:
        beta = BETA if given is None else float(given)
    except ValueError:
        beta = np.nan
    if not 0 < beta < np.inf:
        raise InputError(f"beta={given}", where="implicit:", expected="a number above 0", fix="?beta=0.1")
    return beta
