"""Sentences in more than one language, kept apart from the numbers in them.

A probe says *which* sentence and *which* values; the words live in `core/texts/<lang>/<area>.toml`, one key a
sentence, `str.format` fields for the values. The key `data.longer_wins` is `longer_wins` in `data.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class Text:
    """A sentence before it is put in words: a key of the catalogue and the values it mentions."""

    key: str
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def render(self, lang: str = "en") -> str:
        """Put it in words of `lang`.

        A value whose name starts with `feature` is a feature's name and is shown by its label;
        a value that is itself a `Text` is rendered first.

        Raises:
            KeyError: when the catalogue has no such key (a test forbids it).
        """
        values = {
            name: label(value, lang)
            if name.startswith("feature")
            else value.render(lang)
            if isinstance(value, Text)
            else value
            for name, value in self.values.items()
        }
        return catalogue(lang)[self.key].format(**values)


def say(key: str, **values: Any) -> Text:
    """Shorthand for a `Text`.

    >>> say("core.no_reason").render("en")
    'no reason given'
    """
    return Text(key, MappingProxyType(values))


@cache
def catalogue(lang: str) -> Mapping[str, str]:
    """All sentences of one language, keyed `<area>.<key>`; feature labels are `features.<name>.label`."""
    found: dict[str, str] = {}
    folder = resources.files("dehusk.core").joinpath("texts", lang)
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        if file.name.endswith(".toml"):
            area = file.name.removesuffix(".toml")
            _flatten(area, tomllib.loads(file.read_text("utf-8")), found)
    return MappingProxyType(found)


def label(feature: str, lang: str) -> str:
    """Readable name of a feature; a mined phrase is its own label."""
    return catalogue(lang).get(f"features.{feature}.label", feature)


def _flatten(prefix: str, tree: Mapping[str, Any], into: dict[str, str]) -> None:
    for name, value in tree.items():
        if isinstance(value, dict):
            _flatten(f"{prefix}.{name}", value, into)
        else:
            into[f"{prefix}.{name}"] = str(value)
