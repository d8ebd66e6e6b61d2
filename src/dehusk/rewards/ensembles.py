"""`ensemble:`, several reward models of any kinds as one; and heads of one shape averaged weight by weight."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from dehusk.core.errors import DehuskError, InputError, NotEnoughData
from dehusk.core.kinds import RewardModel, combinations, reward_models, scores_new_texts
from dehusk.core.options import Scoring
from dehusk.core.tables import Floats, Ints
from dehusk.rewards.heads import LinearHead
from dehusk.rewards.nesting import identity_of, portable, read_config, write_config

FORMAT = 1
FILE = "ensemble.json"


@dataclass(frozen=True)
class Recipe:
    """How m members become one score: each less its centre, over its scale, then the rule."""

    rule: str
    centre: Floats  # (m,)
    scale: Floats  # (m,)
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Check the rule and the numbers.

        Raises:
            InputError: an option that the rule has not, or a scale that is no positive number.
            UnknownName: no such rule.
        """
        known = [p.name for p in inspect.signature(combinations[self.rule].thing).parameters.values()][2:]
        unknown = sorted(set(self.options) - set(known))
        if unknown:
            raise InputError(f"rule {self.rule} has no option {unknown[0]!r}", expected=", ".join(known) or "none")
        usable = np.isfinite(self.centre).all() and np.isfinite(self.scale).all() and (self.scale > 0).all()
        if self.centre.shape != self.scale.shape or not usable:
            raise InputError("centres and scales that do not fit", expected="a number and a positive number a member")

    @property
    def within(self) -> bool:
        """Whether a score means something among the answers of one prompt and call only."""
        return bool(combinations[self.rule].options["within"])

    def combine(self, scores: Floats, groups: Ints) -> Floats:
        """One score of raw scores, shape (m, n), of answers to prompts `groups`, (n,); NaN where a member's is."""
        standard = (scores - self.centre[:, None]) / self.scale[:, None]
        found = np.full(scores.shape[1], np.nan)
        known = np.isfinite(standard).all(axis=0)
        if known.any():
            found[known] = combinations[self.rule].thing(standard[:, known], groups[known], **self.options)
        return found


class Ensemble:
    """Several reward models as one.

    Where the rule compares the answers of a prompt with each other (`rank`, `vote`), a score says nothing outside its
    call: such an ensemble is `closed`, so that no probe asks it about single new texts, and nothing of it is stored.
    """

    def __init__(self, name: str, members: Sequence[RewardModel], recipe: Recipe) -> None:
        """Put members, at least one, under one name.

        Raises:
            InputError: another number of members than of centres.
        """
        if len(members) != recipe.centre.size or not members:
            raise InputError(f"{len(members)} members and {recipe.centre.size} centres", expected="a centre a member")
        self.name, self.members, self.recipe = name, tuple(members), recipe
        self.closed = recipe.within or not all(map(scores_new_texts, members))
        self.texts_a_call: int | None = 2048
        content = [recipe.rule, recipe.centre.tolist(), recipe.scale.tolist(), dict(recipe.options)]
        self.identity = identity_of("ensemble", content, members)
        self.notes = tuple(f"{one.name}: {note}" for one in members for note in _notes(one))

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> Floats:
        """Scores of n answers, shape (n,).

        Raises:
            BackendError: a member did not answer; the error says which.
        """
        _, groups = np.unique(np.array(prompts, dtype=object), return_inverse=True)
        return self.recipe.combine(self.of_members(prompts, responses), groups.astype(np.int64))

    def of_members(self, prompts: Sequence[str], responses: Sequence[str]) -> Floats:
        """What every member says, shape (m, n), as it says it."""
        found = np.empty((len(self.members), len(responses)))
        for row, member in enumerate(self.members):
            try:
                found[row] = member.score(prompts, responses)
            except DehuskError as error:
                error.args = (f"{self.name}: its member {member.name}: {error}",)
                raise
        return found


def _notes(model: RewardModel) -> Sequence[str]:
    return getattr(getattr(model, "model", model), "notes", ())


