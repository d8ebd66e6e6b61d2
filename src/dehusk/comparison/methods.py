"""Every method as one thing to try: what it does to the pairs, to the fit, or to heads that are fitted already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

import dehusk.fitting.residual
import dehusk.repairs  # noqa: F401 - fills the table of repairs
from dehusk.comparison.readings import Points, Rewards
from dehusk.comparison.table import PLAIN
from dehusk.comparison.trials import Trial, by_head
from dehusk.core.errors import InputError, UnknownName
from dehusk.core.keywords import asked
from dehusk.core.kinds import adjustments, combinations, objectives, repairs
from dehusk.core.tables import Floats, Ints
from dehusk.fitting.heads import fit_heads
from dehusk.fitting.residual import residualise
from dehusk.probes.reward_model.editing import edited_answers
from dehusk.repairs import apply
from dehusk.rewards.ensembles import average_heads, standardised
from dehusk.rewards.projection import project, shifts_of_edits, shifts_of_pairs

EDITED = 150  # prompts whose answers are edited for a direction: three times what a projection asks for
KINDS = ("repair", "objective", "combination", "adjustment")
MONOTONE = ("par", "lsc", "clip", "minmax", "centre")  # keep the order of a prompt's answers: nothing here could change
ONE_TARGET = ("flip", "drop")  # with several targets, a row for each: doing one after the other is no repair of ours
WITHOUT_TARGET = ("select",)  # asks for rules that only a user knows
SEEN_TEXT = ("grm",)  # asks for the language model itself, which a frozen embedding is not


@dataclass(frozen=True)
class Made:
    """A fitted method, and what it cost."""

    rewards: Rewards
    lost: int = 0
    added: int = 0
    effective: float = 0.0


@dataclass(frozen=True)
class Method:
    """One row of a comparison."""

    name: str
    kind: str
    make: Callable[[Trial], Made]
    of: str = ""  # what it is one of several of: "flip" where there is one a target


def methods(wanted: Sequence[str] = (), targets: Sequence[str] = ()) -> list[Method]:
    """The plain model, then every method, or those that are named (by name or kind).

    Args:
        wanted: Names and kinds; all when empty.
        targets: Where there are several, repairs that take one are tried on each, as "flip-characters".

    Raises:
        UnknownName: no method or kind is called that.
    """
    every = list(_every(targets))
    known = {method.of or method.name for method in every} | {method.name for method in every} | set(KINDS)
    for name in wanted:
        if name not in known:
            raise UnknownName("method", name, known, where="--methods")
    return [one for one in every if one.kind == PLAIN or not wanted or {one.name, one.of, one.kind} & set(wanted)]


def _every(targets: Sequence[str]) -> Iterator[Method]:
    yield Method(PLAIN, PLAIN, _plain)
    for row in repairs:
        if row.name in ONE_TARGET and len(targets) > 1:
            for target in targets:
                one = partial(_repaired, row.thing, targets=(target,))
                yield Method(f"{row.name}-{target}", "repair", one, row.name)
        elif row.name not in WITHOUT_TARGET:
            yield Method(row.name, "repair", partial(_repaired, row.thing))
    for row in objectives:
        if row.name not in ("bt", *SEEN_TEXT):
            yield Method(row.name, "objective", partial(_fitted, row.thing))
    for row in combinations:
        yield Method(f"ensemble-{row.name}", "combination", partial(_combined, row.name))  # `rank` is a repair too
    yield Method("ensemble-average", "combination", _averaged)
    for row in adjustments:
        if row.name in _ADJUSTED:
            yield Method(row.name, "adjustment", _ADJUSTED[row.name])
    yield Method("project-edits", "adjustment", partial(_projected, _along_edits), "project")


def _plain(trial: Trial) -> Made:
    return Made(by_head(trial.plain.heads[0]), effective=_effective(trial.data.weight))


def _repaired(repair: Callable[..., Any], trial: Trial, targets: tuple[str, ...] = ()) -> Made:
    there: dict[str, Any] = {
        "pairs": trial.pairs,
        "measures": trial.measures,
        "rng": trial.rng("repair"),
        "targets": targets or trial.targets,
        "points": (trial.data.chosen, trial.data.rejected),
    }
    plan = repair(**{name: there[name] for name in asked(repair) if name in there})
    data = trial.again(apply(plan, trial.pairs))
    head = fit_heads(data, objectives["bt"].thing(), rng=trial.rng("plain")).heads[0]
    added = 0 if plan.added is None else len(plan.added)
    return Made(by_head(head), plan.lost, added, _effective(data.weight))


def _fitted(objective: Callable[[], Any], trial: Trial) -> Made:
    """Penalties that know features are told the targets alone."""
    places = [trial.data.names.index(name) for name in trial.targets]
    data = replace(
        trial.data,
        names=trial.targets,
        chosen_features=trial.data.chosen_features[:, places],
        rejected_features=trial.data.rejected_features[:, places],
    )
    head = fit_heads(data, objective(), l2=trial.plain.l2, rng=trial.rng("objective")).heads[0]
    return Made(by_head(head), effective=_effective(trial.data.weight))


def _combined(rule: str, trial: Trial) -> Made:
    """Members of different kinds, each standardised on the fitted pairs."""
    both = np.concatenate([trial.data.chosen, trial.data.rejected])
    reference = np.stack([member.rewards(both) for member in trial.members])
    recipe = standardised(reference, np.tile(trial.data.groups, 2), rule)

    def rewards(points: Points, _features: Floats, groups: Ints) -> Floats:
        return recipe.combine(np.stack([member.rewards(points) for member in trial.members]), groups)

    return Made(rewards, effective=_effective(trial.data.weight))


def _averaged(trial: Trial) -> Made:
    """Weights of heads on bootstraps of the prompts (WARM)."""
    heads = fit_heads(
        trial.data, objectives["bt"].thing(), l2=trial.plain.l2, members=5, rng=trial.rng("average")
    ).heads
    return Made(by_head(average_heads(heads)), effective=_effective(trial.data.weight))


def _projected(shifts: Callable[[Trial], Floats], trial: Trial) -> Made:
    if not trial.targets:
        raise InputError("project needs a target", where="--target")
    return Made(by_head(project(trial.plain.heads[0], shifts(trial))), effective=_effective(trial.data.weight))


def _along_pairs(trial: Trial) -> Floats:
    """By the pairs that the head was fitted on."""
    data = trial.data
    places = [data.names.index(name) for name in trial.targets]
    differences = data.chosen_features[:, places] - data.rejected_features[:, places]
    return shifts_of_pairs(trial.plain.heads[0], data.chosen, data.rejected, differences)


def _along_edits(trial: Trial) -> Floats:
    features = [trial.measures[name] for name in trial.targets]
    found = edited_answers(trial.pairs, trial.measures, features, trial.rng("edits"), most=EDITED)
    before, after = (trial.embedder.embed(found.prompts, texts) for texts in (found.original, found.edited))
    return shifts_of_edits(trial.plain.heads[0], before, after, found.target)


def _residual(trial: Trial) -> Made:
    """Curves of the targets taken off the plain model's rewards, what the label is worth held."""
    places = [trial.data.names.index(name) for name in trial.targets]
    head, data = trial.plain.heads[0], trial.data
    x = np.concatenate([data.chosen_features, data.rejected_features])[:, places]
    scores = head.rewards(np.concatenate([data.chosen, data.rejected]))
    label = np.repeat([0.5, -0.5], len(data))[:, None]
    curves = residualise(scores, x, np.tile(data.groups, 2), held=label)

    def rewards(points: Points, features: Floats, _groups: Ints) -> Floats:
        left: Floats = head.rewards(points) - curves.values(features[:, places])
        return left

    return Made(rewards, effective=_effective(trial.data.weight))


_ADJUSTED: dict[str, Callable[[Trial], Made]] = {"project": partial(_projected, _along_pairs), "residualise": _residual}


def _effective(weight: Floats) -> float:
    return float(weight.sum() ** 2 / (weight**2).sum())
