"""Excess and growth of pressure, with bounds that hold at once; see the definitions in `dehusk.certification`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dehusk.certification.contest import Drawn, Pressures
from dehusk.core.tables import Floats, Ints
from dehusk.stats.multiplicity import Together, together

_POWER = 0.8
VALUE, LOW, HIGH = range(3)  # first axis of a band


def lowest(*parts: Floats) -> Floats:
    """Minimum of bands: value by value, low by low, high by high."""
    found: Floats = np.minimum.reduce(np.broadcast_arrays(*parts))
    return found


def highest(*parts: Floats) -> Floats:
    """Maximum of bands."""
    found: Floats = np.maximum.reduce(np.broadcast_arrays(*parts))
    return found


def turned(part: Floats) -> Floats:
    """A band with its sign changed.

    >>> turned(np.array([1.0, 0.0, 3.0])).tolist()
    [-1.0, -3.0, -0.0]
    """
    found: Floats = -part[[VALUE, HIGH, LOW]]
    return found


@dataclass(frozen=True, eq=False)
class Bands:
    """Bands, shape (3, c, k), of some features under c selections: value, low, high."""

    before: Floats
    after: Floats
    change: Floats
    gold: Floats | None
    above_before: Floats  # over the upper end of the span from 0 to gold's own
    below_before: Floats  # under its lower end
    above_after: Floats
    below_after: Floats
    growth: Floats
    furthest: Floats  # (c, k), upper bound of the excess after, for each feature and selection alone
    needed: Floats  # (c, k), growth that is found with 80 % probability when there is no margin


def bands(found: Pressures, columns: Ints, *, level: float) -> Bands:
    """Bands of some features, all at once.

    Args:
        found: Pressures of all features.
        columns: Which of them, at least one.
        level: Joint coverage.
    """
    none = Drawn(np.zeros(1), np.zeros((1, 1)))
    o, w = (Drawn(one.value[:, columns], one.drawn[:, :, columns]) for one in (found.before, found.after))
    g = none if found.gold is None else Drawn(found.gold.value[:, columns], found.gold.drawn[:, :, columns])
    parts = {"o": o, "w": w, "d": _sum((1, w), (-1, o)), "s": _sum((1, w), (1, o), (-1, g))}
    if found.gold is not None:
        parts |= {"og": _sum((1, o), (-1, g)), "wg": _sum((1, w), (-1, g)), "g": g}
    whole = together(
        np.stack([one.value for one in parts.values()]),
        np.stack([one.drawn for one in parts.values()], axis=1),
        found.clusters,
        level=level,
    )
    at = {name: np.stack([whole.value[i], whole.low[i], whole.high[i]]) for i, name in enumerate(parts)}
    o_, w_, d, s = at["o"], at["w"], at["d"], at["s"]
    og, wg = at.get("og", o_), at.get("wg", w_)
    above = lowest(o_, og), lowest(w_, wg)
    below = turned(highest(o_, og)), turned(highest(w_, wg))
    zero = np.zeros(3)[:, None, None]
    growth = highest(
        lowest(above[1], d, s),
        lowest(below[1], turned(d), turned(s)),
        lowest(zero, turned(above[0]), turned(below[0])),
    )
    errors = dict(zip(parts, whole.error, strict=True))
    alone = [
        np.stack([at[name][VALUE], *(at[name][VALUE] + sign * whole.single * errors[name] for sign in (-1, 1))])
        for name in ("w", "wg" if "wg" in errors else "w")
    ]
    furthest = highest(lowest(*alone), turned(highest(*alone)))[HIGH]
    needed = _needed(whole, parts, above[0][VALUE], below[0][VALUE])
    return Bands(o_, w_, d, at.get("g"), above[0], below[0], above[1], below[1], growth, furthest, needed)


def _sum(*parts: tuple[int, Drawn]) -> Drawn:
    return Drawn(sum(sign * one.value for sign, one in parts), sum(sign * one.drawn for sign, one in parts))  # type: ignore[arg-type]


def _needed(whole: Together, parts: dict[str, Drawn], above: Floats, below: Floats) -> Floats:
    """Growth that all of its contrasts would show with 80 % probability, on the side where the feature is, (c, k).

    Growth by x upwards puts (after − upper end) at x + excess, (after − before) at x + excess − (before − upper end)
    and the sum over both ends at x + excess + (before − lower end): what they exceed x by, they need not be given. The
    resamples are the law of their errors, all together.
    """
    excess = np.maximum(0.0, np.maximum(above, below))
    near, far = np.maximum(above, below) - excess, np.minimum(above, below) - excess
    short = np.full(next(iter(parts.values())).drawn.shape, -np.inf)
    for name, start in (("w", -excess), ("wg", -excess), ("d", near), ("s", far)):
        if name in parts:
            error = whole.error[list(parts).index(name)]
            short = np.maximum(short, start + whole.critical * error - (parts[name].drawn - parts[name].value))
    found: Floats = np.quantile(short, _POWER, axis=0)
    return found