@reward_models.add("ensemble")
def open_ensemble(name: str | None, where: str, options: Scoring) -> Ensemble:
    """A folder with an ensemble.json that names several reward models, what to standardise them by, and the rule.

    Members may be of any kind; a program or a server only with `?trust=yes` after the folder. Paths are relative to the
    folder. `dehusk adjust --method ensemble` writes one.

    Raises:
        InputError: no such file, or a member that cannot be opened.
    """
    nest = read_config(where, FILE, FORMAT, ("rule", "members", "centre", "scale"))
    folder, content = nest.folder, nest.content
    try:
        centre, scale = (np.array(content[part], dtype=np.float64) for part in ("centre", "scale"))
        recipe = Recipe(str(content["rule"]), centre, scale, dict(content.get("options", {})))
        members = [nest.open(str(spec), options) for spec in content["members"]]
        return Ensemble(name or folder.resolve().name, members, recipe)
    except (TypeError, ValueError) as error:
        raise InputError(f"not an ensemble: {error}", where=str(folder / FILE)) from None


def save_ensemble(folder: str | Path, members: Sequence[str], recipe: Recipe) -> None:
    """Write an ensemble of members, as `[NAME=]KIND:WHERE`, to a folder, which `ensemble:FOLDER` opens.

    Raises:
        InputError: another number of members than of centres, or a folder that cannot be written.
    """
    if len(members) != recipe.centre.size:
        raise InputError(f"{len(members)} members and {recipe.centre.size} centres", expected="a centre a member")
    content = {
        "format": FORMAT,
        "rule": recipe.rule,
        "members": [portable(spec, folder) for spec in members],
        "centre": recipe.centre.tolist(),
        "scale": recipe.scale.tolist(),
        "options": dict(recipe.options),
    }
    write_config(folder, FILE, content)


def standardised(scores: Floats, groups: Ints, rule: str, **options: Any) -> Recipe:
    """A recipe whose members count alike on reference answers: their mean, and their standard deviation within prompts.

    Where no prompt has two answers it is the standard deviation of all of them.

    Args:
        scores: What m members say of n reference answers, shape (m, n); answers that one does not score are left out.
        groups: Prompt of each answer, shape (n,).
        rule: Name in the table of combinations.
        options: Of the rule.

    Raises:
        NotEnoughData: no answer that all members score, or a member that scores all of them alike.
    """
    known = np.isfinite(scores).all(axis=0)
    if not known.any():
        raise NotEnoughData("at least 1 answer that every member scores")
    scores = scores[:, known]
    _, index, counts = np.unique(groups[known], return_inverse=True, return_counts=True)
    inside = np.stack([row - (np.bincount(index, row) / counts)[index] for row in scores])
    freedom = int(counts.sum() - counts.size)
    scale = np.sqrt((inside**2).sum(axis=1) / freedom) if freedom else scores.std(axis=1)
    if (scale <= 1e-12 * np.maximum(np.abs(scores).max(axis=1), 1e-300)).any():
        raise NotEnoughData("scores that differ")
    return Recipe(rule, scores.mean(axis=1), scale, options)


def average_heads(heads: Sequence[LinearHead]) -> LinearHead:
    """Weights averaged (WARM, arXiv 2401.12187), standardisation folded into them first: one pass instead of several.

    Of linear heads the rewards are averaged exactly. Of deeper ones they are not, and the average means something only
    where the heads were fitted from the same start; what all of them get wrong it gets wrong too.

    Raises:
        InputError: heads of different shapes.
        NotEnoughData: no head.
    """
    if not heads:
        raise NotEnoughData("at least 1 head, got 0")
    folded = [_folded(head) for head in heads]
    shapes = {tuple(weight.shape for weight in weights) for weights, _ in folded}
    if len(shapes) > 1:
        shown = " and ".join(sorted(str(list(shape)) for shape in shapes))
        raise InputError(f"heads of shapes {shown}", expected="one shape", fix="--method ensemble")
    weights = tuple(np.mean(layer, axis=0) for layer in zip(*(weights for weights, _ in folded), strict=True))
    biases = tuple(np.mean(layer, axis=0) for layer in zip(*(biases for _, biases in folded), strict=True))
    size = heads[0].mean.size
    return LinearHead(np.zeros(size), np.ones(size), weights, biases)


def _folded(head: LinearHead) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
    """Weights and biases that give the same rewards on points that are not standardised."""
    first = head.weights[0] / head.scale
    bias = head.biases[0] - first @ head.mean
    return (first, *head.weights[1:]), (bias, *head.biases[1:])
