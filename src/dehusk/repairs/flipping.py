"""`flip` and `drop`: turn around, or leave out, pairs whose chosen answer has more of one named feature."""

from __future__ import annotations

import numpy as np

from dehusk.core.errors import InputError
from dehusk.core.kinds import repairs
from dehusk.core.messages import Text, say
from dehusk.core.plans import Plan, unchanged
from dehusk.core.tables import Floats, Ints, Measures, Pairs
from dehusk.repairs.targets import differences, one_target


@repairs.add("flip")
def flip(
    pairs: Pairs,
    measures: Measures,
    rng: np.random.Generator,
    *,
    targets: tuple[str, ...],
    share: float | None = None,
) -> Plan:
    """Turn around pairs whose chosen answer has more of one feature (as arXiv 2510.26202 does for a trusted feature).

    A flip says that the label was wrong, so use it only for a feature that must never be preferred. Without a share
    just as many are turned, at random, as make both directions equally frequent, from whichever is the more frequent.

    Args:
        pairs: The preference pairs.
        measures: Features of both sides.
        rng: Which pairs.
        targets: Exactly one feature.
        share: Share of the pairs whose chosen answer has more that is turned around.

    Raises:
        InputError: no target or several, or a share outside (0, 1].
        NotEnoughData: no pair differs in it.
    """
    name = one_target(targets, "flip")
    weight, reason = unchanged(pairs)
    picked = _picked(differences(measures, targets)[:, 0], weight, share, rng, turns=True)
    flipped = np.zeros(len(pairs), dtype=bool)
    flipped[picked] = True
    _because(reason, picked, say("repair.flip.turned", feature=name))
    return Plan("flip", weight, tuple(reason), flipped=flipped)


@repairs.add("drop")
def drop(
    pairs: Pairs,
    measures: Measures,
    rng: np.random.Generator,
    *,
    targets: tuple[str, ...],
    share: float | None = None,
) -> Plan:
    """Leave out pairs whose chosen answer has more of one feature.

    Without a share just as many are left out, at random, as make both directions equally frequent; sizes are not
    looked at (`match` does).

    Args:
        pairs: The preference pairs.
        measures: Features of both sides.
        rng: Which pairs.
        targets: Exactly one feature.
        share: Share of the pairs whose chosen answer has more that is left out.

    Raises:
        InputError: no target or several, or a share outside (0, 1].
        NotEnoughData: no pair differs in it.
    """
    name = one_target(targets, "drop")
    weight, reason = unchanged(pairs)
    picked = _picked(differences(measures, targets)[:, 0], weight, share, rng, turns=False)
    weight[picked] = 0
    _because(reason, picked, say("repair.drop.left_out", feature=name))
    return Plan("drop", weight, tuple(reason))


def _picked(x: Floats, weight: Floats, share: float | None, rng: np.random.Generator, *, turns: bool) -> Ints:
    """Rows to act on, a random choice by weight: `share` of those with x > 0, or as many as balance the directions."""
    if share is not None and not 0 < share <= 1:
        raise InputError(f"share = {share:g}", where="--option", expected="0 to 1", fix="--option share=0.5")
    more, less = float(weight[x > 0].sum()), float(weight[x < 0].sum())
    if share is None:
        rows = np.flatnonzero(x > 0 if more > less else x < 0)
        mass = abs(more - less) / (2 if turns else 1)  # a turned pair counts on the other side
    else:
        rows, mass = np.flatnonzero(x > 0), share * more
    rows = rng.permutation(rows)
    chosen: Ints = rows[np.cumsum(weight[rows]) - weight[rows] / 2 < mass - 1e-12]
    return chosen


def _because(reason: list[Text | None], rows: Ints, why: Text) -> None:
    for row in rows:
        reason[row] = why
