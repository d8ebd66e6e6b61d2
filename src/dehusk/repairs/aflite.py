"""`aflite`: leave out, step by step, the pairs that surface features alone predict."""

from __future__ import annotations

from typing import Literal

import numpy as np

from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.kinds import repairs
from dehusk.core.messages import say
from dehusk.core.plans import Plan, unchanged
from dehusk.core.tables import Floats, Ints, Measures, Pairs
from dehusk.repairs.distances import style_differences
from dehusk.repairs.targets import differences, odd_terms

FEWEST_PROMPTS = 50
SLICE = 0.02  # largest share of the pairs that goes in one step


@repairs.add("aflite")
def aflite(
    pairs: Pairs,
    measures: Measures,
    rng: np.random.Generator,
    *,
    targets: tuple[str, ...],
    see: Literal["targets", "all"] = "targets",
    models: int = 64,
    tau: float = 0.75,
    keep: float = 0.5,
) -> Plan:
    """Leave out, step by step, the pairs that models of the features alone predict most reliably (AFLite).

    Many ridge models are fitted on random halves of the prompts; a pair's predictability is the share of the models
    that did not see it and get its label right. In each step the most predictable pairs above `tau` go, a slice at
    most, until enough have gone, none is predictable or the models do no better than chance (arXiv 2002.04108). What
    goes is easy for the features, not wrong; the rest is harder and noisier.

    Args:
        pairs: The preference pairs.
        measures: Features of both sides.
        rng: Halves of the prompts; which of equally predictable pairs go first.
        targets: Features the models see.
        see: "targets", or "all" declared features.
        models: Models a step.
        tau: Predictability above which a pair may go.
        keep: Least share of the pairs to keep.

    Raises:
        InputError: no target, or an option that cannot be.
        NotEnoughData: with fewer than 50 prompts.
    """
    for name, value in (("tau", tau), ("keep", keep)):
        if not 0 < value < 1:
            raise InputError(f"{name} = {value:g}", where="--option", expected="0 to 1", fix=f"--option {name}=0.5")
    if models < 2:
        raise InputError(f"models = {models}", where="--option", expected="2 or more", fix="--option models=64")
    x, groups = _terms(measures, targets, see), pairs.groups
    weight, reason = unchanged(pairs)
    rows = np.flatnonzero(weight > 0)
    least, most = int(np.ceil(keep * rows.size)), max(1, round(SLICE * rows.size))
    prompts = len(np.unique(groups[rows]))
    if prompts < FEWEST_PROMPTS:
        raise NotEnoughData(f"at least {FEWEST_PROMPTS} prompts, got {prompts}")
    while rows.size > least:
        score = _predictability(x[rows], weight[rows], groups[rows], models, rng)
        if score.mean() <= 0.5 + 1 / np.sqrt(len(np.unique(groups[rows]))):  # two standard errors of a coin
            break
        first = np.lexsort((rng.random(rows.size), -score))[: min(most, rows.size - least)]
        gone = first[score[first] > tau]
        for at in gone:
            reason[rows[at]] = say("repair.aflite.predicted", share=float(score[at]))
        weight[rows[gone]] = 0
        rows = np.delete(rows, gone)
        if gone.size < first.size:  # nothing predictable is left
            break
    return Plan("aflite", weight, tuple(reason))


def _terms(measures: Measures, targets: tuple[str, ...], see: str) -> Floats:
    if see == "targets":
        return odd_terms(differences(measures, targets))
    return style_differences(measures)


def _predictability(x: Floats, weight: Floats, groups: Ints, models: int, rng: np.random.Generator) -> Floats:
    """Share of the models not fitted on a pair that put its chosen answer first, ties half, shape (n,); 0 if none."""
    _, prompt = np.unique(groups, return_inverse=True)
    count = int(prompt.max()) + 1
    right, judged = np.zeros(len(x)), np.zeros(len(x))
    for _ in range(models):
        seen = (rng.permutation(count) < count // 2)[prompt]
        mine, mass = x[seen], weight[seen]
        ridge = mine.T @ (mine * mass[:, None]) + np.eye(x.shape[1])
        beta = np.linalg.solve(ridge, mass @ mine)
        right[~seen] += (np.sign(x[~seen] @ beta) + 1) / 2
        judged[~seen] += 1
    return np.divide(right, judged, out=np.zeros(len(x)), where=judged > 0)
