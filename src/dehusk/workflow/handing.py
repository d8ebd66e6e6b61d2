"""What a repair asks for by the names of its parameters: pairs, measures, embeddings, margins, a reward model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dehusk.core.errors import InputError
from dehusk.core.keywords import asked, required
from dehusk.core.kinds import repairs
from dehusk.core.options import RepairConfig
from dehusk.core.run import stream
from dehusk.core.tables import Measures, Pairs
from dehusk.inputs import Watch
from dehusk.rewards import open_models, score_tables
from dehusk.rewards.embedding import open_embedder
from dehusk.rewards.store import Store

OF_MODELS = ("margins", "checkpoint_margins", "reward_model")  # parameters that a reward model is needed for
HANDED = ("pairs", "measures", "rng", "targets", "points", *OF_MODELS)
SIDES = ("chosen", "rejected")


def refuse_unasked(config: RepairConfig, method: Callable[..., Any]) -> None:
    """Refuse a model that the method has no use for: it would be opened, and change nothing.

    Raises:
        InputError: naming the flag.
    """
    names = set(asked(method))
    for flag, given, takes in (
        ("--reward-model", bool(config.reward_model), OF_MODELS),
        ("--embedder", config.embedder is not None, ("points",)),
    ):
        if given and not names & set(takes):
            raise InputError(f"{config.method} does not ask for one", where=flag, fix="leave it out")


def handed(
    config: RepairConfig, pairs: Pairs, measures: Measures, targets: tuple[str, ...], watch: Watch
) -> dict[str, Any]:
    """Everything that the method asks for by name and that there is.

    `points` is a tuple of the embeddings of both sides, each (n, d); `margins` the reward of chosen − rejected by the
    last reward model, (n,), `checkpoint_margins` by all of them, (n, m), NaN without a score.

    Raises:
        InputError: it needs what was not given.
        BackendError: a reward model did not answer.
    """
    method = repairs[str(config.method)].thing
    rng = stream(config.seed, f"repair.{config.method}")
    there: dict[str, Any] = {"pairs": pairs, "measures": measures, "rng": rng, "targets": targets}
    there |= _points(config, pairs) if "points" in asked(method) else {}
    there |= _rewards(config, pairs, watch) if set(OF_MODELS) & set(asked(method)) else {}
    for name in required(method):
        if name not in there:
            fix = "--embedder minilm" if name == "points" else "--reward-model KIND:WHERE"
            raise InputError(f"it needs {name.replace('_', ' ')}", where=f"--method {config.method}", fix=fix)
    return {name: there[name] for name in asked(method) if name in there}


def _points(config: RepairConfig, pairs: Pairs) -> dict[str, Any]:
    if config.embedder is None:
        return {}
    embedder = open_embedder(config.embedder, config, store=Store(config.store))
    prompts = pairs.frame["prompt"].to_list()
    return {"points": tuple(embedder.embed(prompts, pairs.frame[side].to_list()) for side in SIDES)}


def _rewards(config: RepairConfig, pairs: Pairs, watch: Watch) -> dict[str, Any]:
    if not config.reward_model:
        return {}
    models = open_models(config)
    texts = {side: (pairs.frame["prompt"], pairs.frame[side]) for side in SIDES}
    scores = score_tables(models, texts, watch)
    columns = [scores.of("chosen", name) - scores.of("rejected", name) for name in scores.models]
    return {"checkpoint_margins": np.stack(columns, axis=1), "margins": columns[-1], "reward_model": models[-1]}
