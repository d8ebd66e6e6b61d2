"""`cartography`: keep the pairs about which a model is least sure."""

from __future__ import annotations

import numpy as np

from dehusk.core.errors import InputError
from dehusk.core.kinds import repairs
from dehusk.core.messages import say
from dehusk.core.plans import Plan, unchanged
from dehusk.core.tables import Floats, Measures, Pairs
from dehusk.repairs.targets import differences, held_out_margins, odd_terms


@repairs.add("cartography")
def cartography(
    pairs: Pairs,
    measures: Measures,
    rng: np.random.Generator,
    *,
    targets: tuple[str, ...],
    checkpoint_margins: Floats | None = None,
    keep: float = 0.5,
    low: float | None = None,
    high: float | None = None,
) -> Plan:
    """Keep the pairs about which a model is least sure: a window of confidence (dataset cartography).

    Confidence is the mean over checkpoints of the reward model's margin chosen − rejected (arXiv 2009.10795; 2310.03716
    kept −0.2 to 0.4 and the like). Without a reward model it is the margin of a model of the targets alone, fitted on
    other prompts. It finds shortcut-aligned pairs well and repairs little: among unsure pairs the shortcut
    still points somewhere. Confidence and its spread over checkpoints are written beside the pairs.

    Args:
        pairs: The preference pairs.
        measures: Features of both sides.
        rng: Folds.
        targets: Features the model sees where there is no reward model.
        checkpoint_margins: Reward of chosen − rejected at each of m checkpoints, shape (n, m), NaN without a score.
        keep: Share of the pairs to keep, the least sure ones, unless a bound is given.
        low: Least confidence kept, in margins.
        high: Largest confidence kept.

    Raises:
        InputError: no target and no reward model, or an option that cannot be.
        NotEnoughData: too few prompts.
    """
    if not 0 < keep <= 1:
        raise InputError(f"keep = {keep:g}", where="--option", expected="0 to 1", fix="--option keep=0.5")
    if low is not None and high is not None and low >= high:
        raise InputError(f"low = {low:g}, high = {high:g}", where="--option", expected="low below high")
    weight, reason = unchanged(pairs)
    columns: dict[str, Floats] = {}
    if checkpoint_margins is None:
        confidence = held_out_margins(odd_terms(differences(measures, targets)), weight, pairs.groups, rng)
    else:
        confidence = checkpoint_margins.mean(axis=1)
        columns["variability"] = checkpoint_margins.std(axis=1)
    columns["confidence"] = confidence
    if low is None and high is None:
        sure = np.abs(confidence[weight > 0])
        high = float(np.nanquantile(sure, keep))
        low = -high
    inside = (confidence >= (-np.inf if low is None else low)) & (confidence <= (np.inf if high is None else high))
    for row in np.flatnonzero(~inside):
        known = not np.isnan(confidence[row])
        reason[row] = say("repair.cartography.outside", margin=float(confidence[row])) if known else say(
            "repair.cartography.unscored")  # fmt: skip
    return Plan("cartography", np.where(inside, weight, 0.0), tuple(reason), columns=columns)
