"""Sentences in more than one language, kept apart from the numbers in them.

A probe says *which* sentence and *which* values; the words live in `core/texts/<lang>/<area>.toml`, one key a
sentence, `str.format` fields for the values. The key `data.longer_wins` is `longer_wins` in `data.toml`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

LANGUAGES = ("en", "zh")
# C0 and C1 controls but tab and line feed, bidirectional embeddings, overrides and isolates, surrogates, non-characters
_HOSTILE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Text:
    """A sentence before it is put in words: a key of the catalogue and the values it mentions."""

    key: str
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def render(self, lang: str = "en") -> str:
        """Put it in words of `lang`.

        A value whose name starts with `feature` is a feature's name and is shown by its label, one called `needs` is
        a clause (see `clause`); a value that is itself a `Text` is rendered first.

        Raises:
            KeyError: when the catalogue has no such key (a test forbids it).
        """
        values = {
            name: label(value, lang)
            if name.startswith("feature")
            else clause("needs", value, lang)
            if name == "needs"
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


def clause(kind: str, words: str, lang: str) -> str:
    """A short clause that lower layers write in English, in words of `lang`, part by part.

    Kernels know no catalogue. Its tables `report.method` and `report.needs` hold the parts, each as it is written in
    the code but with # for every number; what they do not hold stays as it is. Names of inputs are a list, not clauses.

    >>> clause("method", "5 folds by prompt, Wilson interval", "zh")
    '按 prompt 分 5 折，Wilson 区间'
    >>> clause("needs", "measures, pairs", "zh")
    '特征测量值、偏好数据对（--pairs）'
    """

    def said(part: str) -> str:
        numbers = iter(re.findall(r"\d+", part))
        known = catalogue(lang).get(f"report.{kind}." + re.sub(r"\d+", "#", part))
        return part if known is None else re.sub("#", lambda _: next(numbers), known)

    parts = words.split(", ")
    joint = "names" if all(part.isidentifier() for part in parts) else "list"
    return catalogue(lang)[f"report.{joint}"].join(map(said, parts))


def visible(text: str) -> str:
    r"""Spell out characters that could hide, reorder or break the text around them.

    >>> visible("a\x00b\u202ec")
    'a⟨U+0000⟩b⟨U+202E⟩c'
    """
    return _HOSTILE.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text.replace("\r\n", "\n"))


def meaning(table: str, name: str, docstring: str, lang: str) -> str:
    """What an entry of a table ("features", "layouts", "probes") means: in English its docstring says it."""
    return catalogue(lang).get(f"{table}.{name}.about", docstring)


def _flatten(prefix: str, tree: Mapping[str, Any], into: dict[str, str]) -> None:
    for name, value in tree.items():
        if isinstance(value, dict):
            _flatten(f"{prefix}.{name}", value, into)
        else:
            into[f"{prefix}.{name}"] = str(value)
