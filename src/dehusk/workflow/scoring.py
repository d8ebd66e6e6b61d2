"""Scores of every text, as a table."""

from __future__ import annotations

import polars as pl

from dehusk.core.errors import InputError
from dehusk.core.options import ScoreConfig
from dehusk.inputs import Watch, read, sampled, scored, scores_table


def run_score(config: ScoreConfig, *, watch: Watch = lambda *_: None) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Score pairs or responses; what a killed run had scored is in the store and is not scored again.

    Returns:
        A row a text and model (pair_id or response_id, side, prompt, response, model, score), and what the models say
        of how they were loaded and what their texts look like.

    Raises:
        InputError: no reward model, or an input that cannot be used.
        BackendError: a reward model did not answer.
    """
    if not config.reward_model:
        raise InputError("no reward model", fix="--reward-model hf:FOLDER (dehusk list reward_models)")
    watch("reading", 0, 1)
    inputs = sampled(read(config), config)
    inputs = scored(inputs, watch)
    assert inputs.scores is not None  # for mypy: there are models and texts
    notes = (f"{one.name}: {note}" for one in inputs.records if one.role == "reward_model" for note in one.notes)
    return scores_table(inputs, inputs.scores), tuple(notes)
