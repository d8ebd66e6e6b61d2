"""`rank`: order pairs by how much of their label is carried by meaning rather than surface."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl

from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.kinds import repairs
from dehusk.core.messages import say
from dehusk.core.plans import Plan, unchanged
from dehusk.core.tables import Bools, Floats, Ints, Measures, Pairs
from dehusk.repairs.distances import Points, content_distance, style_differences, style_distance
from dehusk.repairs.targets import FOLDS, differences, held_out_margins, odd_terms
from dehusk.repairs.wording import hashed_words
from dehusk.stats.folds import grouped_folds
from dehusk.stats.matching import equal_count_strata

FEWEST_PROMPTS = 50
STRATUM = 40  # pairs whose features point equally strongly, one way or the other
Order = Literal["kernel", "balance", "content", "style", "random", "easiest", "hardest"]


@repairs.add("rank")
def rank(
    pairs: Pairs,
    measures: Measures,
    rng: np.random.Generator,
    *,
    targets: tuple[str, ...] = (),
    points: tuple[Points, Points] | None = None,
    keep: float = 0.5,
    order: Order = "kernel",
) -> Plan:
    """Order pairs by how much of their label is carried by meaning rather than surface, and keep the first ones.

    Three readings are written beside every pair. `shortcut`: log odds of its label from the targets alone, fitted on
    other prompts; above 0 the features agree with the label. `style_distance`: how far apart its answers are in all
    declared features. `content_distance`: how far apart they are in meaning once their features are accounted for; both
    as multiples of what answers of such lengths have. `rank` is the place, 1 the first.

    Placing pairs whose label the features contradict first (the order "hardest") turns a shortcut around instead of
    removing it: on 2,000 real pairs, half of them kept, what a head pays for length went from +0.40 SD per SD to −0.72.
    So a pair that the features contradict and one that they agree with equally strongly go together, at the mean of
    their places by content (far apart first) and style (close first). However many are kept, the features then point
    either way equally often; pairs for which no counterpart is left come last, those that the features say least
    about first.

    Args:
        pairs: The preference pairs.
        measures: Features of both sides.
        rng: Folds, and the order "random".
        targets: Features the shortcut is made of; all declared ones when empty.
        points: Embeddings of the chosen and of the rejected answers, shape (n, d) each; without them content is
            judged by a bag of words.
        keep: Share of the pairs to keep; 1 only writes the readings.
        order: "kernel"; or to compare with: "balance" (counterparts, else at random), "content" and "style" (one
            reading), "easiest" (features agree most) and "hardest" (contradict most), "random".

    Raises:
        InputError: an option that cannot be.
        NotEnoughData: with fewer than 50 prompts, or pairs that differ in nothing.
    """
    if not 0 < keep <= 1:
        raise InputError(f"keep = {keep:g}", where="--option", expected="0 to 1", fix="--option keep=0.5")
    if (prompts := len(np.unique(pairs.groups))) < FEWEST_PROMPTS:
        raise NotEnoughData(f"at least {FEWEST_PROMPTS} prompts, got {prompts}")
    weight, reason = unchanged(pairs)
    style = style_differences(measures)
    terms = odd_terms(differences(measures, targets)) if targets else style
    shortcut = held_out_margins(terms, weight, pairs.groups, rng)
    folds = grouped_folds(pairs.groups, FOLDS, rng)
    near = style_distance(pairs, style, folds)
    far = content_distance(pairs, _words(pairs) if points is None else points, style, folds)
    place, paired = _places(order, shortcut, near, far, rng)
    out = place > max(1, round(keep * len(pairs)))
    for row in np.flatnonzero(out):
        parts = {"shortcut": float(shortcut[row]), "style": float(near[row]), "content": float(far[row])}
        reason[row] = say("repair.rank.left_out", place=int(place[row]), count=len(pairs), **parts)
    notes = [] if points is not None else [say("repair.rank.words")]
    if order in ("kernel", "balance") and (~out).sum() > paired:
        notes.append(say("repair.rank.unbalanced", share=paired / len(pairs)))
    columns = {"shortcut": shortcut, "style_distance": near, "content_distance": far, "rank": place.astype(np.float64)}
    return Plan("rank", np.where(out, 0.0, weight), tuple(reason), columns=columns, notes=tuple(notes))


def _words(pairs: Pairs) -> tuple[Points, Points]:
    both = hashed_words(pl.concat([pairs.frame["chosen"], pairs.frame["rejected"].alias("chosen")]))
    chosen, rejected = both.astype(np.float32).reshape(2, len(pairs), -1)
    return chosen, rejected


def _places(order: Order, shortcut: Floats, near: Floats, far: Floats, rng: np.random.Generator) -> tuple[Ints, int]:
    """Place of each pair, 1 the first, shape (n,), and how many pairs have a counterpart."""
    chance = rng.random(len(shortcut))
    merit = {
        "kernel": _ranks(far) - _ranks(near),
        "balance": chance,
        "content": far,
        "style": -near,
        "random": chance,
        "easiest": shortcut,
        "hardest": -shortcut,
    }[order]
    last = np.zeros(len(shortcut), dtype=bool)
    if order in ("kernel", "balance"):
        merit, last = coupled(shortcut, merit)
    place = np.empty(len(shortcut), dtype=np.int64)
    place[np.lexsort((shortcut, -merit, last))] = np.arange(1, len(place) + 1)
    return place, int((~last).sum())


def coupled(shortcut: Floats, merit: Floats) -> tuple[Floats, Bools]:
    """Give each two pairs of which the features contradict one and agree with the other equally strongly one merit.

    Args:
        shortcut: Log odds of the label, shape (n,); a pair at 0 needs no counterpart.
        merit: More is better, shape (n,).

    Returns:
        The mean merit of the two, shape (n,), and which pairs have no counterpart; the merit of those is −shortcut.

    >>> merit, alone = coupled(np.array([1.0, 1.0, -1.0, 0.0]), np.array([5.0, 3.0, 1.0, 2.0]))
    >>> merit.tolist(), alone.tolist()
    ([-1.0, 2.0, 2.0, 2.0], [True, False, False, False])
    """
    silent = np.abs(shortcut) < 1e-9
    found, alone = np.where(silent, merit, -shortcut), ~silent
    rows = np.flatnonzero(~silent)
    strata = equal_count_strata(np.abs(shortcut[rows]), size=STRATUM)
    for stratum in range(int(strata.max(initial=-1)) + 1):
        here = rows[strata == stratum]
        here = here[np.lexsort((shortcut[here], -merit[here]))]
        agree, contradict = here[shortcut[here] > 0], here[shortcut[here] < 0]
        count = min(agree.size, contradict.size)
        evenly = np.arange(1, 2 * count, 2)  # through the merits of the larger side: its best would outdo the other's
        for two in zip(*(side[evenly * side.size // max(2 * count, 1)] for side in (agree, contradict)), strict=True):
            found[list(two)] = merit[list(two)].mean()
            alone[list(two)] = False
    return found, alone


def _ranks(values: Floats) -> Floats:
    ranks: Floats = pl.Series(values).rank().to_numpy() / len(values)
    return ranks
