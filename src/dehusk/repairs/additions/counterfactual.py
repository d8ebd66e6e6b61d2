"""Counterfactual pairs: the same two answers, one of them with more of a feature, on both sides alike.

The published recipe adds the feature to the rejected answer alone (arXiv 2506.05339), which teaches to dislike it:
other features and whole domains got worse. With both signs the feature says nothing about the label, and the tie of an
answer with its own edited version says that it is worth nothing by itself (the neutral pairs of arXiv 2506.16507).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from dehusk.core.errors import InputError
from dehusk.core.kinds import edits
from dehusk.core.tables import Ints, Measures, Pairs
from dehusk.repairs.additions.drawing import made
from dehusk.text.edits import Edit, edits_of_phrase
from dehusk.text.language import mainly_chinese

DOSES = 3  # most copies of a phrase; an edit knows its own largest dose
Version = tuple[Edit, int]  # an edit and a dose


def counterfactual(
    pairs: Pairs, measures: Measures, rows: Ints, rng: np.random.Generator, targets: Sequence[str]
) -> pl.DataFrame:
    """Of each row and target: chosen beats edited rejected, edited chosen beats rejected, and each ties with its edit.

    Each time one edit that changes the target, in one dose, is drawn; it must apply to both answers, else another is
    tried, so that no side is edited more often. A feature that an edit can only take away is taken from both alike. All
    edited copies of a pair together weigh as much as the pair, or whatever else tells its label would be learnt the
    better the more targets there are; a tie weighs as much as the pair.

    Args:
        pairs: The preference pairs.
        measures: Says which targets are phrases.
        rows: Which pairs are edited, shape (m,).
        rng: Which edit in which dose.
        targets: Features to change.

    Raises:
        InputError: no target, or one that no edit changes.
    """
    versions = [_versions(measures, target) for target in _named(targets)]
    texts = pairs.frame.select("chosen", "rejected", "prompt", chinese=mainly_chinese(pl.col("prompt")))[rows]
    lines: list[tuple[int, str, str, bool, float]] = []
    for row, (chosen, rejected, prompt, chinese) in zip(rows.tolist(), texts.iter_rows(), strict=True):
        tried = (_both(prompt, (chosen, rejected), known["zh" if chinese else "en"], rng) for known in versions)
        edited = [two for two in tried if two is not None]
        for better, worse in edited:
            share = 1 / (2 * len(edited))
            lines += [(row, chosen, worse, False, share), (row, better, rejected, False, share)]
            lines += [(row, chosen, better, True, 1.0), (row, rejected, worse, True, 1.0)]
    return made(lines)


def _named(targets: Sequence[str]) -> Sequence[str]:
    if not targets:
        raise InputError("no target to edit", where="--target", expected="a feature that an edit changes",
                         fix=f"--target {_editable()[0]}")  # fmt: skip
    return targets


def _editable() -> list[str]:
    return list(dict.fromkeys(str(entry.options["changes"]) for entry in edits if entry.options["changes"]))


def _versions(measures: Measures, target: str) -> Mapping[str, list[Version]]:
    """What can be done to a target in each language.

    Raises:
        InputError: nothing in either.
    """
    found: dict[str, list[Version]] = {"en": [], "zh": []}
    for entry in edits:
        if entry.options["changes"] == target:
            doses = range(1, entry.options["doses"] + 1)
            for lang in found if entry.options["lang"] == "any" else (entry.options["lang"],):
                found[lang] += [(entry.thing, dose) for dose in doses]
    feature = next((feature for feature in measures.on("chosen") if feature.name == target), None)
    if feature is not None:
        phrase = [(edit, dose) for _, edit in edits_of_phrase(feature) for dose in range(1, DOSES + 1)]
        for lang in found if feature.lang == "any" else (feature.lang,):
            found[lang] += phrase
    if not any(found.values()):
        expected = f"a phrase, or one of {', '.join(_editable())}"
        raise InputError(f"no edit changes {target}", where="--target", expected=expected, fix="--method match")
    return found


def _both(
    prompt: str, answers: tuple[str, str], known: Sequence[Version], rng: np.random.Generator
) -> tuple[str, str] | None:
    """Both answers edited alike; None where no edit applies to both."""
    for at in rng.permutation(len(known)):
        edit, dose = known[at]
        chosen, rejected = (edit(prompt, answer, dose) for answer in answers)
        if chosen is not None and rejected is not None and chosen != answers[0] and rejected != answers[1]:
            return chosen, rejected
    return None
