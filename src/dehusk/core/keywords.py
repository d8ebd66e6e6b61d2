"""Options of a function in a table, as a user gives them: `name=value`, checked against its signature."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Collection, Iterable
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from dehusk.core.errors import InputError, UnknownName

WORDS = {"true": True, "yes": True, "false": False, "no": False}


def required(function: Callable[..., Any]) -> list[str]:
    """Names of the parameters without a default, in order: what a function must be handed."""
    parameters = inspect.signature(function).parameters.items()
    return [name for name, parameter in parameters if parameter.default is parameter.empty]


def asked(function: Callable[..., Any]) -> list[str]:
    """Names of all parameters, in order."""
    return list(inspect.signature(function).parameters)


def read_options(
    function: Callable[..., Any], entries: Iterable[str], *, handed: Collection[str], where: str = "--option"
) -> dict[str, Any]:
    """Turn `("bins=10", "how=mirrored")` into keyword arguments.

    A parameter that is a tuple takes several entries, and commas within one.

    Args:
        function: Whose keyword-only parameters with a default are the options.
        entries: As given.
        handed: Parameters that are not the user's to set.
        where: The flag, for errors.

    Raises:
        InputError: an entry without "=", or a value of another type.
        UnknownName: no such option, with the nearest ones.
    """
    hints = get_type_hints(function)
    own = set(asked(function)) - set(required(function)) - set(handed)
    found: dict[str, Any] = {}
    for entry in entries:
        name, equals, text = (part.strip() for part in entry.partition("="))
        name = name.replace("-", "_")
        if not equals or not name or not text:
            raise InputError(f"{entry!r}", where=where, expected="NAME=VALUE", fix=f"{where} {_example(own)}")
        if name not in own:
            if not own:
                raise InputError(f"{name!r}: it has no options", where=where)
            raise UnknownName("option", name, own, where=where)
        value = _read(text, hints[name])
        if value is None:
            raise InputError(f"{name} = {text!r}", where=where, expected=_spelled(hints[name]))
        found[name] = (*found.get(name, ()), *value) if isinstance(value, tuple) else value
    return found


def _read(text: str, hint: Any) -> Any:
    """The value of a type that a text spells, or None."""
    arguments = get_args(hint)
    if get_origin(hint) is Literal:
        return next((choice for choice in arguments if str(choice) == text), None)
    if get_origin(hint) is tuple:
        parts = tuple(_read(part.strip(), arguments[0]) for part in text.split(","))
        return None if None in parts else parts
    if get_origin(hint) in (Union, types.UnionType):
        return next((value for one in arguments if (value := _read(text, one)) is not None), None)
    if hint is bool:
        return WORDS.get(text.lower())
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            return None
    return text if hint is str else None


def _spelled(hint: Any) -> str:
    arguments = [one for one in get_args(hint) if one not in (type(None), ...)]
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if get_origin(hint) is tuple:
        return f"{_spelled(arguments[0])}, several separated by commas"
    if arguments:
        return " or ".join(map(_spelled, arguments))
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}.get(hint, str(hint))


def _example(own: Collection[str]) -> str:
    return f"{min(own)}=…" if own else "NAME=VALUE"
