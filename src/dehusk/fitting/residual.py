"""`residual:`, a reward model less what can be predicted of its scores from surface features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dehusk.core.errors import InputError
from dehusk.core.kinds import Feature, RewardModel, adjustments, reward_models, scores_new_texts
from dehusk.core.options import Scoring
from dehusk.core.run import versions
from dehusk.core.tables import Floats, Ints, Responses
from dehusk.features.intents import meant
from dehusk.features.measuring import declared, measure
from dehusk.rewards.nesting import identity_of, portable, read_config, write_config
from dehusk.stats.additive import Curves, fit_curves

FORMAT = 1
FILE = "residual.json"


@adjustments.add("residualise", of="features")
def residualise(scores: Floats, features: Floats, prompts: Ints, **options: Any) -> Curves:
    """Takes out of the scores what curves of the features predict of them within prompts (LWR, arXiv 2409.17407).

    Natural cubic splines stand where the source has LOWESS, so that several features can be taken out at once. The
    source fits on the texts that it then looks at; here they must be others, and nothing is extrapolated. What a
    feature shares with quality is taken out with it unless the label is `held`, and under best-of-n the pressure was
    seen to come back (arXiv 2605.27996): certify the result, and fit anew when the policy has moved.

    Args:
        scores: Shape (n,).
        features: Shape (n, k), NaN where one is not known.
        prompts: Shape (n,).
        options: Of `stats.additive.fit_curves`: held, knots, ridge, fewest.

    Returns:
        The curves; `scores − strength · curves.values(features)` is the adjusted reward.

    Raises:
        NotEnoughData: fewer than 500 answers, or a feature that does not vary.
    """
    return fit_curves(features, scores, prompts, **options)


@dataclass(frozen=True)
class Correction:
    """What is taken off a score."""

    features: tuple[Feature, ...]  # k of them
    curves: Curves
    strength: float = 1.0  # share of the curves that is taken off

    def __post_init__(self) -> None:
        """Check that there is a curve a feature.

        Raises:
            InputError: there is not, or knots and coefficients do not fit.
        """
        sizes = zip(self.curves.knots, self.curves.coefficients, self.curves.centres, strict=False)
        parts = {len(self.features), *(len(part) for part in vars(self.curves).values())}
        if len(parts) != 1 or any(len(at) < 2 or len(at) != c.size + 1 or c.shape != m.shape for at, c, m in sizes):
            raise InputError("features and curves that do not fit", expected="knots, range and coefficients of each")

    def of(self, prompts: Sequence[str], responses: Sequence[str]) -> Floats:
        """What is taken off the scores of n answers, shape (n,)."""
        return self.strength * self.curves.values(features_of(self.features, prompts, responses))


class Residual:
    """A reward model less a correction."""

    def __init__(self, name: str, inner: RewardModel, correction: Correction) -> None:
        """Put a correction around a model."""
        self.name, self.inner, self.correction = name, inner, correction
        self.closed = not scores_new_texts(inner)
        self.texts_a_call: int | None = 2048
        self.identity = identity_of(
            "residual", [_plain(correction), versions()["dehusk"]], [inner]
        )  # features change too
        self.notes: tuple[str, ...] = tuple(getattr(getattr(inner, "model", inner), "notes", ()))

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> Floats:
        """Scores of n answers, shape (n,).

        Raises:
            BackendError: the model did not answer.
        """
        raw: Floats = np.asarray(self.inner.score(prompts, responses), dtype=np.float64)
        return raw - self.correction.of(prompts, responses)


def features_of(features: Sequence[Feature], prompts: Sequence[str], responses: Sequence[str]) -> Floats:
    """Features of answers that are in no table, shape (n, k)."""
    n = len(responses)
    frame = pl.DataFrame(
        {"prompt": list(prompts), "response": list(responses)}, schema=dict.fromkeys(("prompt", "response"), pl.String)
    ).with_columns(
        row=pl.int_range(n, dtype=pl.Int64),
        response_id=pl.int_range(n).cast(pl.String),
        stage=pl.lit("asked"),
        group=pl.col("prompt"),
    )
    if not n:
        return np.empty((0, len(features)))
    measures = measure(features, responses=Responses(frame))
    return np.stack([measures.all_values("response", feature.name) for feature in features], axis=1)


@reward_models.add("residual")
def open_residual(name: str | None, where: str, options: Scoring) -> Residual:
    """A folder with a residual.json: a reward model, and the curves of surface features to take off its scores.

    `dehusk adjust --method residualise` writes one.

    Raises:
        InputError: no such file, an unknown feature, or a model that cannot be opened.
    """
    parts = ("inner", "features", "knots", "low", "high", "centres", "coefficients")
    nest = read_config(where, FILE, FORMAT, parts)
    folder, content = nest.folder, nest.content
    try:
        lists = (tuple(map(_floats, content[part])) for part in ("knots", "centres", "coefficients"))
        knots, centres, coefficients = lists
        curves = Curves(knots, _floats(content["low"]), _floats(content["high"]), centres, coefficients)
        correction = Correction(_named(content["features"]), curves, float(content.get("strength", 1.0)))
    except (TypeError, ValueError) as error:
        raise InputError(f"not a residual model: {error}", where=str(folder / FILE)) from None
    return Residual(name or folder.resolve().name, nest.open(str(content["inner"]), options), correction)


def save_residual(folder: str | Path, inner: str, correction: Correction) -> None:
    """Write a correction of a model, given as `[NAME=]KIND:WHERE`, to a folder, which `residual:FOLDER` opens.

    Raises:
        InputError: the folder cannot be written.
    """
    write_config(folder, FILE, {"format": FORMAT, "inner": portable(inner, folder), **_plain(correction)})


def _plain(correction: Correction) -> dict[str, Any]:
    curves = {
        name: part.tolist() if isinstance(part, np.ndarray) else [one.tolist() for one in part]
        for name, part in vars(correction.curves).items()
    }
    names = [feature.name for feature in correction.features]
    return {"features": names, "strength": correction.strength, **curves}


def _floats(values: Any) -> Floats:
    return np.array(values, dtype=np.float64)


def _named(names: Sequence[str]) -> tuple[Feature, ...]:
    """Features by name, in order; “…” is a phrase.

    Raises:
        UnknownName: no such feature.
    """
    found = meant(names, {feature.name: feature for feature in declared()}, FILE)
    if [feature.name for feature in found] != list(names):
        raise InputError("names that are not those of single features", where=FILE)
    return tuple(found)
