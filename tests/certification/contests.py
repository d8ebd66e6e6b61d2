"""Pools with known laws: normal features, and rewards that are sums of them, of gold and of noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from dehusk.certification import Contest
from dehusk.core.certificates import Role
from dehusk.core.kinds import Feature


def feature(name: str) -> Feature:
    return Feature(name, "units", "layout", "A feature.", lambda _prompt, response: pl.lit(0.0))


def contest(
    values: Mapping[str, np.ndarray],
    before: np.ndarray,
    after: np.ndarray,
    gold: np.ndarray | None = None,
    *,
    targets: Sequence[str] = ("target",),
    wanted: Sequence[str] = (),
    clusters: np.ndarray | None = None,
) -> Contest:
    """A contest from arrays (P, N)."""
    roles: tuple[Role, ...] = tuple(
        "target" if name in targets else "wanted" if name in wanted else "other" for name in values
    )
    return Contest(
        features=tuple(map(feature, values)),
        units=("SD",) * len(values),
        means=(0.0,) * len(values),
        roles=roles,
        values=np.stack(list(values.values()), axis=2),
        before=before,
        after=after,
        gold=gold,
        clusters=np.arange(len(before)) if clusters is None else clusters,
        least=int((~np.isnan(before)).sum(axis=1).min()),
    )


class World:
    """Two correlated unwanted features, ten more, gold that depends on none of them, and habits of prompts."""

    def __init__(self, seed: int, prompts: int = 300, size: int = 16, correlation: float = 0.4) -> None:
        rng = np.random.default_rng(seed)
        shape = (prompts, size)
        self.rng, self.shape = rng, shape
        self.target = rng.normal(size=shape)
        self.second = correlation * self.target + np.sqrt(1 - correlation**2) * rng.normal(size=shape)
        self.gold = rng.normal(size=shape)
        self.values = {
            "target": self.target + 3 * rng.normal(size=(prompts, 1)),
            "second": self.second + 0.5,
            **{f"f{i}": rng.normal(size=shape) for i in range(8)},
            "rare": (rng.random(shape) < 0.02).astype(float),
            "like_target": 0.8 * self.target + 0.6 * rng.normal(size=shape),
        }
        self.old = self.reward(1.0, 0.3)

    def reward(self, target: float, second: float, *, gold: float = 1.0, noise: float = 0.5) -> np.ndarray:
        """Gold with a weight for each unwanted feature, and noise of its own."""
        own = self.rng.normal(size=self.shape)
        return gold * self.gold + target * self.target + second * self.second + noise * own

    def contest(self, after: np.ndarray, **options: Any) -> Contest:
        return contest(self.values, self.old, after, self.gold, **options)
