"""Heads written to a folder: as `linear:` or `ensemble:` opens them, and as a standard classifier where they can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dehusk.core.messages import Text, say
from dehusk.core.tables import Floats
from dehusk.fitting.classifier_folder import load_classifier, open_base, pad_apart, save_classifier
from dehusk.fitting.training_set import Points, TrainingSet
from dehusk.rewards.checkpoints import load_tokenizer, quiet
from dehusk.rewards.embedding import Embedder
from dehusk.rewards.ensembles import Recipe, save_ensemble, standardised
from dehusk.rewards.heads import LinearHead, Place, save_head

CLASSIFIER = "classifier"
_RULE = "mean"


@dataclass(frozen=True, eq=False)
class SavedHeads:
    """One reward model that was written, of one head or of several."""

    model: str  # as KIND:WHERE
    heads: Sequence[LinearHead]
    folders: list[Path]  # of each head
    recipe: Recipe | None  # how several become one

    def rewards(self, points: Points) -> Floats:
        """What the reward model says, shape (n,), of embeddings, shape (n, d)."""
        scores = np.stack([one.rewards(points) for one in self.heads])
        return scores[0] if self.recipe is None else self.recipe.combine(scores, np.zeros(len(points), dtype=np.int64))


def save_heads(folder: Path, heads: Sequence[LinearHead], place: Place, data: TrainingSet) -> SavedHeads:
    """Write one head to a folder, several to folders in it beside the ensemble of them.

    Args:
        folder: Where to.
        heads: At least one.
        place: What they sit on.
        data: Pairs whose rewards several heads are standardised by, so that all count alike.
    """
    if len(heads) == 1:
        save_head(folder, heads[0], place)
        return SavedHeads(f"linear:{folder}", heads, [folder], None)
    folders = [folder / f"member-{i}" for i in range(1, len(heads) + 1)]
    for one, where in zip(heads, folders, strict=True):
        save_head(where, one, place)
    scores = np.stack([np.concatenate([one.rewards(data.chosen), one.rewards(data.rejected)]) for one in heads])
    recipe = standardised(scores, np.concatenate([data.groups, data.groups]), _RULE)
    save_ensemble(folder, [f"linear:{where}" for where in folders], recipe)
    return SavedHeads(f"ensemble:{folder}", heads, folders, recipe)


def no_classifier(embedder: Embedder, place: Place, heads: Sequence[LinearHead]) -> Text | None:
    """Why heads cannot be one standard classifier; None if they can."""
    if len(heads) > 1:
        return say("fit.no_classifier.members")
    if len(heads[0].weights) > 1:
        return say("fit.no_classifier.network")
    if not embedder.network.causal:
        return say("fit.no_classifier.encoder")
    if place.pooling != "last" or place.layers != (-1,):
        return say("fit.no_classifier.place")
    return None


def save_as_classifier(folder: Path, head: LinearHead, embedder: Embedder, place: Place) -> None:
    """Write a linear head on last tokens as the standard folder, which transformers, TRL and OpenRLHF load.

    The standardisation goes into `score.weight`. Its constant, which that layer has no room for, is `mean` in the
    config, as OpenRLHF writes it: plain transformers gives the rewards less a constant, `hf:` the rewards themselves.
    """
    import torch

    base = open_base(place.embedder)
    tokenizer = load_tokenizer(base)
    pad_apart(tokenizer, embedder.rendering)
    with quiet():
        model = load_classifier(base, torch.float32)
        weight = head.weights[0][0] / head.scale
        model.config.mean = float(head.mean @ weight - head.biases[0][0])
        model.config.std = 1.0
        save_classifier(model, weight, tokenizer, folder)
