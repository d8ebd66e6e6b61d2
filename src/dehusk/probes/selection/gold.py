"""The score that picks, and a second one that should rise with it: how far they go together (arXiv 2210.10760)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Curve, Estimate, Finding, Verdict
from dehusk.core.messages import Text, say
from dehusk.core.tables import Floats, Ints
from dehusk.probes.policy.comparison import LEAST_PROMPTS
from dehusk.probes.selection.lifts import METHOD, estimate
from dehusk.probes.selection.pools import Pool
from dehusk.stats.selection import Band, band, best_of_nats, best_of_weights, deviation, redrawn
from dehusk.stats.stratified import bootstrap_weights

_MOST = 64  # sizes of n at which the peak is looked for


class _Rise(NamedTuple):
    """What picking by the score adds to a value, in its standard deviations within prompts, at sizes n (c,)."""

    sizes: Ints
    band: Band  # (c,)
    drawn: Floats  # (b, c)
    prompts: int

    def curve(self, name: str) -> Curve:
        """The rise as a curve."""
        x, value, low, high = (tuple(map(float, part)) for part in (self.sizes, *self.band))
        return Curve(name, "n", "SD", x, value, low, high)

    def over(self, start: int, *, p: float | None = None) -> Estimate:
        """The last size against size number `start`."""
        found = band(self.band.value[-1:] - self.band.value[start], self.drawn[:, -1:] - self.drawn[:, [start]])
        return estimate(found, 0, self.prompts, "SD", METHOD, p)


def proxy_finding(pool: Pool, rng: np.random.Generator) -> Finding:
    """How much the picking score gains, for scale.

    Raises:
        NotEnoughData: when no two answers to a prompt differ in score.
    """
    rise = _rise(pool, pool.scores, rng)
    gain = rise.over(0)
    nats = best_of_nats(pool.least)
    return Finding(
        probe="selection.best_of_n",
        stage="selection",
        sentence=say(
            "selection.proxy",
            model=pool.model,
            stage=pool.stage,
            n=pool.least,
            value=gain.value,
            nats=nats,
            prompts=gain.n,
        ),
        verdict="pass",
        estimate=gain,
        details={
            "n": pool.least,
            "nats": nats,
            "left_out": pool.left_out,
            "curves": (rise.curve("proxy"),),
        },
    )


def gold_finding(pool: Pool, gold: Floats, rng: np.random.Generator, *, alpha: float) -> Finding:
    """Whether a second score goes on rising with n, and where it turns.

    That the last n lies below the best one is true of most noisy curves; it is beyond chance if the deepest fall, in
    standard errors, is deeper than that of a flat curve with the same noise (max-t over the resamples).

    Args:
        pool: Scored answers.
        gold: The second score of all responses, shape (n,), NaN where it is missing.
        rng: For the draws.
        alpha: Level of the test.

    Raises:
        NotEnoughData: fewer than ten prompts have it on all of their answers, or it never differs.
    """
    values = pool.spread(gold)
    whole = (np.isfinite(values) | (pool.rows < 0)).all(axis=1)
    if whole.sum() < LEAST_PROMPTS:
        raise NotEnoughData(f"at least {LEAST_PROMPTS} prompts with a gold score of every answer, got {whole.sum()}")
    own, proxy = _rise(pool, values, rng, whole), _rise(pool, pool.scores, rng, whole)
    peak = int(own.band.value.argmax())
    low, high = np.quantile(own.sizes[own.drawn.argmax(axis=1)], [0.025, 0.975], method="nearest")
    fall, gain = own.over(peak, p=_fall_p(own)), own.over(0)
    turned = fall.p is not None and fall.p <= alpha and peak < own.sizes.size - 1
    way = ("worse" if gain.high < 0 else "turns") if turned else "rises" if gain.low > 0 else "flat"
    verdicts: dict[str, Verdict] = {"worse": "fail", "turns": "warn", "rises": "pass", "flat": "inform"}
    details: dict[str, Any] = {
        "peak": {
            "n": int(own.sizes[peak]),
            "low": int(low),
            "high": int(high),
            "nats": best_of_nats(int(own.sizes[peak])),
        },
        "after_peak": fall,
        "curves": (proxy.curve("proxy"), own.curve("gold")),
    }
    told = {"model": pool.model, "n": pool.least, "peak": int(own.sizes[peak]), "low": int(low), "high": int(high)}
    return Finding(
        probe="selection.best_of_n",
        stage="selection",
        sentence=say(f"selection.gold_{way}", **told, gain=gain.value, fall=fall.value, proxy=proxy.over(0).value),
        verdict=verdicts[way],
        estimate=gain,
        remedy=_remedy(int(own.sizes[peak])) if turned else None,
        details=details,
    )


def _remedy(peak: int) -> Text:
    return say("selection.remedy_gold", n=peak) if peak > 1 else say("selection.remedy_worse")


def _rise(pool: Pool, values: Floats, rng: np.random.Generator, whole: Any = slice(None)) -> _Rise:
    """The gain of some prompts' values (P, N) at up to 64 sizes, by all draws of the pool at once."""
    scores, values = pool.scores[whole], values[whole]
    sizes = np.unique(np.geomspace(1, pool.least, _MOST).round()).astype(np.int64)
    weights = best_of_weights(scores, sizes.tolist())
    levels = (weights @ np.nan_to_num(values)[..., None])[..., 0] / deviation(values)
    levels -= levels[:, :1]
    drawn = redrawn(levels, bootstrap_weights(len(levels), rng))
    return _Rise(sizes, band(levels.mean(axis=0), drawn), drawn, len(levels))


def _fall_p(rise: _Rise) -> float:
    """Chance that a curve that does not fall would end as far below one of its points as this one does."""
    value, drawn = rise.band.value, rise.drawn
    falls, noise = value[-1] - value[:-1], drawn[:, -1:] - drawn[:, :-1]
    error = noise.std(axis=0)
    real = error > 0
    if not real.any():
        return 1.0
    deepest = (falls[real] / error[real]).min()
    by_chance = ((noise[:, real] - falls[real]) / error[real]).min(axis=1)
    return float((1 + (by_chance <= deepest).sum()) / (1 + len(drawn)))
