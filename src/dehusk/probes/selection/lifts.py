"""What a pick from a pool does to features: the change, the part that length explains, and how both are said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from dehusk.core.findings import Curve, Estimate
from dehusk.core.messages import Text, say
from dehusk.core.tables import Floats
from dehusk.probes.policy.amplification import Growth
from dehusk.probes.policy.comparison import Change, Reading, shown
from dehusk.probes.selection.pools import Block, Pool
from dehusk.stats.selection import Band, band, beyond_controls, exchange_p, redrawn

METHOD = "bootstrap over prompts"
BEYOND = "bootstrap over prompts, a spline of length held within prompts"


class Picked(NamedTuple):
    """What a pick gives of k readings on p prompts."""

    weights: Floats  # (p, N)
    level: Floats  # (k,)
    drawn: Floats  # (b, k), the level in each resample of the prompts
    doubt: Floats  # (k,), how far the level may yet be from the truth, signed; intervals reach that far


def widened(found: Band, doubt: Floats) -> Band:
    """A band that also holds what the doubt allows."""
    return Band(found.value, found.low + np.minimum(doubt, 0), found.high + np.maximum(doubt, 0))


def changes(pool: Pool, block: Block, reads: Sequence[Reading], picked: Picked, draws: Floats) -> Iterator[Change]:
    """The picked answers against those of the pool, one change a reading of the block; `draws` is of shape (b, p)."""
    means = np.nanmean(block.values, axis=1)
    before, base = means.mean(axis=0), redrawn(means, draws)
    moved, drawn = (_settled(level, start) for level, start in ((picked.level, before), (picked.drawn, base)))
    raw = widened(band(moved, drawn), picked.doubt)
    beyond = beyond_controls(picked.weights, block.values, pool.length_terms[block.prompts], draws)
    beyond = widened(beyond, picked.doubt)
    p = exchange_p(picked.weights, block.values)
    odds, ratios = _log_scales(before, base, picked, len(means))
    n = len(means)
    for column, at in enumerate(block.positions):
        reading = reads[at]
        is_rate, is_length = reading.kind == "rate", reading.feature.family == "length"
        yield Change(
            before=float(before[column]),
            after=float(picked.level[column]),
            raw=estimate(raw, column, n, reading.unit, p=float(p[column])),
            matched=None if is_length else estimate(beyond, column, n, reading.unit, BEYOND),
            log_odds=estimate(odds, column, n, "log odds") if is_rate else None,
            log_odds_matched=None,
            ratio_low=float(np.exp(ratios.low[column])) if is_rate else None,
            overlap={},
            left_out=pool.left_out,
        )


def _settled(level: Floats, start: Floats) -> Floats:
    """The difference of two levels, 0 where it is what rounding leaves of equal ones."""
    difference = level - start
    return np.where(np.abs(difference) > 1e-12 * np.abs(start), difference, 0.0)


def _log_scales(before: Floats, base: Floats, picked: Picked, prompts: int) -> tuple[Band, Band]:
    """Changes of log odds and of log rates, half a success and half a failure added (Haldane, 1956)."""

    def rate(level: Floats) -> Floats:
        return (prompts * np.clip(level, 0, 1) + 0.5) / (prompts + 1)

    def odds(level: Floats) -> Floats:
        share = rate(level)
        return np.log(share) - np.log1p(-share)

    found = []
    for scale in (odds, lambda level: np.log(rate(level))):
        doubt = scale(picked.level + picked.doubt) - scale(picked.level)
        moved = band(scale(picked.level) - scale(before), scale(picked.drawn) - scale(base))
        found.append(widened(moved, doubt))
    return found[0], found[1]


def estimate(found: Band, column: int, n: int, unit: str, method: str = METHOD, p: float | None = None) -> Estimate:
    """One column of a band as an `Estimate` on n prompts."""
    value, low, high = (float(part[column]) for part in found)
    return Estimate(value, low, high, n, unit, method, p)


def sentence(area: str, growth: Growth, **told: Any) -> Text:
    """What happened to the feature, in words of the catalogue of `area`; `told` is what its sentences mention."""
    reading, change = growth.reads[0], growth.change
    told |= {"feature": reading.feature.name}
    told |= {"before": shown(change.before, reading.kind), "after": shown(change.after, reading.kind)}
    if not growth.moved:
        return say(f"{area}.steady_{reading.kind}", **told)
    way = "rose" if change.raw.value > 0 else "fell"
    if change.matched is None:
        return say(f"{area}.{way}_length", **told)
    unit = 100 if reading.kind == "rate" else 1  # points of a percentage
    numbers = {
        "raw": unit * change.raw.value,
        "beyond": unit * change.matched.value,
        "low": unit * change.matched.low,
        "high": unit * change.matched.high,
    }
    held = "beyond_length" if change.outgrows_length else "with_length"
    return say(f"{area}.{way}_{reading.kind}", **told, length=say(f"selection.{held}_{reading.kind}", **numbers))


def curve(name: str, axis: str, unit: str, x: tuple[float, ...], bands: Band, column: int) -> Curve:
    """One column of bands of shape (c, k) along c points of an axis."""
    value, low, high = (tuple(float(number) for number in part[:, column]) for part in bands)
    return Curve(name, axis, unit, x, value, low, high)
