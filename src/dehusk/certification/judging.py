"""From bands to states of features and of gold, to a verdict; the rules are in `dehusk.certification`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from dehusk.certification.bands import HIGH, LOW, Bands, bands
from dehusk.certification.contest import Contest, Drawn, Labels, Pressures
from dehusk.core.certificates import Lift, Outcome, Quality, Reason, Role, Shift, State
from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Estimate
from dehusk.core.tables import Bools, Floats, Ints
from dehusk.stats.multiplicity import Together, together
from dehusk.stats.stratified import bootstrap_weights

METHOD = "bootstrap over prompts, all at once"
_LEAST_LABELLED = 10  # prompts


@dataclass(frozen=True)
class Margins:
    """What is small enough not to matter."""

    pressure: float = 0.15  # on a target
    growth: float = 0.1  # of the pressure on another feature
    gold: float = 0.1  # in pressure on gold
    accuracy: float = 0.02
    detectable: float = 0.3  # growth of pressure that must not go unseen
    level: float = 0.95


class Ruling(NamedTuple):
    """State of each of some features under the selection that tells it, and whether it became smaller."""

    states: list[State]
    told: Ints  # (k,)
    smaller: Bools  # (k,)


def rule_targets(found: Bands, margin: float) -> Ruling:
    """What became of the targets; two-sided, since "shorter wins" is no better than "longer wins"."""
    sides = (found.above_before[LOW], found.below_before[LOW])
    pressed = np.maximum(*sides).max(axis=0) > margin
    up = sides[0].max(axis=0) >= sides[1].max(axis=0)
    old = np.where(up, found.above_after, found.below_after)
    new = np.where(up, found.below_after, found.above_after)
    left, reversed_ = old[LOW].max(axis=0) > margin, new[LOW].max(axis=0) > margin
    gone = found.furthest.max(axis=0) < margin
    states: list[State] = [
        "no_pressure" if not p else "reversed" if r else "remains" if m else "gone" if g else "undecided"
        for p, r, m, g in zip(pressed, reversed_, left, gone, strict=True)
    ]
    shown = {"no_pressure": np.maximum(*sides), "reversed": new[LOW], "remains": old[LOW]}
    told = np.array([shown.get(state, found.furthest)[:, at].argmax() for at, state in enumerate(states)])
    return Ruling(states, told, (found.growth[HIGH] < 0).any(axis=0) & ~(found.growth[LOW] > 0).any(axis=0))


def rule_others(found: Bands, roles: Sequence[Role], margins: Margins) -> Ruling:
    """Which other features grew, and where growth could have gone unseen."""
    grew = (found.growth[LOW] > margins.growth).any(axis=0)
    unseen = margins.growth + found.needed.min(axis=0) > margins.detectable
    states: list[State] = [
        "grew" if g else "blind" if u and role != "wanted" else "held"
        for g, u, role in zip(grew, unseen, roles, strict=True)
    ]
    return Ruling(states, found.growth[LOW].argmax(axis=0), (found.growth[HIGH] < 0).any(axis=0))


def shifts(found: Pressures, contest: Contest, margins: Margins) -> tuple[list[Shift], bool]:
    """Every feature's state, targets first, the others by their growth; and whether all pressed targets became smaller.

    Args:
        found: Pressures of the features, and of gold last if it is known.
        contest: The features, and what the user said of them.
        margins: What does not matter.
    """
    named = np.array([at for at, role in enumerate(contest.roles) if role == "target"], dtype=np.int64)
    told = bands(found, named, level=margins.level)
    ruling = rule_targets(told, margins.pressure)
    pressed = np.array([state != "no_pressure" for state in ruling.states])
    watched = [at for at, role in enumerate(contest.roles) if role != "target"]
    watched += named[~pressed].tolist() if pressed.any() else []
    kept = [at for at in range(len(named)) if pressed[at] or not pressed.any()]
    first = [_shift(found, told, at, int(named[at]), ruling, margins, contest) for at in kept]
    if not watched:
        return first, bool(ruling.smaller[kept].all())
    others = bands(found, np.array(watched), level=margins.level)
    seen = rule_others(others, [contest.roles[at] for at in watched], margins)
    order = np.argsort(-others.growth[LOW].max(axis=0), kind="stable")
    rest = [_shift(found, others, at, watched[at], seen, margins, contest) for at in order]
    return first + rest, bool(ruling.smaller[kept].all())


def _shift(
    found: Pressures,
    of: Bands,
    at: int,
    column: int,
    ruling: Ruling,
    margins: Margins,
    contest: Contest,
) -> Shift:
    def number(band: Floats, c: int) -> Estimate:
        value, low, high = (float(part) for part in band[:, c, at])
        return Estimate(value, low, high, found.clusters, "pressure", METHOD, level=margins.level)

    return Shift(
        feature=contest.features[column].name,
        family=contest.features[column].family,
        unit=contest.units[column],
        role=contest.roles[column],
        state=ruling.states[at],
        pool=contest.means[column],
        told=int(ruling.told[at]),
        detectable=margins.growth + float(of.needed[:, at].min()),
        lifts=tuple(
            Lift(
                selection.kind,
                float(selection.size),
                float(found.scale[c, column]),
                number(of.before, c),
                number(of.after, c),
                number(of.change, c),
                number(of.growth, c),
                None if of.gold is None else number(of.gold, c),
            )
            for c, selection in enumerate(found.selections)
        ),
    )


def gold_quality(found: Pressures, margins: Margins) -> Quality:
    """Whether the repaired reward finds gold as well as the old one did: gold is the last column."""
    o, w = (Drawn(one.value[:, -1], one.drawn[:, :, -1]) for one in (found.before, found.after))
    whole = together(
        np.stack([o.value, w.value, w.value - o.value]),
        np.stack([o.drawn, w.drawn, w.drawn - o.drawn], axis=1),
        found.clusters,
        level=margins.level,
    )
    state = _kept(whole, margins.gold)
    worst = int(whole.high[2].argmin() if state == "lower" else whole.low[2].argmin())
    at = found.selections[worst]
    numbers = _estimates(whole, worst, found.clusters, "pressure", margins.level)
    return Quality("gold", state, margins.gold, at.kind, float(at.size), *numbers)


def accuracy_quality(labels: Labels, rng: np.random.Generator, margins: Margins) -> Quality:
    """Whether the repaired reward agrees with people on labelled pairs as often as the old one did.

    Raises:
        NotEnoughData: pairs of fewer than 10 prompts.
    """
    groups = int(labels.clusters.max(initial=-1)) + 1
    if groups < _LEAST_LABELLED:
        raise NotEnoughData(f"labelled pairs of at least {_LEAST_LABELLED} prompts, got {groups}")
    draws = bootstrap_weights(groups, rng)[:, labels.clusters]
    right = np.stack([labels.before, labels.after, labels.after - labels.before], axis=1)
    drawn = draws @ right / draws.sum(axis=1, keepdims=True)
    whole = together(right.mean(axis=0)[:, None], drawn[..., None], groups, level=margins.level)
    state = _kept(whole, margins.accuracy)
    numbers = _estimates(whole, 0, groups, "accuracy", margins.level)
    return Quality("accuracy", state, margins.accuracy, "pairs", float(len(right)), *numbers)


def _kept(whole: Together, margin: float) -> Literal["held", "lower", "undecided"]:
    """What the change, the last row, shows: lower anywhere at all, or not lower everywhere."""
    least = whole.value[2] - whole.single * whole.error[2]
    return "lower" if (whole.high[2] < -margin).any() else "held" if (least > -margin).all() else "undecided"


def _estimates(whole: Together, at: int, n: int, unit: str, level: float) -> list[Estimate]:
    units = (unit, unit, f"{unit} gap" if unit == "accuracy" else unit)
    value, low, high = (part[:, at].tolist() for part in whole[:3])
    return [Estimate(value[i], low[i], high[i], n, units[i], METHOD, level=level) for i in range(3)]


def verdict(of: Sequence[Shift], qualities: Sequence[Quality], *, smaller: bool) -> tuple[Outcome, Reason]:
    """The first rule that holds.

    Args:
        of: Every feature's state.
        qualities: Gold, the accuracy, both or neither.
        smaller: Whether every target with pressure is shown to have become smaller.
    """
    told = [shift.state for shift in of if shift.role == "target"]
    targets = [state for state in told if state in ("gone", "remains", "reversed", "undecided")]
    others = [shift.state for shift in of if shift.role != "wanted"]
    gold = [quality.state for quality in qualities]
    rules: list[tuple[bool, Outcome, Reason]] = [
        ("reversed" in targets, "over_correction", "target_reversed"),
        ("remains" in targets, "contamination", "target_remains"),
        ("lower" in gold, "contamination", "gold_lower"),
        (not targets, "not_enough_data", "no_pressure"),
        ("grew" in others and (smaller or {*targets} == {"gone"}), "substitution", "feature_grew"),
        ("undecided" in targets, "not_enough_data", "target_undecided"),
        (not gold, "not_enough_data", "no_gold"),
        ("undecided" in gold, "not_enough_data", "gold_undecided"),
        ("blind" in others, "not_enough_data", "blind"),
    ]
    return next(((outcome, reason) for holds, outcome, reason in rules if holds), ("success", "shown"))
