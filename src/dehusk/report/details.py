"""What a finding carries beside its estimate, sorted into what the page knows how to draw.

Conventional keys of `Finding.details`: `subset` (a string) or `part` (`{"column", "level"}`), `stages` (a list of
`{"stage", "rate" or "mean", "low", "high"}`), `terms` (a list of `{"term", "weight"}`), `curves` (a list of `Curve`)
and second readings (`length_matched`, `adjusted`, …: estimates). A list of records becomes a small table; every other
key is shown by its readable name. No shape of a value is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from dehusk.core.findings import Curve, Estimate, Finding
from dehusk.core.messages import Text, label
from dehusk.report.wording import ABSENT, finite, interval, is_change, number, word, word_or_itself

# What is seen at once, in this order; the rest is behind a click.
_FIRST = ("length_matched", "length_conditional", "net_of_length", "adjusted", "variants", "position")
_UNSHOWN = frozenset({"reading", "measure", "subset", "part"})  # told by the sentence and the heading
_FEATURES = frozenset({"features", "collinear_with"})  # keys whose strings are names of features
_MOST = 20  # items of one list or mapping that are shown
_DEEPEST = 4


@dataclass(frozen=True)
class StagePoint:
    """A feature's rate or mean at one stage."""

    stage: str
    unit: str  # "share" for rates, empty for means
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Term:
    """A term of a linear probe; `share` is its weight as per cent of the largest."""

    term: str
    weight: float
    share: float


@dataclass(frozen=True)
class Sheet:
    """A list of records as a table of words."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Facts:
    """Estimates and other values with their names in words."""

    estimates: tuple[tuple[str, Estimate], ...]
    values: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Details:
    """The details of one finding, ready to be shown: what to see at once, and the rest."""

    first: Facts
    rest: Facts
    stages: tuple[StagePoint, ...]
    terms: tuple[Term, ...]
    curves: tuple[Curve, ...]
    sheets: tuple[Sheet, ...]


def details_of(finding: Finding, lang: str) -> Details:
    """Sort the details of a finding."""
    stages = _stages(finding.details.get("stages"))
    terms = _terms(finding.details.get("terms"))
    curves = _curves(finding.details.get("curves"))
    drawn = (
        _UNSHOWN
        | ({"curves"} if curves else set())
        | ({"stages"} if stages else set())
        | ({"terms"} if terms else set())
    )
    named = {str(key): value for key, value in finding.details.items() if key not in drawn}
    tabular = {key: rows for key, value in named.items() if (rows := _rows(value))}
    first = {key: named[key] for key in _FIRST if key in named and key not in tabular}
    rest = {key: value for key, value in named.items() if key not in first and key not in tabular}
    sheets = tuple(_sheet(key, rows, finding, lang) for key, rows in tabular.items())
    return Details(_facts(first, lang), _facts(rest, lang), stages, terms, curves, sheets)


def _facts(named: Mapping[str, Any], lang: str) -> Facts:
    estimates = tuple((_path(keys, lang), one) for keys, one in _estimates(named, ()))[:_MOST]
    values = ((word("detail", key, lang), _said(key, value, lang)) for key, value in named.items())
    return Facts(estimates, tuple((name, said) for name, said in values if said))


def second_reading(finding: Finding, key: str) -> Estimate | None:
    """The reading called `key`, if it is an estimate in the unit of the finding's own."""
    found = finding.details.get(key)
    if not isinstance(found, Estimate) or finite(found.value) is None or finding.estimate is None:
        return None
    return found if found.unit == finding.estimate.unit else None


def _estimates(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Estimate]]:
    if isinstance(value, Estimate):
        yield keys, value
    elif isinstance(value, Mapping) and len(keys) < _DEEPEST:
        for key, item in value.items():
            yield from _estimates(item, (*keys, str(key)))


def _path(keys: tuple[str, ...], lang: str) -> str:
    return " · ".join(word("detail", key, lang) for key in keys)


def _stages(value: Any) -> tuple[StagePoint, ...]:
    """The stages of a chart; none unless every entry has a stage and a number."""
    points = []
    for entry in _rows(value):
        found = entry.get("rate", entry.get("mean"))
        given = found if isinstance(found, Estimate) else None
        middle = finite(given.value if given else found)
        if "stage" not in entry or middle is None:
            return ()
        low, high = (given.low, given.high) if given else (entry.get("low"), entry.get("high"))
        points.append(
            StagePoint(str(entry["stage"]), "share" if "rate" in entry else "", middle, finite(low), finite(high))
        )
    return tuple(points)


def _terms(value: Any) -> tuple[Term, ...]:
    rows = _rows(value)
    weights = [finite(entry.get("weight")) for entry in rows]
    largest = max((abs(weight) for weight in weights if weight is not None), default=0.0) or 1.0
    return tuple(
        Term(str(entry.get("term", "")), weight, round(100 * abs(weight) / largest, 1))
        for entry, weight in zip(rows, weights, strict=True)
        if weight is not None
    )


def _curves(value: Any) -> tuple[Curve, ...]:
    listed = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()
    return tuple(one for one in listed if isinstance(one, Curve))


def _rows(value: Any) -> list[Mapping[str, Any]]:
    listed = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()
    return [entry for entry in listed if isinstance(entry, Mapping)]


def _sheet(key: str, rows: list[Mapping[str, Any]], finding: Finding, lang: str) -> Sheet:
    names = tuple(dict.fromkeys(str(name) for row in rows for name in row))

    def cell(name: str, value: Any) -> str:
        if isinstance(value, Estimate):
            sign = is_change(finding, value.unit)
            return f"{number(value.value, value.unit, signed=sign)} {interval(value, signed=sign)}"
        return ", ".join(_said(name, value, lang)) or ABSENT

    body = tuple(tuple(cell(name, row.get(name)) for name in names) for row in rows[:_MOST])
    return Sheet(word("detail", key, lang), tuple(word("detail", name, lang) for name in names), body)


def _said(key: str, value: Any, lang: str, depth: int = 0) -> tuple[str, ...]:
    """A value in words, one string an item; estimates are left out (they are shown as second readings)."""
    if value is None or isinstance(value, Estimate) or depth > _DEEPEST:
        return ()
    if isinstance(value, Text):
        return (value.render(lang),)
    if isinstance(value, str):
        return (label(value, lang) if key in _FEATURES else word_or_itself(value, lang),)
    if isinstance(value, Mapping):
        pairs = (
            (word("detail", str(name), lang), _said(str(name), item, lang, depth + 1)) for name, item in value.items()
        )
        return _bounded([f"{name}: {', '.join(said)}" for name, said in pairs if said])
    if isinstance(value, bool):
        return (word_or_itself(str(value).lower(), lang),)
    if isinstance(value, Real):
        return (number(float(value), key),)
    if isinstance(value, Sequence | set | frozenset):
        return _bounded([" · ".join(said) for item in value if (said := _said(key, item, lang, depth + 1))])
    return (str(value),)


def _bounded(items: list[str]) -> tuple[str, ...]:
    return tuple(items[:_MOST] + ([f"… +{len(items) - _MOST}"] if len(items) > _MOST else []))
