"""`select`: keep the pairs that fulfil rules the user writes down."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dehusk.core.errors import InputError, UnknownName
from dehusk.core.kinds import repairs
from dehusk.core.messages import say
from dehusk.core.plans import Plan, unchanged
from dehusk.core.tables import Bools, Floats, Measures, Pairs
from dehusk.repairs.targets import difference

COMPARE: dict[str, Callable[[Floats, float], Bools]] = {
    "<=": operator.le, ">=": operator.ge, "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
PLACES = ("chosen", "rejected", "difference", "gap")
_RULE = re.compile(r"\s*(?:(\w+)\s*:)?\s*(.+?)\s*(<=|>=|==|!=|<|>)\s*(\S+)\s*")
_FIX = "--option 'rule=bullets<=3'"


class Rule(NamedTuple):
    """One condition: where it looks, at what, and what it asks."""

    place: str | None  # one of `PLACES`; None: both answers, or a column of the file
    name: str
    compare: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Read `[PLACE:]NAME<=NUMBER`.

        >>> Rule.parse("gap:characters <= 200")
        Rule(place='gap', name='characters', compare='<=', bound=200.0)

        Raises:
            InputError: something else, or an unknown place.
        """
        found = _RULE.fullmatch(text)
        try:
            place, name, compare, bound = found.groups() if found else (None, "", "", "")
            number = float(bound)
        except ValueError:
            expected = f"[PLACE:]NAME<=NUMBER with a place of {', '.join(PLACES)}"
            raise InputError(f"rule {text!r}", where="--option", expected=expected, fix=_FIX) from None
        if place is not None and place not in PLACES:
            raise UnknownName("place", place, PLACES, where="--option")
        return cls(place, name, compare, number)


@repairs.add("select")
def select(
    pairs: Pairs,
    measures: Measures,
    rng: np.random.Generator,
    *,
    targets: tuple[str, ...],
    rule: tuple[str, ...] = (),
) -> Plan:
    """Keep the pairs that fulfil every rule.

    A rule is `NAME<=NUMBER` (also >=, <, >, ==, !=) about a feature of both answers, `chosen:NAME` or `rejected:NAME`
    about one of them, `difference:NAME` about chosen − rejected, `gap:NAME` about its size; or about a number that
    the file gives each pair, such as `margin>=0.5`. Two rules about one column keep a window of it. A feature that
    means nothing in a pair's language breaks no rule; a missing number of the file does.

    Args:
        pairs: The preference pairs.
        measures: Features of both sides.
        rng: Not used: rules leave nothing to chance.
        targets: Not used: rules name what they look at.
        rule: At least one rule.

    Raises:
        InputError: no rule, or one that cannot be read.
        UnknownName: a rule about something that is neither a feature nor a column.
    """
    del rng, targets
    if not rule:
        raise InputError("no rule", where="--option", expected="what the pairs to keep fulfil", fix=_FIX)
    weight, reason = unchanged(pairs)
    for text in rule:
        broken = ~_fulfilled(Rule.parse(text), pairs, measures)
        weight[broken] = 0
        for row in np.flatnonzero(broken):
            reason[row] = reason[row] or say("repair.select.broken", rule=text.strip())
    return Plan("select", weight, tuple(reason))


def _fulfilled(rule: Rule, pairs: Pairs, measures: Measures) -> Bools:
    """Rows that fulfil a rule, shape (n,)."""
    compare = COMPARE[rule.compare]
    features = [feature.name for feature in measures.on("chosen")]
    if rule.name in features:
        if rule.place in ("chosen", "rejected") or rule.place is None:
            sides = ("chosen", "rejected") if rule.place is None else (rule.place,)
            values = [measures.all_values(side, rule.name) for side in sides]
        else:
            signed = difference(measures, rule.name)
            values = [np.abs(signed) if rule.place == "gap" else signed]
        found: Bools = np.logical_and.reduce([compare(value, rule.bound) | np.isnan(value) for value in values])
        return found
    numeric = [name for name, dtype in pairs.frame.schema.items() if dtype.is_numeric()]
    if rule.place is not None or rule.name not in numeric:
        known = features if rule.place is not None else [*features, *numeric]
        raise UnknownName("feature" if rule.place is not None else "feature or numeric column", rule.name, known,
                          where="--option")  # fmt: skip
    column = pairs.frame[rule.name].cast(float).fill_null(float("nan")).to_numpy()
    kept: Bools = compare(column, rule.bound) & ~np.isnan(column)
    return kept
