"""`reward_model.diversity`: what several reward models share, which no combination of them takes out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Estimate, Finding
from dehusk.core.kinds import Feature, probes
from dehusk.core.messages import say
from dehusk.core.tables import Measures, Pairs, Scores
from dehusk.probes.data.contrast import estimate
from dehusk.probes.policy.comparison import false_discovery
from dehusk.probes.reward_model.association import UNIT, regressors
from dehusk.stats.diversity import Diversity, diversity

_METHOD = "mean over pairs of models, clustered by prompt"
_SLOPE = "regression with the label held, clustered by prompt"


@probes.add("reward_model.diversity")
def diverse(pairs: Pairs, measures: Measures, scores: Scores, *, q: float = 0.05) -> Iterator[Finding]:
    """What several reward models get wrong together, and which features all of them pay for.

    An ensemble takes out only what its members do not share: errors that come apart, and a price on a feature whose
    sign varies from member to member (arXiv 2312.09244). A feature is *shared* where every model pays for it in the
    same direction, the label held (intersection-union test), and *opposed* where one pays for what another punishes.

    Args:
        pairs: The preference pairs.
        measures: Features of both sides.
        scores: Scores of both sides by at least two models.
        q: False-discovery rate, held apart for declared and for mined features and for both questions.

    Raises:
        NotEnoughData: one model only, fewer than 20 scored prompts, or a model that scores all pairs alike.
    """
    if len(scores.models) < 2:
        raise NotEnoughData(f"at least 2 reward models, got {len(scores.models)}")
    margins = np.stack([scores.of("chosen", name) - scores.of("rejected", name) for name in scores.models])
    rows = np.flatnonzero(np.isfinite(margins).all(axis=0))
    features = list(measures.on("chosen"))
    found = diversity(margins[:, rows], regressors(measures, features, rows), pairs.groups[rows])
    yield from _overall(found, scores)
    tested = np.isfinite(found.together.value)
    p = {"shared": found.shared_p, "varies": found.opposed_p}
    rates = {
        way: np.minimum(1.0, 2 * np.asarray(false_discovery(np.where(tested, value, np.nan).tolist(), features)))
        for way, value in p.items()
    }
    for k in np.flatnonzero(tested).tolist():
        way = min(rates, key=lambda name: float(rates[name][k]))
        told = _feature(features[k], found, k, way, float(rates[way][k]), q, scores)
        if told is not None:
            yield told


def _overall(found: Diversity, scores: Scores) -> Iterator[Finding]:
    """Correlation of the errors and of the margins; none where no two models err."""
    readings = {
        name: Estimate(mean.value, mean.low, mean.high, mean.n, "correlation", _METHOD, mean.p)
        for name, mean in (("errors", found.errors.mean), ("margins", found.margins.mean))
        if mean is not None
    }
    main = readings.get("errors", readings.get("margins"))
    if main is None:
        return
    key = "errors" if "errors" in readings else "margins"
    yield Finding(
        probe="reward_model.diversity",
        stage="reward_model",
        estimate=main,
        verdict="inform",
        sentence=say(
            f"reward_model.diversity_{key}",
            models=", ".join(scores.models),
            value=main.value,
            low=main.low,
            high=main.high,
            margins=readings["margins"].value if "margins" in readings else main.value,
            count=len(scores.models),
        ),
        details={**readings, "accuracy": dict(zip(scores.models, found.accuracy.tolist(), strict=True))},
    )


def _feature(
    feature: Feature, found: Diversity, k: int, way: str, rate: float, q: float, scores: Scores
) -> Finding | None:
    together = estimate(found.together, k, UNIT, _SLOPE)
    each = {name: estimate(slopes, k, UNIT, _SLOPE) for name, slopes in zip(scores.models, found.slopes, strict=True)}
    if together is None or None in each.values():
        return None
    sure = rate <= q
    key: Literal["shared_pay", "shared_punish", "varies", "unsure"] = (
        "unsure"
        if not sure
        else "varies"
        if way == "varies"
        else "shared_pay"
        if together.value > 0
        else "shared_punish"
    )
    lowest, highest = (pick(one.value for one in each.values() if one is not None) for pick in (min, max))
    return Finding(
        probe="reward_model.diversity",
        stage="reward_model",
        feature=feature.name,
        family=feature.family,
        estimate=together,
        q=rate,
        verdict="inform" if sure else "pass",
        sentence=say(
            f"reward_model.diversity_{key}",
            feature=feature.name,
            count=len(scores.models),
            value=together.value,
            low=together.low,
            high=together.high,
            lowest=lowest,
            highest=highest,
            share=float(found.agreement[k]),
        ),
        details={**each, "agreement": float(found.agreement[k])},
    )
