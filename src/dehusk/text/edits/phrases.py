"""Edits that put a set phrase somewhere: openers, closers, hedges, neutral filler, and any phrase of the user's."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from importlib import resources
from types import MappingProxyType
from unicodedata import east_asian_width

from dehusk.core.kinds import Feature, edits
from dehusk.text.canonical import END, START, readable
from dehusk.text.edits.places import added

Edit = Callable[[str, str, int], str | None]
_PLACES = MappingProxyType({"anywhere": ("start", "middle", "end"), "opening": ("start",), "closing": ("end",)})


def phrase_edit(phrase: str, place: str) -> Edit:
    """An edit that adds copies of a phrase, each a sentence of its own, at the "start", "middle" or "end".

    >>> phrase_edit("thanks", "end")("", "Boil water.", 2)
    'Boil water. Thanks. Thanks.'
    """
    copy = phrase[:1].upper() + phrase[1:]
    if copy and copy[-1].isalnum():
        copy += "。" if east_asian_width(copy[-1]) in "WF" else "."

    def edit(_prompt: str, response: str, dose: int) -> str | None:
        return added(response, [copy] * dose, place)

    return edit


def edits_of_phrase(feature: Feature) -> tuple[tuple[str, Edit], ...]:
    """Edits that add a phrase of the data or of the user's, one a place where it counts; none for other features."""
    places = _PLACES.get(str(feature.details.get("position", "")), ()) if feature.family == "phrase" else ()
    words = [word for word in feature.details["tokens"][0] if word not in (START, END)] if places else []
    return tuple((place, phrase_edit(readable(words), place)) for place in places)


def _sentences(said: Sequence[str], place: str) -> Edit:
    """An edit that adds the first `dose` of some sentences."""

    def edit(_prompt: str, response: str, dose: int) -> str | None:
        return added(response, said[:dose], place)

    return edit


def _register() -> None:
    text = resources.files("dehusk.text.edits").joinpath("said.toml").read_text("utf-8")
    for name, row in tomllib.loads(text).items():
        for place in row["place"] if isinstance(row["place"], list) else [row["place"]]:
            edit = _sentences(row["said"], place)
            edit.__doc__ = row["about"].format(place=place)
            options = {"changes": row["changes"], "lang": row["lang"], "place": place, "doses": len(row["said"])}
            edits.add(name.format(place=place), content_free=row.get("content_free", True), **options)(edit)


FILLER = {
    (lang, at): f"filler_{at}{end}" for lang, end in (("en", ""), ("zh", "_zh")) for at in ("start", "middle", "end")
}
_register()
