"""`data.ceiling`: how accurate a reward model can be at all on labels like these."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Estimate, Finding
from dehusk.core.kinds import probes
from dehusk.core.messages import say
from dehusk.core.tables import Pairs
from dehusk.probes.data.votes import from_repeats, from_votes
from dehusk.stats.ranking import mean_shares

FEWEST = 20  # comparisons judged more than once


@probes.add("data.ceiling")
def ceiling(pairs: Pairs) -> Iterator[Finding]:
    """The accuracy no reward model can beat on such labels, from comparisons that were judged more than once.

    Two labellers who agree with chance a leave at most (1 + sqrt(2a − 1)) / 2 for any predictor of a third label; that
    bound is reached when all comparisons are equally hard. The least it can be is a itself.

    Args:
        pairs: The preference pairs, votes or repeats among them.

    Raises:
        NotEnoughData: with fewer than 20 comparisons judged twice.
    """
    for source, found in (("votes", from_votes(pairs)), ("repeats", from_repeats(pairs))):
        if found is None or found.first.size < FEWEST:
            continue
        effects = mean_shares(1 - found.disagreement()[:, None], found.clusters)
        share, least, most = (float(array[0]) for array in effects[:3])
        if not share > 0.5:
            raise NotEnoughData(
                f"repeated comparisons that agree more often than not, these agree in {share:.0%}: "
                "agreeing repeats were probably removed"
            )
        prompts = int(effects.n[0])
        value, low, high = _ceiling(share), _ceiling(least), _ceiling(most)
        agreement = Estimate(share, least, most, prompts, "share", "Wilson interval, clustered by prompt")
        yield Finding(
            probe="data.ceiling",
            stage="data",
            sentence=say(
                f"data.ceiling.{source}",
                ceiling=value,
                low=low,
                high=high,
                agreement=share,
                comparisons=int(found.first.size),
            ),
            verdict="inform",
            estimate=Estimate(value, low, high, prompts, "accuracy", "bound from the agreement of two labellers"),
            details={
                "agreement": agreement,
                "least": max(0.5, share),
                "comparisons": int(found.first.size),
                "judgements": int(np.sum(found.total)),
            },
        )
        return
    raise NotEnoughData(
        f"at least {FEWEST} comparisons judged more than once: a column votes, or the same two answers in several rows"
    )


def _ceiling(agreement: float) -> float:
    return (1 + math.sqrt(max(0.0, 2 * agreement - 1))) / 2
