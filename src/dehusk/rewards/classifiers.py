"""What kind of reward model a folder of weights is, and where its head lies.

The head of a decoder is read from the file and applied here, and the network is loaded without it: a head that was
never saved (a merge that wrote a language model, an adapter without `modules_to_save`) is an error and not a random
number. Four frameworks write four forms:

- TRL and ms-swift: `score.weight` in a sequence classifier; read at the last token that is not the pad token.
- OpenRLHF: the same weight (or `value_head_prefix`), a config with `normalize_reward`; read at the last token.
- LLaMA-Factory: `v_head.summary.weight` and `.bias` in value_head.safetensors beside a causal LM or an adapter.
- Encoders such as DeBERTa have a head of their own making; they are loaded whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dehusk.core.errors import InputError
from dehusk.core.messages import Text, say
from dehusk.core.tables import Floats
from dehusk.rewards.checkpoints import Checkpoint, load, load_tokenizer, open_checkpoint, quiet
from dehusk.rewards.rendering import Ending

_V_HEAD = "v_head.summary"
_ENCODER_HEADS = ("classifier.", "classification_head.", "pooler.", "head.")
_FIX = 'save the head with the model: modules_to_save=["score"] of an adapter, save_pretrained of the whole classifier'


@dataclass(frozen=True)
class Head:
    """Takes the hidden state of one token to a reward."""

    weight: Floats | None  # shape (d,); None where the network ends in the reward itself
    bias: float = 0.0
    mean: float = 0.0  # of the rewards before they are normalised
    std: float = 1.0
    skipped: int | None = None  # a token that the reward is not read at: the pad token, for classifiers

    def position(self, ids: Sequence[int]) -> int:
        """Index of the token that the reward is read at."""
        if self.weight is None:
            return 0
        return next((i for i in range(len(ids) - 1, -1, -1) if ids[i] != self.skipped), 0)

    def rewards(self, hidden: Floats) -> Floats:
        """Rewards of n texts, shape (n,), from the states at those tokens, shape (n, d)."""
        raw = hidden[:, 0] if self.weight is None else hidden @ self.weight + self.bias
        rewards: Floats = (raw - self.mean) / self.std
        return rewards


@dataclass(frozen=True)
class Classifier:
    """A reward model that was found, not yet loaded."""

    checkpoint: Checkpoint
    base: Checkpoint | None  # what an adapter sits on
    head: Head
    tokenizer: Any
    ending: Ending
    remarks: tuple[Text, ...]

    @property
    def causal(self) -> bool:
        """Whether it is a decoder, whose head is applied here."""
        return self.head.weight is not None

    @property
    def network(self) -> Checkpoint:
        """Where the weights of the network lie."""
        return self.base or self.checkpoint

    def digest(self) -> str:
        """Hash of all that its numbers depend on."""
        return self.checkpoint.digest() + (self.base.digest() if self.base else "")

    def load(self, dtype: Any) -> Any:
        """The network in a number format: the decoder under the head, or the whole classifier.

        Raises:
            InputError: it cannot be loaded, or a weight is missing.
        """
        if self.checkpoint.adapter is not None:
            model = adapted(self.checkpoint, self.network, dtype, classifier=not self._has_v_head)
            return model.base_model if self.causal else model
        if self.causal:
            return load("AutoModel", self.checkpoint, dtype)
        return load("AutoModelForSequenceClassification", self.checkpoint, dtype, num_labels=1)

    @property
    def _has_v_head(self) -> bool:
        return f"{_V_HEAD}.weight" in self.checkpoint.tensors


def recognise(where: str, base: str | None = None) -> Classifier:
    """Look into a folder and say what kind of reward model it is.

    Args:
        where: Folder or hub name.
        base: Where the base model of an adapter is, if not where the adapter says.

    Raises:
        InputError: not a reward model, or one whose head is missing.
    """
    checkpoint = open_checkpoint(where)
    under = open_base(checkpoint, base) if checkpoint.adapter is not None else None
    config = (under or checkpoint).config
    found = _find(checkpoint, config) or (_find(under, config) if under else None)
    if found is None:
        raise InputError(
            "no reward head in it; loaded all the same, the head would be random and so would every score",
            where=where,
            expected="score.weight, value_head.safetensors or a classifier's head",
            fix=_FIX,
        )
    name, head = found
    remarks = [say("models.head", weight=name, file=_file(name, checkpoint, under))]
    if checkpoint.adapter is not None:
        remarks.append(say("models.adapter", base=(under or checkpoint).where))
    if (head.mean, head.std) != (0.0, 1.0):
        remarks.append(say("models.normalised", mean=head.mean, std=head.std))
    tokenizer = load_tokenizer(*(place for place in (checkpoint, under) if place))
    if head.skipped is not None and head.skipped == tokenizer.eos_token_id:
        remarks.append(say("models.pad_is_eos", token=tokenizer.eos_token))
    ending: Ending = "eos" if "normalize_reward" in config else "template"
    return Classifier(checkpoint, under, head, tokenizer, ending, tuple(remarks))


def open_base(adapter: Checkpoint, named: str | None) -> Checkpoint:
    """The model that an adapter sits on.

    Raises:
        InputError: it cannot be found.
    """
    where = named or str((adapter.adapter or {}).get("base_model_name_or_path") or "")
    if not where:
        raise InputError("an adapter that does not name its base model", where=adapter.where, fix="?base=PATH")
    try:
        return open_checkpoint(where)
    except InputError as error:
        said = f"its base model {where}: {error.what}"
        raise InputError(said, where=adapter.where, fix=f"{adapter.where}?base=PATH") from None


def adapted(adapter: Checkpoint, base: Checkpoint, dtype: Any, *, classifier: bool) -> Any:
    """A base model with an adapter merged into it.

    Raises:
        InputError: the adapter cannot be applied, or does not hold all of its weights.
        MissingExtra: peft is not installed.
    """
    from peft import PeftModel, get_peft_model_state_dict

    auto = "AutoModelForSequenceClassification" if classifier else "AutoModelForCausalLM"
    spare, options = (("score.", *_ENCODER_HEADS), {"num_labels": 1}) if classifier else ((), {})
    model = load(auto, base, dtype, spare=spare, **options)
    with quiet():
        try:
            peft = PeftModel.from_pretrained(model, adapter.folder, use_safetensors=True, local_files_only=True)
        except (ValueError, RuntimeError, KeyError, TypeError, OSError) as error:
            said = " ".join(str(error).split())[:300]
            raise InputError(f"the adapter does not fit its base model: {said}", where=adapter.where) from None
        missing = sorted(set(get_peft_model_state_dict(peft, save_embedding_layers=False)) - set(adapter.tensors))
        if missing:
            raise InputError(f"{len(missing)} weights are not in it, such as {missing[0]}", where=adapter.where)
        return peft.merge_and_unload().eval()


def _find(place: Checkpoint, config: Any) -> tuple[str, Head] | None:
    """Name of the head's weight, and the head."""
    value = f"{_V_HEAD}.weight"
    if value in place.tensors:
        bias = place.tensor(f"{_V_HEAD}.bias").item() if f"{_V_HEAD}.bias" in place.tensors else 0.0
        return value, Head(_row(place, value), bias)
    prefix = config.get("value_head_prefix", "score")
    named = next((name for name in place.tensors if name.endswith(f"{prefix}.weight")), None)
    if named is not None:
        ours = "normalize_reward" in config  # OpenRLHF reads the reward at the very last token
        skipped = None if ours else config.get("pad_token_id")
        std = float(config.get("std") or 1.0)
        return named, Head(_row(place, named), 0.0, float(config.get("mean") or 0.0), std, skipped)
    ends = [name for name in place.tensors if any(f".{end}" in f".{name}" for end in _ENCODER_HEADS[:2])]
    if not ends:
        return None
    out = next((name for name in ends if name.endswith(("out_proj.weight", "classifier.weight"))), ends[-1])
    _row(place, out)
    return out, Head(None)


def _row(place: Checkpoint, name: str) -> Floats:
    """The weight of a head with one output, shape (d,).

    Raises:
        InputError: it has more.
    """
    shape = place.tensors[name][1]
    if len(shape) > 1 and shape[0] != 1:
        what = f"{name} has {shape[0]} outputs"
        raise InputError(what, where=place.where, expected="a reward model, which has one (num_labels = 1)")
    weight: Floats = place.tensor(name).numpy().astype(np.float64).reshape(-1)
    return weight


def _file(name: str, *places: Checkpoint | None) -> str:
    return next(place.tensors[name][0].name for place in places if place and name in place.tensors)
