"""`reweight`: weights under which the label has nothing to do with any target, alone or together."""

from __future__ import annotations

from typing import Literal

import numpy as np

from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.kinds import repairs
from dehusk.core.messages import Text, say
from dehusk.core.plans import Plan, unchanged
from dehusk.core.tables import Floats, Ints, Measures, Pairs
from dehusk.repairs.targets import differences, held_out_margins, odd_terms
from dehusk.stats.balancing import balanced_weights
from dehusk.stats.regression import sigmoid

ENOUGH = 0.5  # effective share of the pairs below which the user is warned


@repairs.add("reweight")
def reweight(
    pairs: Pairs,
    measures: Measures,
    rng: np.random.Generator,
    *,
    targets: tuple[str, ...],
    form: Literal["entropy", "propensity"] = "entropy",
    cap: float = 10.0,
    clip: float = 5.0,
    least: float = 0.1,
) -> Plan:
    """Weigh pairs so that the label is independent of all targets jointly; no pair is lost.

    Pairs are oriented, so that means: the weighted differences are symmetric about 0. "entropy" finds the weights
    nearest to the old ones under which odd functions of the differences average to exactly 0 (Hainmueller, 2012).
    "propensity" weighs a pair by 1/2 over the chance that the targets alone give its label, from a ridge logistic
    model fitted on other prompts and clipped, so the balance is approximate (inverse propensity, Rosenbaum and Rubin,
    1983).

    Args:
        pairs: The preference pairs.
        measures: Features of both sides.
        rng: Folds of the propensity model.
        targets: Features to balance.
        form: "entropy" or "propensity".
        cap: Largest factor by which entropy balancing may change a weight.
        clip: Percentile at either end at which propensity weights are clipped.
        least: Effective sample size, as a share of the pairs, below which to refuse.

    Raises:
        InputError: no target, or an option that cannot be.
        NotEnoughData: no overlap: a target that all, or nearly all, pairs have on one side.
    """
    x = differences(measures, targets)
    if cap <= 1 or not 0 <= clip < 50 or not 0 <= least < 1:
        name, value, fix = ("cap", cap, 10) if cap <= 1 else ("clip", clip, 5) if not 0 <= clip < 50 else (
            "least", least, 0.1)  # fmt: skip
        expected = {"cap": "more than 1", "clip": "0 to 50", "least": "0 to 1"}[name]
        raise InputError(f"{name} = {value:g}", where="--option", expected=expected, fix=f"--option {name}={fix:g}")
    base, reason = unchanged(pairs)
    _overlapping(x, base, targets)
    weight = _entropy(x, base, targets, cap) if form == "entropy" else _propensity(x, base, pairs.groups, clip, rng)
    shown: list[Text | None] = [
        say("repair.reweight.changed", factor=factor) if abs(factor - 1) > 5e-4 else had
        for factor, had in zip(_factors(weight, base).tolist(), reason, strict=True)
    ]
    plan = Plan("reweight", weight, tuple(shown))
    before = float(base.sum() ** 2 / (base**2).sum())
    share = plan.effective / before
    if share < least:
        raise NotEnoughData(f"an effective sample of at least {least:.0%} of the pairs, got {share:.0%}, "
                            f"{', '.join(targets)}")  # fmt: skip
    notes = (say("repair.reweight.thin", share=share),) if share < ENOUGH else ()
    return Plan("reweight", weight, tuple(shown), notes=notes)


def _factors(weight: Floats, base: Floats) -> Floats:
    """By how much each weight changed, shape (n,); 1 where it was 0."""
    factor: Floats = np.divide(weight, base, out=np.ones(len(base)), where=base > 0)
    return factor


def _overlapping(x: Floats, base: Floats, targets: tuple[str, ...]) -> None:
    """Refuse a target of which one side has more in every pair that differs."""
    for name, column in zip(targets, x.T, strict=True):
        more, less = float(base[column > 0].sum()), float(base[column < 0].sum())
        if min(more, less) == 0:
            lacking = ("pairs whose rejected answer has more of the target" if less == 0
                       else "pairs whose chosen answer has more of the target")  # fmt: skip
            raise NotEnoughData(f"{lacking}, {name}, got 0")


def _entropy(x: Floats, base: Floats, targets: tuple[str, ...], cap: float) -> Floats:
    try:
        return balanced_weights(odd_terms(x), base, cap=cap)
    except NotEnoughData as refusal:
        worst = targets[int(np.abs(base @ np.sign(x)).argmax())]
        raise NotEnoughData(f"{refusal.needs}, most one-sided, {worst}") from None


def _propensity(x: Floats, base: Floats, groups: Ints, clip: float, rng: np.random.Generator) -> Floats:
    """Half over the fitted chance of the label, shape (n,), with the sum of `base`."""
    factor = 0.5 / sigmoid(held_out_margins(odd_terms(x), base, groups, rng))
    weight = base * np.clip(factor, *np.percentile(factor, [clip, 100 - clip]))
    found: Floats = weight * base.sum() / weight.sum()
    return found
