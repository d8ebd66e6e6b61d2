"""What else an edit moves: every other declared feature, measured before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from dehusk.core.kinds import Feature
from dehusk.core.tables import Floats, Measures
from dehusk.probes.reward_model.trials import Treatment

LOOKED_AT = 40  # edited answers a treatment that are measured: enough to name what moves
SHOWN = 5
SMALLEST = 0.05  # of a standard deviation of the feature among the answers


class Moved(NamedTuple):
    """Mean change a dose of the treatment's own feature, None where it is not measured here, and of others."""

    own: float | None
    others: tuple[dict[str, Any], ...]  # records of `features` (a name) and `change`, what moves most first


def side_effects(
    base: pl.DataFrame, tried: pl.DataFrame, treatments: Sequence[Treatment], measures: Measures
) -> dict[int, Moved]:
    """What each treatment changes, by its number: a dose of counts and shares, any dose of what is there or not.

    Args:
        base: Columns prompt and text.
        tried: Columns treatment, base, dose, text.
        treatments: What the numbers mean.
        measures: Its declared features are measured again.

    Returns:
        By number; the others are those that move most against how much they vary between answers.
    """
    features = [feature for feature in measures.on("chosen") if not feature.mined]
    some = tried.group_by("treatment", maintain_order=True).head(LOOKED_AT)
    before = _measured(base.select("prompt", "text"), features)
    after = _measured(some.select(base["prompt"].gather(some["base"]), "text"), features)
    counted = np.array([feature.unit != "presence" for feature in features])  # an answer has those once at any dose
    change = (after - before[some["base"].to_numpy()]) / np.where(counted, some["dose"].to_numpy()[:, None], 1)
    spread = np.maximum(before.std(axis=0), 1e-3) if len(before) else np.ones(len(features))
    numbers = some["treatment"].to_numpy()
    return {
        int(number): _told(change[numbers == number].mean(axis=0), spread, features, treatments[number])
        for number in np.unique(numbers)
    }


def _measured(texts: pl.DataFrame, features: Sequence[Feature]) -> Floats:
    columns = [
        feature.measure(pl.col("prompt"), pl.col("text")).cast(pl.Float64).alias(feature.name) for feature in features
    ]
    return texts.lazy().select(columns).collect(engine="streaming").to_numpy() if columns else np.empty((len(texts), 0))


def _told(change: Floats, spread: Floats, features: Sequence[Feature], treatment: Treatment) -> Moved:
    own = next((float(change[k]) for k, feature in enumerate(features) if feature is treatment.feature), None)
    meant = [feature.lang in ("any", treatment.lang) for feature in features]
    size = np.where(meant, np.abs(change) / spread, 0.0)
    order = [k for k in np.argsort(-size).tolist() if size[k] >= SMALLEST and features[k] is not treatment.feature]
    return Moved(own, tuple({"features": features[k].name, "change": float(change[k])} for k in order[:SHOWN]))
