"""One certificate: pressures, states, verdict, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dehusk.certification.contest import VARYING, Contest, Labels, pressures
from dehusk.certification.equal import Paid, grown_at_equal_targets
from dehusk.certification.judging import Margins, accuracy_quality, gold_quality, shifts, verdict
from dehusk.core.certificates import Outcome, Quality, Reason, Shift
from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Skipped
from dehusk.core.messages import Text, say

_SAID = 8  # features that are named among the evidence
_HIDDEN = 3  # likewise, of those that are paid more for where the targets are equal


@dataclass(frozen=True)
class Judged:
    """A verdict with the numbers behind it."""

    verdict: Outcome
    reason: Reason
    sentence: Text
    evidence: tuple[Text, ...]
    shifts: tuple[Shift, ...]
    qualities: tuple[Quality, ...]
    unseen: tuple[Skipped, ...]


def certify(
    contest: Contest,
    rng: np.random.Generator,
    *,
    labels: Labels | None = None,
    nats: float = 0.5,
    margins: Margins = Margins(),  # noqa: B008 - frozen
) -> Judged:
    """Judge a repaired reward against the one before it; the definitions are in `dehusk.certification`.

    Args:
        contest: The pool, both rewards, gold if it is known, and the features, at least one of them a target.
        rng: For the resamples.
        labels: How both rewards do on labelled pairs.
        nats: Divergence of the weights exp(score/β) that choose beside best-of-n; 0 for none.
        margins: What is small enough not to matter.

    Returns:
        The verdict. Too little data is one too, with what would be needed.
    """
    contest, unseen = _seen(contest)
    try:
        if "target" not in contest.roles:
            raise NotEnoughData(f"a target that differs among the answers to at least {VARYING} prompts")
        found = pressures(contest, rng, nats=nats)
        quality = [] if contest.gold is None else [gold_quality(found, margins)]
        quality += [] if labels is None else [accuracy_quality(labels, rng, margins)]
        moved, smaller = shifts(found, contest, margins)
    except NotEnoughData as refusal:
        told = say("certify.few_answers", needs=refusal.needs)
        return Judged("not_enough_data", "few_answers", told, (), (), (), unseen)
    outcome, reason = verdict(moved, quality, smaller=smaller)
    hidden = grown_at_equal_targets(contest, rng, margin=margins.growth, level=margins.level)
    return Judged(
        outcome,
        reason,
        say(f"certify.{reason}", **_named(reason, moved)),
        (*_evidence(moved, quality), *_hidden(moved, contest, hidden)),
        tuple(moved),
        tuple(quality),
        unseen,
    )


def _seen(contest: Contest) -> tuple[Contest, tuple[Skipped, ...]]:
    """The contest with the features that differ among the answers to enough prompts, and those that do not."""
    count = contest.varying()
    kept = np.flatnonzero(count >= VARYING)
    needs = f"at least {VARYING} prompts among whose answers it differs, got %d"
    unseen = tuple(
        Skipped(contest.features[at].name, say("core.needs_data", needs=needs % count[at]))
        for at in np.flatnonzero(count < VARYING)
    )
    some = replace(
        contest,
        features=tuple(contest.features[at] for at in kept),
        units=tuple(contest.units[at] for at in kept),
        means=tuple(contest.means[at] for at in kept),
        roles=tuple(contest.roles[at] for at in kept),
        values=contest.values[..., kept],
    )
    return some, unseen


def _named(reason: Reason, moved: Sequence[Shift]) -> Mapping[str, object]:
    """The feature that a verdict's sentence speaks of, the most telling one."""
    state = {
        "target_remains": "remains",
        "target_reversed": "reversed",
        "feature_grew": "grew",
        "target_undecided": "undecided",
        "blind": "blind",
    }.get(reason)
    if state is None:
        return {}
    told = next(shift for shift in moved if shift.state == state and shift.role != "wanted")
    return {"feature": told.feature, **_numbers(told)}


def _numbers(shift: Shift) -> dict[str, object]:
    lift = shift.lift
    return {
        "way": way(lift.selection, lift.size),
        "before": lift.before.value,
        "after": lift.after.value,
        "low": lift.after.low,
        "high": lift.after.high,
        "growth": lift.growth.value,
        "growth_low": lift.growth.low,
        "growth_high": lift.growth.high,
        "detectable": shift.detectable,
        "own": say("certify.no_own") if lift.gold is None else say("certify.own", value=lift.gold.value),
    }


def way(selection: str, size: float) -> Text:
    """A way of selecting in words."""
    if selection == "pairs":
        return say("certify.on_pairs", n=int(size))
    return say("certify.by_best", n=int(size)) if selection == "best_of_n" else say("certify.by_tilt", nats=size)


def _evidence(moved: Sequence[Shift], quality: Sequence[Quality]) -> list[Text]:
    """A sentence on every target, on every measure of quality, and on the features that grew."""
    targets = [shift for shift in moved if shift.role == "target" and shift.state not in ("grew", "held", "blind")]
    said = [say(f"certify.is_{shift.state}", feature=shift.feature, **_numbers(shift)) for shift in targets]
    for one in quality:
        numbers = {"before": one.before.value, "after": one.after.value, "change": one.change.value}
        ends = {"low": one.change.low, "high": one.change.high, "way": way(one.selection, one.size)}
        key = f"certify.{one.name}_{one.state}" + ("_said" if one.state != "held" else "")
        said.append(say(key, **numbers, **ends, margin=one.margin))
    grown = [shift for shift in moved if shift.state == "grew"]
    for shift in grown[:_SAID]:
        key = "certify.is_grown_wanted" if shift.role == "wanted" else "certify.is_grew"
        said.append(say(key, feature=shift.feature, **_numbers(shift)))
    if len(grown) > _SAID:
        said.append(say("certify.more_grew", count=len(grown) - _SAID))
    return said


def _hidden(moved: Sequence[Shift], contest: Contest, paid: Sequence[Paid]) -> list[Text]:
    """A sentence on features that are paid more for at equal targets, and do not show it in what is chosen."""
    seen = {shift.feature for shift in moved if shift.state == "grew"}
    named = [(contest.features[one.feature].name, one) for one in paid]
    told = [(name, one) for name, one in named if name not in seen][:_HIDDEN]
    return [say("certify.at_equal", feature=name, before=one.before, after=one.after) for name, one in told]
