"""From what a user wrote, `[NAME=]KIND:WHERE`, to a reward model."""

from __future__ import annotations

from dehusk.core.errors import InputError
from dehusk.core.kinds import RewardModel, reward_models
from dehusk.core.options import Scoring


def open_models(options: Scoring) -> tuple[RewardModel, ...]:
    """Open the reward models that the options name, in order.

    Raises:
        InputError: a kind that does not exist, two models of one name, or a model that cannot be opened.
    """
    found: dict[str, RewardModel] = {}
    for spec in options.reward_model:
        name, kind, where = parse_model(spec)
        model: RewardModel = reward_models[kind].thing(name, where, options)
        if model.name in found:
            raise InputError(f"{model.name!r} twice", where="--reward-model", expected="each name once")
        found[model.name] = model
    return tuple(found.values())


def parse_model(spec: str) -> tuple[str | None, str, str]:
    """Split `[NAME=]KIND:WHERE`.

    >>> parse_model("late=hf:out/checkpoint-500"), parse_model("scores:file.jsonl?answer=score")
    (('late', 'hf', 'out/checkpoint-500'), (None, 'scores', 'file.jsonl?answer=score'))

    Raises:
        InputError: no kind, or nothing after it.
    """
    head, colon, where = spec.partition(":")
    name, equals, kind = head.rpartition("=")
    if not colon or not kind.strip() or not where.strip() or (equals and not name.strip()):
        kinds = ", ".join(f"{row.name}:" for row in reward_models)
        raise InputError(f"{spec!r}", where="--reward-model", expected=f"[NAME=]KIND:WHERE with a kind of {kinds}")
    return name.strip() or None, kind.strip(), where.strip()
