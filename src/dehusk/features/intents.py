"""What the user wants and does not want: names of features, of families, or phrases of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import polars as pl

from dehusk.core.errors import InputError, UnknownName
from dehusk.core.findings import Intent
from dehusk.core.kinds import Feature
from dehusk.features.mining import KINDS, as_feature
from dehusk.features.phrases import Phrase
from dehusk.text.canonical import END, START, canonical


def declare(
    features: Iterable[Feature], *, unwanted: Iterable[str], wanted: Iterable[str], rewritten: Iterable[str] = ()
) -> tuple[tuple[Feature, ...], dict[str, Intent]]:
    """Add the phrases a user names to the features, and note the intent of everything named.

    Whether a name means something does not depend on what was mined, so declared features are enough to check it.

    Args:
        features: Declared and mined features.
        unwanted: Names of features or families, or phrases.
        wanted: The same.
        rewritten: What the user's own rewrites add; named in any letter case, beside or instead of a feature.

    Returns:
        All features, and the intent of each one that was named, by the name that findings have.

    Raises:
        UnknownName: a single word that is none of these.
        InputError: a phrase without a word.
    """
    known = {feature.name: feature for feature in features}
    added = {name.casefold(): name for name in rewritten}
    intents: dict[str, Intent] = {}
    named: tuple[tuple[Intent, Iterable[str]], ...] = (("unwanted", unwanted), ("wanted", wanted))
    for intent, names in named:
        for name in _split(names):
            if name.casefold() in added:
                intents[added[name.casefold()]] = intent
            for feature in _meant(name, known, added, f"--{intent}"):
                known[feature.name] = feature
                intents[feature.name] = intent
    return tuple(known.values()), intents


def meant(names: Iterable[str], known: dict[str, Feature], where: str) -> list[Feature]:
    """The features that a user names, those of a family one by one; several names may stand in one, with commas.

    Raises:
        UnknownName: a single word that is neither a feature nor a family.
        InputError: a phrase without a word.
    """
    return [feature for name in _split(names) for feature in _meant(name, known, {}, where)]


def _split(names: Iterable[str]) -> Iterator[str]:
    return (part.strip() for given in names for part in given.split(",") if part.strip())


def _meant(name: str, known: dict[str, Feature], added: dict[str, str], where: str) -> list[Feature]:
    bare = name.strip("“”\"'「」")
    quoted = f"“{bare}”"
    if name in known:
        return [known[name]]
    family = [feature for feature in known.values() if feature.family == name]
    if family or name in KINDS or name.casefold() in added:
        return family
    if bare == name and name.isascii() and " " not in name:  # a word of code, not of prose
        names = [feature.name for feature in known.values() if not feature.mined]
        names += {*KINDS, *(feature.family for feature in known.values()), *added.values()}
        raise UnknownName("feature or family", name, names, where=where, fix=f"'\"{name}\"' if it is a phrase")
    return [known[quoted] if quoted in known else phrase_feature(bare, where)]


def phrase_feature(phrase: str, where: str | None = None) -> Feature:
    """A feature for a phrase the user wrote down: declared, not mined, so it is tested on all of the data.

    Raises:
        InputError: nothing in it but punctuation, which phrases are compared without.
    """
    text = pl.select(canonical(pl.lit(phrase))).item()
    words = tuple(word for word in text.split() if word not in (START, END))
    if not words:
        raise InputError(f"no word in {phrase!r}", where=where, expected="a phrase with letters or digits")
    return replace(as_feature(Phrase(words, 0, 0, (words,)), None), about="A phrase you named.")
