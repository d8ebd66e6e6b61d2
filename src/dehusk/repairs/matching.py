"""`match`: keep pairs in which the targets point to the rejected answer as often as to the chosen one."""

from __future__ import annotations

from typing import Literal

import numpy as np

from dehusk.core.errors import InputError
from dehusk.core.kinds import repairs
from dehusk.core.messages import Text, say
from dehusk.core.plans import Plan, unchanged
from dehusk.core.tables import Bools, Floats, Ints, Measures, Pairs
from dehusk.repairs.targets import differences, held_out_margins, odd_terms, one_target
from dehusk.stats.opposites import mirrored_subset, nearest_opposites

FEW = 3  # targets up to which pairs with the same signs and sizes are found


@repairs.add("match")
def match(
    pairs: Pairs,
    measures: Measures,
    rng: np.random.Generator,
    *,
    targets: tuple[str, ...],
    how: Literal["auto", "mirrored", "nearest", "score"] = "auto",
    bins: int = 20,
    width: float | None = None,
    caliper: float = 0.2,
) -> Plan:
    """Keep pairs balanced on the targets; a pair stays if another one differs as much the other way.

    Mirrored bins (arXiv 2310.03716): pairs are binned by their signed difference, and of each bin and its mirror
    image the larger one is thinned out at random. The published recipe has 20 bins a side of equal width (10 tokens)
    and loses the pairs beyond them; by default the bins have equal counts and reach all pairs. Nearest neighbours:
    each pair is matched one to one with a pair whose differences have the opposite signs in every target and about
    the same sizes, the closest first; with more than three targets hardly any pair has one. So many are matched on
    their score instead: the log odds that they give of the label, fitted on other prompts, with a pair whose log odds
    are the opposite (Rosenbaum and Rubin, 1983). That balances each target on average only.

    Args:
        pairs: The preference pairs.
        measures: Features of both sides.
        rng: Which pairs of the larger bin stay; ties between neighbours.
        targets: Features to balance.
        how: "mirrored", "nearest", "score", or by the number of targets (one; two or three; more).
        bins: Bins a side and target.
        width: Width of each bin, in the unit of the only target; equal counts when absent.
        caliper: Largest distance between neighbours, in standard deviations of the ranks.

    Raises:
        InputError: no target, or an option that cannot be.
        NotEnoughData: a target in which no pair differs.
    """
    x = differences(measures, targets)
    for name, value in (("bins", bins), ("width", width), ("caliper", caliper)):
        if value is not None and value <= 0:
            raise InputError(f"{name} = {value:g}", where="--option", expected="more than 0", fix=f"--option {name}=20")
    if width is not None:
        one_target(targets, "match with a width")
    weight, reason = unchanged(pairs)
    notes: tuple[Text, ...] = ()
    if how == "auto":
        how = "mirrored" if len(targets) == 1 else "nearest" if len(targets) <= FEW else "score"
    if how != "mirrored":
        place = x if how == "nearest" else held_out_margins(odd_terms(x), weight, pairs.groups, rng)[:, None]
        partner = nearest_opposites(place, caliper, rng)
        kept = partner >= 0
        _level(weight, reason, partner)
    else:
        cells, beyond = _cells(x, bins, width)
        kept = mirrored_subset(cells, weight, rng) & ~beyond
        for row in np.flatnonzero(beyond):
            reason[row] = say("repair.match.beyond")
        if beyond.any():
            notes = (say("repair.match.beyond_note", count=int(beyond.sum()), feature=targets[0]),)
    weight[~kept] = 0
    for row in np.flatnonzero(~kept):
        reason[row] = reason[row] or say("repair.match.no_partner")
    return Plan("match", weight, tuple(reason), notes=notes)


def _level(weight: Floats, reason: list[Text | None], partner: Ints) -> None:
    """Give two partners the weight of the lighter one."""
    both = np.flatnonzero(partner >= 0)
    lighter = np.minimum(weight[both], weight[partner[both]])
    for row in both[lighter < weight[both]]:
        reason[row] = say("repair.match.levelled")
    weight[both] = lighter


def _cells(x: Floats, bins: int, width: float | None) -> tuple[Ints, Bools]:
    """Signed bin of each target, shape (n, k), 0 where both sides are equal; and rows beyond the bins, shape (n,)."""
    size = np.abs(x)
    if width is not None:
        found: Ints = np.minimum(np.ceil(size / width), bins + 1).astype(np.int64)
        return np.sign(x).astype(np.int64) * found, np.asarray((found > bins).any(axis=1))
    found = np.zeros(x.shape, dtype=np.int64)
    for column in range(x.shape[1]):
        differing = size[size[:, column] > 0, column]
        edges = np.unique(np.quantile(differing, np.arange(1, bins) / bins, method="inverted_cdf"))
        found[:, column] = 1 + np.searchsorted(edges, size[:, column], side="left")
    return np.sign(x).astype(np.int64) * found, np.zeros(len(x), dtype=bool)
