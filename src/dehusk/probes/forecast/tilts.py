"""How far a pool of answers can be tilted towards its scores, and what that does to features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dehusk.core.tables import Bools, Floats
from dehusk.probes.selection.lifts import Picked, widened
from dehusk.probes.selection.pools import Block, Pool
from dehusk.stats.selection import Band, band, best_of_nats, best_of_weights, redrawn, resampled, sizes
from dehusk.stats.tilting import TOP, Tilt, at_nats, ladder

RESAMPLES = 1000
_DOUBT = 2.0  # how many steps of the correction the interval allows for what the correction missed
_AXIS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)


class Course(NamedTuple):
    """What k readings of a block do along t divergences."""

    picked: Picked  # at the divergence that is spoken of
    tilt: Band  # (t, k)
    best_of: Band  # (s, k), best-of-n at `sizes`
    equal: Band  # (k,), best-of-n that goes as far as is spoken of

    @property
    def level(self) -> Band:
        """The tilt at the divergence that is spoken of, shape (k,)."""
        return widened(band(self.picked.level, self.picked.drawn), self.picked.doubt)


@dataclass(frozen=True, eq=False)
class Tilts:
    """Tilts of one pool by growing strengths, as far as it can say, and a divergence to speak of."""

    pool: Pool
    strengths: Floats  # (c,), 1/β in units of the score, 0 first
    plain: Tilt
    first: Tilt
    second: Tilt
    reach: float  # nats
    nats: float  # that are spoken of: those asked for, or the reach

    @classmethod
    def of(cls, pool: Pool, asked: float) -> Tilts:
        """Tilt a pool until it can say no more.

        Args:
            pool: At least four answers a prompt.
            asked: Divergence wanted, in nats.

        Raises:
            NotEnoughData: when scores are equal within every prompt.
        """
        steps = ladder(pool.scores)
        return cls(pool, *steps, min(asked, steps.reach))

    @property
    def saturated(self) -> bool:
        """Whether the reach is the score's own: tilted without end, it still prefers many answers alike."""
        return bool(self.plain.top[-1] <= TOP)

    def at(self, quantity: Floats) -> float:
        """What goes with the divergence that is spoken of, from its values along the strengths, shape (c,)."""
        nats = self.second.nats.mean(axis=0)[None]
        return float(at_nats(nats, quantity[None, :, None], np.array([self.nats]))[0, 0, 0])

    @property
    def axis(self) -> Floats:
        """Divergences of a curve, from 0 past the one that is spoken of, as far as the reach, shape (t,)."""
        end = min(self.reach, 2 * self.nats)
        return np.unique([0.0, *(nats for nats in _AXIS if nats < end), self.nats, end])

    def course(self, block: Block, rates: Bools, draws: Floats) -> Course:
        """What the readings of a block do; `rates` (k,) tells shares, `draws` is of shape (b, p).

        Curves are read off at equal divergence, which is estimated again in each resample. The doubt of a point is the
        last step of the correction, doubled.
        """
        axis, values = self.axis, np.nan_to_num(block.values)
        spoken = int(np.searchsorted(axis, self.nats))
        whole = np.ones((1, len(values)))
        nats, weights = self.second.nats[block.prompts], self.second.weights[block.prompts]
        levels = weights @ values

        def along(nats: Floats, levels: Floats, times: Floats) -> Floats:
            found = at_nats(redrawn(nats, times), redrawn(levels, times), axis)
            return np.where(rates, np.clip(found, 0, 1), found)

        point = along(nats, levels, whole)[0]
        step = point - along(self.first.nats[block.prompts], self.first.weights[block.prompts] @ values, whole)[0]
        drawn = along(nats, levels, draws)
        flat = weights.swapaxes(0, 1).reshape(1, len(self.strengths), -1)
        there = at_nats(redrawn(nats, whole), flat, np.array([self.nats])).reshape(len(values), -1)
        picked = Picked(there, point[spoken], drawn[:, spoken], _DOUBT * step[spoken])
        return Course(picked, widened(band(point, drawn), _DOUBT * step), *self._best_of(block, values, draws))

    def _best_of(self, block: Block, values: Floats, draws: Floats) -> tuple[Band, Band]:
        """Best-of-n at its sizes, shape (s, k), and as far as is spoken of, shape (k,)."""
        n, share = best_of_equal(self.nats, self.pool.least)
        scores = self.pool.scores[block.prompts]
        mixed = np.array([1 - share, share]) @ best_of_weights(scores, [n, min(n + 1, self.pool.least)])
        curve = resampled(best_of_weights(scores, sizes(self.pool.least)) @ values, draws)
        return curve, resampled((mixed[:, None, :] @ values)[:, 0], draws)


def best_of_equal(nats: float, most: int) -> tuple[int, float]:
    """The n and the share of n + 1 in a mixture that goes at most as far; n is `most` where the pool ends before.

    >>> best_of_equal(1.0, 16)[0], best_of_equal(3.0, 16)
    (6, (16, 0.0))
    """
    n = max(size for size in range(1, most + 1) if best_of_nats(size) <= nats)
    if n == most:
        return n, 0.0
    start, end = best_of_nats(n), best_of_nats(n + 1)
    return n, (nats - start) / (end - start)
