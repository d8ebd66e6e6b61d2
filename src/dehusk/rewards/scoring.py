"""Scoring whole tables: every text of every side by every model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from dehusk.core.kinds import RewardModel
from dehusk.core.tables import Scores


def score_tables(
    models: Sequence[RewardModel],
    texts: Mapping[str, tuple[pl.Series, pl.Series]],
    watch: Callable[[str, int, int], None] = lambda *_: None,
) -> Scores:
    """Score every side with every model.

    Args:
        models: Earlier checkpoints first.
        texts: Side -> (prompts, answers), each of shape (n,).
        watch: Called before each side with "scoring", the sides done and the sides in all.

    Raises:
        BackendError: a model did not answer.
    """
    done, total = 0, len(models) * len(texts)
    frames: dict[str, dict[str, pl.Series]] = {side: {} for side in texts}
    for model in models:
        for side, (prompts, answers) in texts.items():
            watch("scoring", done, total)
            values = model.score(prompts.to_list(), answers.to_list())
            frames[side][model.name] = pl.Series(values, dtype=pl.Float64).fill_nan(None)
            done += 1
    return Scores(tuple(model.name for model in models), {side: pl.DataFrame(found) for side, found in frames.items()})
