"""From what a user wrote, `[NAME=]KIND:WHERE`, to a reward model."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from dehusk.core.errors import InputError, UnknownName
from dehusk.core.kinds import RewardModel, reward_models, scores_new_texts
from dehusk.core.options import Scoring
from dehusk.rewards.store import Store
from dehusk.rewards.stored import Stored


def open_models(options: Scoring) -> tuple[RewardModel, ...]:
    """Open the reward models that the options name, in order.

    A model that can score new texts comes as `Stored`, whose `model` is the model itself.

    Raises:
        InputError: a kind that does not exist, two models of one name, a model that cannot be opened, or a store
            that cannot be used.
    """
    found: dict[str, RewardModel] = {}
    store: Store | None = None
    for name, kind, where in [parse_model(spec) for spec in options.reward_model]:
        model: RewardModel = reward_models[kind].thing(name, where, options)
        if model.name in found:
            fix = f"--reward-model {model.name}-2={kind}:{where}"
            raise InputError(f"{model.name!r} twice", where="--reward-model", expected="each name once", fix=fix)
        if scores_new_texts(model):
            if store is None and getattr(model, "identity", None) is not None:
                store = Store(options.store)
            model = Stored(model, store)
        found[model.name] = model
    return tuple(found.values())


def parse_model(spec: str, flag: str = "--reward-model") -> tuple[str | None, str, str]:
    """Split `[NAME=]KIND:WHERE`.

    >>> parse_model("late=py:module:function"), parse_model("scores:file.jsonl?answer=score")
    (('late', 'py', 'module:function'), (None, 'scores', 'file.jsonl?answer=score'))

    Raises:
        InputError: no kind, an unknown one, or nothing after it; with what was probably meant.
    """
    head, colon, where = spec.partition(":")
    name, equals, kind = (part.strip() for part in head.rpartition("="))
    kinds = [row.name for row in reward_models]
    if colon and kind in kinds and where.strip() and (name or not equals):
        return name or None, kind, where.strip()
    fix = _meant(spec)
    if colon and kind not in kinds and fix is None:
        raise UnknownName("kind of reward model", kind, kinds, where=flag)
    expected = f"[NAME=]KIND:WHERE with a kind of {', '.join(kinds)}"
    raise InputError(f"{spec!r}", where=flag, expected=expected, fix=fix)


def _meant(spec: str) -> str | None:
    """What was probably meant by a file, a folder, a name on the hub or an address without its kind."""
    if re.match(r"[\w.-]+:\d+(?:/|$)", spec):
        return f"http://{spec}"
    if ":" in spec:
        return None
    name, equals, place = spec.rpartition("=")
    if Path(place).is_file():
        return f"{name}{equals}scores:{place}"
    return f"{name}{equals}hf:{place}" if "/" in place or Path(place).is_dir() else None


def split_settings(where: str, known: Iterable[str]) -> tuple[str, dict[str, str]]:
    """Take the settings that a kind knows out of `WHERE?name=value&…`; what is not known stays where it is.

    >>> split_settings("//host/get_reward?token=t&timeout=9", ["timeout"])
    ('//host/get_reward?token=t', {'timeout': '9'})
    """
    place, _, query = where.partition("?")
    settings: dict[str, str] = {}
    others = []
    for part in filter(None, query.split("&")):
        name, equals, value = part.partition("=")
        if equals and name in set(known):
            settings[name] = unquote(value)
        else:
            others.append(part)
    return "?".join([place, "&".join(others)] if others else [place]), settings
