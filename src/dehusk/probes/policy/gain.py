"""What the reward gain between two stages is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Estimate, Finding
from dehusk.core.kinds import Feature, probes
from dehusk.core.messages import Text, say
from dehusk.core.tables import Bools, Floats, Ints, Measures, Responses
from dehusk.probes.policy.comparison import LEAST_PROMPTS, false_discovery, readings, words
from dehusk.stats.matching import equal_count_strata
from dehusk.stats.stratified import Gain, Interval, bootstrap_weights, stratified_gain

_SCREENING = 200  # draws that decide which features are told; those get all draws for their intervals
_SAFE_COVERAGE = 0.9  # methods sheet: below this the buckets no longer speak for the answers


class _Scored(NamedTuple):
    """Scored answers of the first and the last scored stage, on the prompts that have both."""

    rows: Ints  # (n,) rows of the responses
    later: Bools  # (n,)
    prompts: Ints  # (n,) 0 … g−1
    rewards: Floats  # (n,)
    draws: Floats  # (b, g)
    stages: tuple[str, str]

    def split(self, buckets: Floats, draws: int | None = None) -> Gain:
        """Split the gain by buckets (n,); answers whose bucket is NaN are left out, from the total too."""
        kept = ~np.isnan(buckets)
        sides = self.later[kept], self.prompts[kept], buckets[kept].astype(np.int64)
        return stratified_gain(self.rewards[kept], *sides, self.draws[:draws])

    def alike(self, measures: Measures, feature: Feature) -> Floats:
        """Buckets of answers alike in a feature, at most ten, NaN where it must not be tested, shape (n,)."""
        values = measures.values("response", feature.name)[self.rows]
        tested = ~np.isnan(values)
        if tested.any():
            values[tested] = equal_count_strata(values[tested], size=max(1, int(tested.sum()) // 10), most=10)
        return values


@probes.add("policy.gain")
def gain(
    responses: Responses, measures: Measures, rng: np.random.Generator, *, bucket: int = 20, q: float = 0.05
) -> Iterator[Finding]:
    """How much of the reward gain between scored stages comes with a change of length, or of any other feature.

    The gain between answers of equal length (buckets of 20 words) is the non-length reward gain of arXiv 2310.03716;
    the rest was gained by moving between lengths. Every other feature is split the same way and reported when its share
    is beyond chance. Intervals draw prompts again.

    Args:
        responses: Answers with a `score`, of at least two stages.
        measures: Features of the answers.
        rng: For the draws.
        bucket: Width of a length bucket in words (Chinese and Japanese characters count as words).
        q: False-discovery rate over features.

    Raises:
        NotEnoughData: without scores at two stages on ten shared prompts, or without answers of equal length.
    """
    scored = _scored(responses, rng)
    count = responses.frame.select(words(pl.col("response")).list.len().cast(pl.Float64)).to_series().to_numpy()
    lengths = count[scored.rows]
    by_length = scored.split(lengths // bucket)
    yield _length_finding(by_length, _prompt_matched(scored, lengths, bucket), scored)
    if by_length.total[1] <= 0 <= by_length.total[2]:
        return
    yield from _feature_findings(responses, measures, scored, q)


def _scored(responses: Responses, rng: np.random.Generator) -> _Scored:
    frame = responses.frame
    if "score" not in frame.columns:
        raise NotEnoughData("a score with the answers of at least 2 stages")
    has = frame["score"].is_not_null().to_numpy() & frame["score"].fill_null(float("nan")).is_finite().to_numpy()
    stage = frame["stage"].to_numpy()
    scored = [name for name in responses.stages if has[stage == name].any()]
    if len(scored) < 2:
        raise NotEnoughData(f"a score with the answers of at least 2 stages, got {len(scored)}")
    sides = [has & (stage == name) for name in (scored[0], scored[-1])]
    shared = np.intersect1d(*(responses.groups[side] for side in sides))
    if shared.size < LEAST_PROMPTS:
        raise NotEnoughData(f"at least {LEAST_PROMPTS} prompts with scored answers at both stages, got {shared.size}")
    rows = np.flatnonzero((sides[0] | sides[1]) & np.isin(responses.groups, shared))
    return _Scored(
        rows=rows,
        later=sides[1][rows],
        prompts=np.searchsorted(shared, responses.groups[rows]),
        rewards=frame["score"].to_numpy()[rows],
        draws=bootstrap_weights(shared.size, rng),
        stages=(scored[0], scored[-1]),
    )


def _prompt_matched(scored: _Scored, lengths: Floats, bucket: int) -> Gain | None:
    """The length split within prompts: buckets of the difference to the prompt's own mean length.

    The mean is over both stages. A mean of a few answers is noisy, and the noise of one stage's mean would leave a part
    of what length explains (a fifth of it with four answers) in the gain at equal length; noise that both stages share
    cancels. None unless most prompts have two answers at both stages.
    """
    count = np.bincount(2 * scored.prompts + scored.later).reshape(-1, 2)
    if np.mean(count.min(axis=1) >= 2) < 0.5:
        return None
    mean = np.bincount(scored.prompts, lengths) / count.sum(axis=1)
    try:
        return scored.split((lengths - mean[scored.prompts]) // bucket)
    except NotEnoughData:
        return None


def _length_finding(by_length: Gain, prompt_matched: Gain | None, scored: _Scored) -> Finding:
    details = _parts(by_length)
    if prompt_matched is not None:
        details["prompt_matched"] = _parts(prompt_matched) | {"share": _share(prompt_matched)}
    earlier, later = scored.stages
    total, low, high = by_length.total
    rose = low > 0
    share, share_low, share_high = by_length.moved_share
    sentence = say("policy.gain_none", earlier=earlier, later=later, total=total, low=low, high=high)
    if rose or high < 0:
        sentence = say(
            "policy.gain_length",
            earlier=earlier,
            later=later,
            total=total,
            within=by_length.within[0],
            share=share,
            low=share_low,
            high=share_high,
            coverage=_coverage(by_length.coverage),
        )
    mostly_length = rose and share_low > 0.5
    return Finding(
        probe="policy.gain",
        stage="policy",
        sentence=sentence,
        verdict="warn" if mostly_length else "inform" if rose or high < 0 else "pass",
        estimate=_share(by_length),
        remedy=say("policy.remedy_gain") if mostly_length else None,
        details=details,
    )


def _feature_findings(responses: Responses, measures: Measures, scored: _Scored, alpha: float) -> Iterator[Finding]:
    """Features whose share of the gain is beyond chance; length has been told already."""
    features = [read[0].feature for read in readings(responses, measures) if read[0].feature.family != "length"]
    tested: list[tuple[Feature, float]] = []
    for feature in features:
        try:
            tested.append((feature, scored.split(scored.alike(measures, feature), _SCREENING).moved_p))
        except NotEnoughData:
            continue
    q = false_discovery([p for _, p in tested], [feature for feature, _ in tested])
    for at in np.flatnonzero(q <= alpha):
        feature = tested[at][0]
        part = scored.split(scored.alike(measures, feature))
        share, low, high = part.moved_share
        yield Finding(
            probe="policy.gain",
            stage="policy",
            feature=feature.name,
            family=feature.family,
            sentence=say(
                "policy.gain_feature",
                feature=feature.name,
                share=share,
                low=low,
                high=high,
                within=part.within[0],
                total=part.total[0],
                earlier=scored.stages[0],
                later=scored.stages[1],
            ),
            verdict="inform",
            estimate=_estimate(part.moved_share, part.n, "share of the gain", tested[at][1]),
            q=float(q[at]),
            details=_parts(part),
        )


def _share(split: Gain) -> Estimate:
    return _estimate(split.moved_share, split.n, "share of the gain", split.moved_p)


def _parts(split: Gain) -> dict[str, Any]:
    return {
        "total": _estimate(split.total, split.n, "reward"),
        "within": _estimate(split.within, split.n, "reward"),
        "ratio": 1 - split.moved_share[0],
        "coverage": split.coverage,
        "buckets": split.buckets,
    }


def _estimate(interval: Interval, n: int, unit: str, p: float | None = None) -> Estimate:
    return Estimate(*interval, n=n, unit=unit, method="bootstrap over prompts", p=p)


def _coverage(coverage: float) -> Text:
    return say(f"policy.coverage_{'good' if coverage >= _SAFE_COVERAGE else 'low'}", coverage=coverage)
