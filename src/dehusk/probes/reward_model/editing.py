"""Answers beside themselves with more of a target: what moves in a model when nothing but the target does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.kinds import Feature
from dehusk.core.tables import Ints, Measures, Pairs
from dehusk.probes.reward_model.trials import Treatment, base_texts, treatments, trials

_DOSES = 4


class Edited(NamedTuple):
    """n answers without and with (more of) a target."""

    prompts: list[str]
    original: list[str]
    edited: list[str]
    target: Ints  # (n,), which target each edits


def edited_answers(
    pairs: Pairs, measures: Measures, targets: Sequence[Feature], rng: np.random.Generator, *, most: int = 500
) -> Edited:
    """Edit answers of pairs so that each target grows; of a length, by neutral text.

    Args:
        pairs: Whose answers.
        measures: Of both sides.
        targets: What an edit should add.
        rng: Which answers, places and doses.
        most: Most prompts a language whose answers are edited.

    Raises:
        InputError: a target that no edit changes.
        NotEnoughData: too few prompts of one language, or no answer that the edits apply to.
    """
    base = base_texts(pairs, measures, most, rng)
    every = treatments(measures, _DOSES)
    prompts, original, edited, of = [], [], [], []
    for number, target in enumerate(targets):
        tried = _changing(target, every)
        if not tried:
            known = ", ".join(sorted({t.feature.name for t in every if t.feature is not None and not t.is_phrase}))
            what = f"no edit changes {target.name}"
            raise InputError(what, where="--target", expected=f"a phrase, a length, or one of {known}")
        for treatment, index, text in trials(base, tried).select("treatment", "base", "text").iter_rows():
            own, grows = base["text"][index], tried[treatment].sign > 0
            prompts.append(base["prompt"][index])
            original.append(own if grows else text)
            edited.append(text if grows else own)
            of.append(number)
    if not of:
        raise NotEnoughData("answers that the edits apply to")
    return Edited(prompts, original, edited, np.array(of))


def _changing(target: Feature, every: list[Treatment]) -> list[Treatment]:
    """Edits that change a target; of a length, neutral text."""
    if target.family == "length":
        return [replace(one, yardstick=False, doses=(_DOSES,)) for one in every if one.yardstick]
    return [one for one in every if one.feature is not None and one.feature.name == target.name]
