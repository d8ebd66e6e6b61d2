"""Reward models made of frozen ones, a function a method: what is opened, fitted and written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import numpy as np

from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.kinds import Feature, RewardModel
from dehusk.core.messages import Text, say
from dehusk.core.tables import Bools, Floats, Measures, Pairs, Responses
from dehusk.fitting.residual import Correction, Residual, residualise, save_residual
from dehusk.probes.reward_model.editing import edited_answers
from dehusk.rewards.ensembles import Ensemble, average_heads, save_ensemble, standardised
from dehusk.rewards.heads import Linear, load_head, save_head
from dehusk.rewards.projection import project, shift, shifts_of_edits, shifts_of_pairs
from dehusk.rewards.shaping import SHAPINGS, Shaped, Shaping, Unseen, save_shaped

SATURATED = 0.5  # share of differences between references beyond _FAR from which PAR tells little but who won
_FAR = 4.0  # log odds at which σ is 0.98


@dataclass(frozen=True)
class Given:
    """What a method may use."""

    method: str
    specs: tuple[str, ...]  # the models as the user wrote them
    models: tuple[RewardModel, ...]
    pairs: Pairs
    measures: Measures  # of the pairs, and of the responses
    usable: Bools  # (n,) pairs it may be made from; the others only look at it
    targets: tuple[Feature, ...]
    responses: Responses | None
    usable_responses: Bools | None  # (m,)
    rng: np.random.Generator

    @property
    def model(self) -> RewardModel:
        """The model, for a method that takes one."""
        return self.models[0]

    def answers(self, rows: Bools | None = None) -> tuple[list[str], list[str]]:
        """Prompts and answers of some pairs (the usable ones): all chosen ones, then all rejected ones."""
        frame = self.pairs.frame.filter(self.usable if rows is None else rows)
        return frame["prompt"].to_list() * 2, frame["chosen"].to_list() + frame["rejected"].to_list()


@dataclass(frozen=True)
class Made:
    """A new reward model."""

    score: Callable[[Sequence[str], Sequence[str]], Floats]  # (prompts, answers) -> (n,)
    kind: str  # that opens the folder it is saved to
    save: Callable[[str], None]
    notes: tuple[Text, ...] = ()


def make_projected(
    given: Given,
    *,
    along: Literal["pairs", "edits"] = "pairs",
    strength: float = 1.0,
    spare_label: bool = False,
    answers: int = 500,
) -> Made:
    """Take the direction in which points move with a target out of a head; see `rewards.projection.project`.

    Args:
        given: A `linear:` model and targets.
        along: What shows the direction: how the answers of a pair differ with the target, the label held, or edits that
            add it to answers, as in the paper. Edits move nothing else, but neutral sentences span little of a length.
        strength: 1 takes the direction out, 0.5 half of it, 2 turns it around.
        spare_label: Keep the direction from rejected to chosen answers.
        answers: Most prompts a language whose answers are edited.
    """
    head, embedder = _linear(given.model).head, _linear(given.model).embedder
    shifts, note = _along_edits(given, answers) if along == "edits" else _along_pairs(given)
    spared = None
    if spare_label:
        points = embedder.embed(*given.answers())
        spared = shift(head, points[len(points) // 2 :], points[: len(points) // 2])
    new = project(head, shifts, strength=strength, spared=spared)
    place = load_head(_where(given.specs[0]))[1]
    model = replace(_linear(given.model), head=new, identity="")
    return Made(model.score, "linear", lambda out: save_head(out, new, place), (note,))


def _along_edits(given: Given, answers: int) -> tuple[Floats, Text]:
    model, rows = _linear(given.model), np.flatnonzero(given.usable)
    pairs = Pairs(given.pairs.frame[rows])
    found = edited_answers(pairs, given.measures.rows(rows), given.targets, given.rng, most=answers)
    before, after = (model.embedder.embed(found.prompts, texts) for texts in (found.original, found.edited))
    shifts = shifts_of_edits(model.head, before, after, found.target)
    return shifts, say("adjust.edited", texts=len(found.prompts), targets=len(np.unique(found.target)))


def _along_pairs(given: Given) -> tuple[Floats, Text]:
    model = _linear(given.model)
    sides = [_columns(given.measures, side, given.targets) for side in ("chosen", "rejected")]
    differences = sides[0] - sides[1]
    rows = given.usable & np.isfinite(differences).all(axis=1)
    points = model.embedder.embed(*given.answers(rows))
    halves = points[: len(points) // 2], points[len(points) // 2 :]
    try:
        shifts = shifts_of_pairs(model.head, *halves, differences[rows])
    except NotEnoughData as lack:
        what = f"not enough data: it needs {lack.needs}"
        raise InputError(what, where="--method project", fix="--option along=edits") from None
    return shifts, say("adjust.along_pairs", pairs=int(rows.sum()), targets=len(given.targets))


def make_residual(given: Given, *, strength: float = 1.0, knots: int = 5, ridge: float = 1.0) -> Made:
    """Take curves of the targets off the scores; see `fitting.residual.residualise`.

    Fitted on the responses whose prompts are not held out, or else on the pairs, with what the label is worth held.

    Args:
        given: Any model, and targets.
        strength: Share of the curves that is taken off.
        knots: Of each curve.
        ridge: Penalty on its coefficients.
    """
    inner, held = given.model, None
    sides: tuple[str, ...] = ("response",)
    if given.responses is not None and given.usable_responses is not None:
        frame, rows = given.responses.frame, given.usable_responses
        prompts, texts = (frame.filter(rows)[name].to_list() for name in ("prompt", "response"))
        groups = given.responses.groups[rows]
    else:
        sides, rows = ("chosen", "rejected"), given.usable
        prompts, texts = given.answers()
        groups = np.tile(given.pairs.groups[rows], 2)
        held = np.repeat([0.5, -0.5], len(texts) // 2)[:, None]
    x = np.concatenate([_columns(given.measures, side, given.targets)[rows] for side in sides])
    varying = np.nanmin(x, axis=0, initial=np.inf) < np.nanmax(x, axis=0, initial=-np.inf)
    if not varying.any():
        raise NotEnoughData("a feature that varies")
    targets = tuple(feature for feature, varies in zip(given.targets, varying, strict=True) if varies)
    scores, x = inner.score(prompts, texts), x[:, varying]
    kept = np.isfinite(scores)
    options = {"knots": knots, "ridge": ridge, "held": None if held is None else held[kept]}
    curves = residualise(scores[kept], x[kept], groups[kept], **options)
    correction = Correction(targets, curves, strength)
    notes = [say("adjust.fitted", answers=int(kept.sum()), prompts=len(np.unique(groups[kept])))]
    if not varying.all():
        constant = [feature.name for feature in given.targets if feature not in targets]
        notes.append(say("adjust.constant", names=", ".join(constant)))
    model = Residual(inner.name, inner, correction)
    return Made(model.score, "residual", lambda out: save_residual(out, given.specs[0], correction), tuple(notes))


def make_shaped(given: Given, *, unseen: Literal["refuse", "all"] = "refuse", scale: float = 1.0) -> Made:
    """Shape rewards around those of reference answers: the responses, or else both answers of each pair.

    Args:
        given: Any model.
        unseen: What becomes of a prompt without references: an error, or those of all prompts together.
        scale: The difference of scores that counts as 1; 1 for a model trained by Bradley and Terry's loss.
    """
    inner = given.model
    notes = []
    if given.responses is None:
        prompts, texts = given.answers(np.ones(len(given.pairs), dtype=bool))
        notes.append(say("adjust.own_references"))
    else:
        prompts, texts = (given.responses.frame[name].to_list() for name in ("prompt", "response"))
    scores = inner.score(prompts, texts)
    kept: dict[str, list[float]] = {}
    for prompt, score in zip(prompts, scores.tolist(), strict=True):
        if np.isfinite(score):
            kept.setdefault(prompt, []).append(score)
    asked: Unseen = unseen
    references = {prompt: np.array(one) for prompt, one in kept.items()}
    shaping = Shaping(given.method, references, asked, scale)
    gaps = np.concatenate([np.abs(one[:, None] - one)[np.triu_indices(one.size, 1)] for one in references.values()])
    share = float((gaps > _FAR * scale).mean()) if gaps.size else 0.0
    if given.method == "par" and share > SATURATED:
        notes.append(say("adjust.saturated", share=share, scale=float(np.median(gaps))))
    notes.append(say("adjust.references", prompts=len(kept), answers=sum(map(len, kept.values()))))
    model = Shaped(inner.name, inner, shaping)
    return Made(model.score, "shaped", lambda out: save_shaped(out, given.specs[0], shaping), tuple(notes))


def make_ensemble(given: Given, *, rule: str = "mean", caution: float | None = None) -> Made:
    """Several models as one, standardised on the usable pairs; see `rewards.combining`.

    Args:
        given: Two models or more, of any kinds.
        rule: How one score is made of several.
        caution: Weight of the variance between members, for the rule uwo.
    """
    prompts, texts = given.answers()
    scores = np.stack([model.score(prompts, texts) for model in given.models])
    options = {} if caution is None else {"caution": caution}
    recipe = standardised(scores, np.tile(given.pairs.groups[given.usable], 2), rule, **options)
    note = say("adjust.within", rule=rule) if recipe.within else say("adjust.standardised", answers=len(texts))
    model = Ensemble(rule, given.models, recipe)
    return Made(model.score, "ensemble", lambda out: save_ensemble(out, given.specs, recipe), (note,))


def make_average(given: Given) -> Made:
    """Heads on the same embeddings averaged weight by weight; see `rewards.ensembles.average_heads`.

    Args:
        given: Two `linear:` models or more, on the same states of the same model.
    """
    first = _linear(given.models[0])
    loaded = [load_head(_where(spec)) for spec in given.specs]
    if len({place for _, place in loaded}) > 1:
        what = "heads on different states: their weights do not mean the same"
        raise InputError(what, where="--reward-model", fix="--method ensemble")
    head = average_heads([head for head, _ in loaded])
    model = replace(first, head=head, name="average", identity="")
    return Made(model.score, "linear", lambda out: save_head(out, head, loaded[0][1]))


_SINGLE: dict[str, Callable[..., Made]] = {"project": make_projected, "residualise": make_residual}
_SEVERAL: dict[str, Callable[..., Made]] = {"ensemble": make_ensemble, "average": make_average}
METHODS = MappingProxyType(_SINGLE | dict.fromkeys(SHAPINGS, make_shaped) | _SEVERAL)
AIMED = ("project", "residualise")  # methods that need targets


def check_models(method: str, models: Sequence[RewardModel]) -> None:
    """Check that a method can do something with the models, before any of them is asked.

    Raises:
        InputError: too many, too few, or none with a head where the head is what changes.
    """
    where = "--reward-model"
    if method in _SEVERAL and len(models) < 2:
        fix = f"{where} A {where} B"
        raise InputError(f"{method} takes several reward models, got {len(models)}", where=where, fix=fix)
    if method not in _SEVERAL and len(models) > 1:
        what = f"{method} takes one reward model, got {len(models)}"
        raise InputError(what, where=where, fix="--method ensemble")
    if method in ("project", "average"):
        for model in models:
            _linear(model)


def _linear(model: RewardModel) -> Linear:
    inner = getattr(model, "model", model)
    if not isinstance(inner, Linear):
        raise InputError(f"{model.name} has no head to change", where="--reward-model", expected="linear:FOLDER")
    return inner


def _where(spec: str) -> str:
    return spec.partition(":")[2].strip()


def _columns(measures: Measures, side: str, features: tuple[Feature, ...]) -> Floats:
    """Features of one side, shape (n, k)."""
    return np.stack([measures.all_values(side, feature.name) for feature in features], axis=1)
