"""Scoring whole tables: every text of every side by every model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import polars as pl

from dehusk.core.kinds import RewardModel
from dehusk.core.tables import Scores
from dehusk.rewards.stored import Stored


def score_tables(
    models: Sequence[RewardModel],
    texts: Mapping[str, tuple[pl.Series, pl.Series]],
    watch: Callable[[str, int, int], None] = lambda *_: None,
) -> Scores:
    """Score every side with every model; a text without a score, which only a file of scores can have, is null.

    Args:
        models: Earlier checkpoints first.
        texts: Side -> (prompts, answers), each of shape (n,).
        watch: Called with "scoring", the different texts done and those in all, here and whenever a probe has further
            texts scored.

    Raises:
        BackendError: a model did not answer.
        InputError: a file of scores has none for any of the texts.
    """
    prompts = [prompt for asked, _ in texts.values() for prompt in asked]
    answers = [answer for _, given in texts.values() for answer in given]
    frames: dict[str, dict[str, pl.Series]] = {side: {} for side in texts}
    for model in models:
        if isinstance(model, Stored):
            model.progress = partial(watch, "scoring")
        values = pl.Series(model.score(prompts, answers), dtype=pl.Float64).fill_nan(None)
        start = 0
        for side, (_, given) in texts.items():
            frames[side][model.name] = values.slice(start, len(given))
            start += len(given)
    return Scores(tuple(model.name for model in models), {side: pl.DataFrame(found) for side, found in frames.items()})
