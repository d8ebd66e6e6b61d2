"""One frozen dataclass a verb: its fields are the flags, the TOML keys, the help and the record of the run."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from os import PathLike, fspath
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from dehusk.core.errors import InputError, UnknownName

C = TypeVar("C", bound="Config")
Lang = Literal["en", "zh"]
Format = Literal["text", "json", "markdown", "github", "sarif"]
FailOn = Literal["never", "warn", "fail"]
_FILES = ("pairs", "responses", "out", "source", "target")  # a file may have any bytes as its name


@dataclass(frozen=True, kw_only=True)
class Config:
    """Options of one verb; build it, or read it with `from_toml`."""

    def __post_init__(self) -> None:
        """Check that what is not the name of a file is text, and that the seed is one.

        Raises:
            InputError: bytes of another encoding, which Python hands over as lone surrogates; a negative seed.
        """
        for name, value in self.record().items():
            try:
                named = name == "target" and isinstance(value, list)  # features, not the file of `convert`
                json.dumps("" if name in _FILES and not named else value, ensure_ascii=False).encode()
            except UnicodeEncodeError:
                raise InputError("bytes that are not UTF-8", where=f"--{name.replace('_', '-')}") from None
        if self.record().get("seed", 0) < 0:
            raise InputError("a negative seed", where="--seed", expected="0 or more")

    def record(self) -> dict[str, Any]:
        """The options as they enter the record of the run: JSON's own types, defaults included."""
        return {name: _recorded(value) for name, value in asdict(self).items()}

    @classmethod
    def from_toml(cls: type[C], text: str, where: str) -> C:
        """Build the config from TOML; see `options_in`."""
        return cls(**cls.options_in(text, where))

    @classmethod
    def options_in(cls, text: str, where: str) -> dict[str, Any]:
        """Options in a TOML text: those of the verb's own table where there is one, else those outside such tables.

        Raises:
            InputError: broken TOML, an unknown key (with the nearest one) or a value of the wrong type.
        """
        try:
            tree = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"broken TOML: {error}", where=where) from None
        verbs = {config.__name__.removesuffix("Config").lower(): config for config in Config.__subclasses__()}
        own = [tree[verb] for verb, config in verbs.items() if config is cls and isinstance(tree.get(verb), dict)]
        return cls._checked(own[0] if own else {key: tree[key] for key in tree if key not in verbs}, where)

    @classmethod
    def called(cls: type[C], where: str, **options: Any) -> C:
        """Build the config from the arguments of a Python call: paths, lists, mappings and single values are taken.

        Args:
            where: The function that was called, for errors.
            options: Fields of the config. One value stands for a tuple of one, a mapping for NAME=VALUE strings.

        Raises:
            InputError: an unknown option (with the nearest one) or a value of the wrong type.
        """
        hints = get_type_hints(cls)
        several = {name for name, hint in hints.items() if get_origin(hint) is tuple}
        return cls(**cls._checked({name: _told(value, name in several) for name, value in options.items()}, where))

    @classmethod
    def _checked(cls, options: Mapping[str, Any], where: str) -> dict[str, Any]:
        hints = get_type_hints(cls, include_extras=False)
        known = {item.name for item in fields(cls)}
        checked: dict[str, Any] = {}
        for key, given in options.items():
            name = key.replace("-", "_")
            if name not in known:
                raise UnknownName("option", key, known, where=where)
            value = tuple(given) if isinstance(given, list) else given
            if not _fits(value, hints[name]):
                raise InputError(f"{key} = {value!r}", where=where, expected=_spelled(hints[name]))
            checked[name] = value
        return checked


def _told(value: Any, several: bool) -> Any:
    """What a call gives, as the command line would have it."""
    if isinstance(value, Mapping):
        return tuple(f"{name}={fspath(one) if isinstance(one, PathLike) else one}" for name, one in value.items())
    if several and isinstance(value, list | tuple):
        return tuple(_told(one, False) for one in value)
    value = fspath(value) if isinstance(value, PathLike) else value
    return (value,) if several else value


def _recorded(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_recorded(item) for item in value]
    if isinstance(value, str):  # a report is passed on; names and passwords in addresses are not
        return re.sub(r"(?<=://)[^/?#\s]*@", "", value)
    return value if value is None or isinstance(value, int | float | bool) else str(value)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a TOML value has the annotated type (unions, literals and homogeneous tuples included)."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _fits(value, arguments[0])
    if origin is Literal:
        return value in arguments
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, arguments[0]) for item in value)
    if arguments:  # a union
        return any(_fits(value, option) for option in arguments)
    if hint is type(None):
        return value is None
    if hint is Path:
        return isinstance(value, str)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def _spelled(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(str, get_args(hint)))
    if get_origin(hint) is tuple:
        return "a list in square brackets"
    return " or ".join(_spelled(option) for option in get_args(hint) if option is not type(None)) or hint.__name__
