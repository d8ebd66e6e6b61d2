"""One frozen dataclass a verb: its fields are the flags, the TOML keys, the help and the record of the run."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from dehusk.core.errors import InputError, UnknownName

C = TypeVar("C", bound="Config")
Lang = Literal["en", "zh"]
Format = Literal["text", "json", "markdown", "github", "sarif"]
FailOn = Literal["never", "warn", "fail"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Options of one verb; build it, or read it with `from_toml`."""

    def record(self) -> dict[str, Any]:
        """The options as they enter the record of the run: JSON's own types, defaults included."""
        return {name: _recorded(value) for name, value in asdict(self).items()}

    @classmethod
    def from_toml(cls: type[C], text: str, where: str) -> C:
        """Build the config from TOML; see `options_in`."""
        return cls(**cls.options_in(text, where))

    @classmethod
    def options_in(cls, text: str, where: str) -> dict[str, Any]:
        """Options in a TOML text: those of the verb's own table where there is one, else the whole text.

        Raises:
            InputError: broken TOML, an unknown key (with the nearest one) or a value of the wrong type.
        """
        try:
            tree = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"broken TOML: {error}", where=where) from None
        verb = cls.__name__.removesuffix("Config").lower()
        return cls._checked(tree.get(verb, tree), where)

    @classmethod
    def _checked(cls, options: Mapping[str, Any], where: str) -> dict[str, Any]:
        hints = get_type_hints(cls, include_extras=False)
        known = {item.name for item in fields(cls)}
        checked: dict[str, Any] = {}
        for key, given in options.items():
            name = key.replace("-", "_")
            if name not in known:
                raise UnknownName("option", key, known)
            value = tuple(given) if isinstance(given, list) else given
            if not _fits(value, hints[name]):
                raise InputError(f"{key} = {value!r}", where=where, expected=_spelled(hints[name]))
            checked[name] = value
        return checked


def _recorded(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_recorded(item) for item in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


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
    return str(getattr(hint, "__name__", hint))
