"""`selection.best_of_n`: what a policy says when the best of n of its answers is picked by a score."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from dehusk.core.findings import Curve, Finding
from dehusk.core.kinds import probes
from dehusk.core.messages import say
from dehusk.core.tables import Measures, Responses, Scores
from dehusk.probes.policy.amplification import Growth
from dehusk.probes.policy.comparison import Change, Reading, false_discovery, readings
from dehusk.probes.selection.gold import gold_finding, proxy_finding
from dehusk.probes.selection.lifts import Picked, changes, curve, sentence
from dehusk.probes.selection.pools import Pool, pool_of
from dehusk.stats.selection import band, best_of_nats, best_of_weights, redrawn, sizes
from dehusk.stats.stratified import bootstrap_weights

FEWEST = 2  # answers a prompt
_RESAMPLES = 1000


@probes.add("selection.best_of_n")
def best_of_n(
    responses: Responses, measures: Measures, scores: Scores, rng: np.random.Generator, *, q: float = 0.05
) -> Iterator[Finding]:
    """What picking the best of n answers by the reward model's score raises and lowers: every feature, and gold.

    Each prompt's answers of the last stage are the pool. The best of n = 1, 2, 4, … of them is computed over all draws
    at once, without redrawing; the curves of the score, of a second score that the model was not made from (`gold`)
    and of every feature have bands over prompts. The change from an average answer to the best of all is tested against
    scores that have nothing to do with the feature, raw and with the part that the length of the picked answers
    explains taken out. Best-of-n stays within log n − (n − 1)/n nats of the policy.

    Args:
        responses: Answers, several a prompt; `gold` is read where it is there.
        measures: Features of the answers.
        scores: Scores of the answers; the main model picks.
        rng: For the draws.
        q: False-discovery rate over features.

    Raises:
        NotEnoughData: without two scored answers to each of ten prompts, or with equal scores throughout; last of
            all, where there is a gold score but on too few prompts.
    """
    pool = pool_of(responses, scores, rng, last=True, fewest=FEWEST)
    yield proxy_finding(pool, rng)
    reads = [several[0] for several in readings(responses, measures)]
    found = _lifts(pool, reads, measures, rng)
    rates = false_discovery(
        [change.raw.p or 0.0 for _, change, _ in found], [reading.feature for reading, _, _ in found]
    )
    for (reading, change, drawn), rate in zip(found, rates, strict=True):
        yield _finding(pool, Growth((reading,), (change,), float(rate), q), drawn)
    if "gold" in responses.frame.columns:
        gold = responses.frame["gold"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        yield gold_finding(pool, gold, rng, alpha=q)


def _lifts(
    pool: Pool, reads: list[Reading], measures: Measures, rng: np.random.Generator
) -> list[tuple[Reading, Change, Curve]]:
    grid = sizes(pool.least)
    found: list[tuple[Reading, Change, Curve]] = []
    for block in pool.blocks(reads, measures, each=_RESAMPLES * len(grid)):
        draws = bootstrap_weights(block.prompts.size, rng, most=_RESAMPLES)
        weights = best_of_weights(pool.scores[block.prompts], grid)
        levels = weights @ np.nan_to_num(block.values)  # (p, c, k)
        drawn = redrawn(levels, draws)
        picked = Picked(weights[:, -1], levels[:, -1].mean(axis=0), drawn[:, -1], np.zeros(len(block.positions)))
        bands = band(levels.mean(axis=0), drawn)
        for column, (at, change) in enumerate(
            zip(block.positions, changes(pool, block, reads, picked, draws), strict=True)
        ):
            reading = reads[at]
            drawn_as = curve(reading.feature.name, "n", reading.unit, tuple(map(float, grid)), bands, column)
            found.append((reading, change, drawn_as))
    return found


def _finding(pool: Pool, growth: Growth, drawn: Curve) -> Finding:
    change, head = growth.change, growth.reads[0]
    details = {
        "reading": head.kind,
        "length_matched": change.matched,
        "log_odds": change.log_odds,
        "ratio_low": change.ratio_low,
        "n": pool.least,
        "nats": best_of_nats(pool.least),
        "model": pool.model,
        "left_out": pool.left_out,
        "curves": (drawn,),
    }
    return Finding(
        probe="selection.best_of_n",
        stage="selection",
        feature=head.feature.name,
        family=head.feature.family,
        estimate=change.raw,
        q=growth.q,
        verdict=growth.verdict,
        sentence=sentence("selection", growth, stage=pool.stage, n=pool.least, model=pool.model),
        remedy=say("selection.remedy_lift", feature=head.feature.name) if growth.verdict == "warn" else None,
        details={name: value for name, value in details.items() if value is not None},
    )
