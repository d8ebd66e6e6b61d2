"""The standard folder of a reward model: a sequence classifier with one output that nothing of ours is needed for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dehusk.core.errors import InputError
from dehusk.core.kinds import objectives
from dehusk.core.tables import Floats
from dehusk.fitting.objectives.objective import Objective
from dehusk.rewards.checkpoints import Checkpoint, load, open_checkpoint
from dehusk.rewards.precision import SAMPLES
from dehusk.rewards.rendering import Rendering

if TYPE_CHECKING:
    from torch import nn

_TALK = ({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"})
_WHOLE = ("{% set whole %}", "{% endset %}{{ whole if add_generation_prompt else whole.rstrip('\\n') }}")


def open_base(where: str) -> Checkpoint:
    """The model to start from.

    Raises:
        InputError: there is none, or it is an adapter.
    """
    checkpoint = open_checkpoint(where)
    if checkpoint.adapter is not None:
        fix = "merge it into its base model (merge_and_unload, save_pretrained)"
        raise InputError("an adapter, not a whole model", where=where, fix=fix)
    return checkpoint


def load_classifier(checkpoint: Checkpoint, dtype: Any) -> Any:
    """A decoder with an untrained linear head, `score`.

    Raises:
        InputError: it cannot be loaded, or its head is of another make.
    """
    from torch import nn

    model = load("AutoModelForSequenceClassification", checkpoint, dtype, spare=("score.",), num_labels=1)
    if not isinstance(getattr(model, "score", None), nn.Linear):
        raise InputError(
            f"a {type(model).__name__} has a head of its own making",
            where=checkpoint.where,
            expected="a decoder, whose head is one linear layer called score",
            fix="--train heads",
        )
    for name in ("mean", "std"):  # what another head's rewards were normalised by
        if hasattr(model.config, name):
            delattr(model.config, name)
    return model


def close_at_end_of_text(tokenizer: Any) -> bool:
    """Let a chat template end in the end-of-text token where only line feeds stand behind it; whether it had to.

    `<|im_end|>` and a line feed is how many templates close. TRL reads the reward at the line feed, OpenRLHF strips it
    and reads at the token before: a model trained on one of the two says nothing at the other. Without it all read at
    the same token.
    """
    template = tokenizer.chat_template
    if not isinstance(template, str) or not tokenizer.eos_token:
        return False
    closed = str(tokenizer.apply_chat_template(_TALK, tokenize=False))
    if not (closed.endswith("\n") and closed.rstrip("\n").endswith(tokenizer.eos_token)):
        return False
    tokenizer.chat_template = f"{_WHOLE[0]}{template}{_WHOLE[1]}"
    return True


def pad_apart(tokenizer: Any, rendering: Rendering) -> None:
    """Give a tokenizer a pad token that no text ends in, for a classifier reads the reward before the pad tokens.

    Where the two are one, the closing token would never be read here, and always where rewards are read at the very
    last token, as OpenRLHF does.
    """
    ends = {ids[-1] for ids in rendering.ids([rendering.text(*sample) for sample in SAMPLES])}
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id in ends:
        spare = (tokenizer.pad_token, tokenizer.unk_token, tokenizer.bos_token, tokenizer.eos_token)
        usable = [token for token in spare if token and tokenizer.convert_tokens_to_ids(token) not in ends]
        tokenizer.pad_token = usable[0] if usable else tokenizer.convert_ids_to_tokens(0)


def linear_layer(objective: Objective, head: nn.ModuleDict) -> tuple[Floats, float]:
    """Weights, shape (d,), and constant of an objective's linear head.

    Raises:
        InputError: it is not linear, which no standard classifier can hold; names the objectives that are.
    """
    layers = objective.layers(head)
    if len(layers) != 1:
        raise InputError(
            f"a head of {len(layers)} layers, which no standard classifier can hold",
            where=f"objective {_name(objective)}",
            expected=f"a linear head, as of {', '.join(_linear())}",
            fix="--train heads",
        )
    weight, bias = layers[0]
    return np.asarray(weight, dtype=np.float64).reshape(-1), float(np.asarray(bias).sum())


def save_classifier(model: Any, weight: Floats, tokenizer: Any, folder: Path) -> None:
    """Write the standard folder: safetensors, config, tokenizer with its chat template.

    Args:
        model: A sequence classifier.
        weight: What its head becomes, shape (d,). A constant cannot be kept, and changes no preference.
        tokenizer: What its texts were made into tokens with.
        folder: Where to.
    """
    import torch
    from torch import nn

    dtype = next(model.parameters()).dtype
    model.score = nn.Linear(weight.size, 1, bias=False, dtype=dtype)
    with torch.no_grad():
        model.score.weight.copy_(torch.as_tensor(weight)[None])
    model.config.pad_token_id = tokenizer.pad_token_id
    model.config.use_cache = True
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _linear() -> list[str]:
    """Names of the objectives whose head is linear as they are by default."""
    return [row.name for row in objectives if len(row.thing().layers(row.thing().build(2, 1, 2))) == 1]


def _name(objective: Objective) -> str:
    return next((row.name for row in objectives if row.thing is type(objective)), type(objective).__name__)
