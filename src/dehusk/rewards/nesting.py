"""Reward models named in a file of their folder: members of an ensemble, the model inside a correction."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

from dehusk.core.errors import InputError
from dehusk.core.kinds import RewardModel
from dehusk.core.options import Scoring, at_home
from dehusk.io.atomic import write_atomic
from dehusk.rewards.opening import open_models, parse_model, split_settings

_ELSEWHERE = ("py", "http", "https", "cmd")  # kinds whose place is no file
TRUST = "trust=yes"
_INSIDE: ContextVar[bool | None] = ContextVar("inside", default=None)  # whether the nest being opened is trusted


class Nest:
    """A folder whose file names reward models.

    A file that came from elsewhere could name a program to run or a server to send texts to. Such models are opened
    only if the user says so in the address, `KIND:FOLDER?trust=yes`; what a file says of itself, or of a folder inside
    it, does not count.
    """

    def __init__(self, folder: Path, content: dict[str, Any], *, trusted: bool) -> None:
        """Keep what was read, and whether its user trusts it."""
        self.folder, self.content, self.trusted = folder, content, trusted

    def open(self, spec: str, options: Scoring) -> RewardModel:
        """Open a model by its `[NAME=]KIND:WHERE`; a path is looked for beside the file that names it first.

        Raises:
            InputError: it cannot be opened, it contains itself, or it runs code or sends texts and is not trusted.
            MissingExtra: the libraries that it needs are not installed.
        """
        if parse_model(spec)[1] in _ELSEWHERE and not self.trusted:
            what = f"names {spec}, which runs code or sends texts elsewhere"
            raise InputError(what, where=str(self.folder), fix=f"…:{self.folder}?{TRUST} if you trust it")
        given = _moved(spec, lambda path: str(self.folder / path) if (self.folder / path).exists() else path)
        inside = _INSIDE.set(self.trusted)
        try:
            [model] = open_models(replace(options, reward_model=(given,)))
        except RecursionError:
            raise InputError(f"{spec} contains itself", where=str(self.folder)) from None
        finally:
            _INSIDE.reset(inside)
        return model


def trusting(specs: Iterable[str]) -> str:
    """What must follow the address of a folder that names these models for it to be opened."""
    outside = any(parse_model(spec)[1] in _ELSEWHERE or spec.endswith(f"?{TRUST}") for spec in specs)
    return f"?{TRUST}" if outside else ""


def portable(spec: str, folder: str | Path) -> str:
    """A `[NAME=]KIND:WHERE` as it is written into a folder: a path of this machine relative to that folder.

    Raises:
        InputError: no reward model is named so.
    """

    def from_there(path: str) -> str:
        here = Path(at_home(path))
        return os.path.relpath(here.resolve(), Path(folder).resolve()) if here.exists() else path

    return _moved(spec, from_there)


def _moved(spec: str, move: Callable[[str], str]) -> str:
    """The same model with every path in its place changed: also the second of two, and that of a base model."""
    name, kind, where = parse_model(spec)
    if kind not in _ELSEWHERE:
        place, mark, settings = where.partition("?")
        moved = ",".join(move(part.strip()) for part in place.split(",")) if not Path(place).exists() else move(place)
        parts = [f"base={move(part[5:])}" if part.startswith("base=") else part for part in settings.split("&")]
        where = moved + mark + "&".join(parts)
    return f"{name}={kind}:{where}" if name else f"{kind}:{where}"


def write_config(folder: str | Path, file: str, content: dict[str, Any]) -> None:
    """Write what a folder holds, as JSON.

    Raises:
        InputError: the folder cannot be made or written.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot be made: {error.strerror or error}", where=str(folder)) from None
    write_atomic(Path(folder) / file, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def read_config(where: str, file: str, version: int, needed: Iterable[str]) -> Nest:
    """What the JSON file of a folder holds.

    Raises:
        InputError: no such file, another format, or a part that is missing.
    """
    place, settings = split_settings(where, ["trust"])
    inside = _INSIDE.get()
    trusted = settings.get("trust") == "yes" if inside is None else inside
    path = Path(at_home(place))
    path = path.parent if path.name == file else path
    try:
        content = json.loads((path / file).read_text("utf-8"))
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot be read: {said}", where=str(path / file), expected=f"a folder with {file}") from None
    if not isinstance(content, dict) or content.get("format") != version:
        raise InputError("another format", where=str(path / file), expected=f'"format": {version}')
    missing = [name for name in needed if name not in content]
    if missing:
        raise InputError(f"no {missing[0]!r}", where=str(path / file))
    return Nest(path, content, trusted=trusted)


def identity_of(kind: str, content: Any, inner: Iterable[RewardModel]) -> str | None:
    """A name for all that the scores of a made-up model depend on; None if one of its parts has none."""
    parts = [getattr(model, "identity", None) for model in inner]
    if None in parts:
        return None
    whole = json.dumps([content, parts], sort_keys=True, ensure_ascii=False)
    return f"{kind}:" + hashlib.blake2b(whole.encode("utf-8", "replace"), digest_size=16).hexdigest()
