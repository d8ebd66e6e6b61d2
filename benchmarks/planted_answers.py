"""Real answers, a planted gold, a labeller with likings of its own, and heads fitted to its labels; see certify.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from dehusk.certification import Contest, Judged, certify
from dehusk.core.options import Scoring
from dehusk.core.run import stream
from dehusk.core.tables import Responses
from dehusk.features.measuring import declared, measure
from dehusk.fitting.heads import fit_head
from dehusk.probes.policy.comparison import readings
from dehusk.rewards.embedding import open_embedder
from dehusk.rewards.heads import LinearHead
from dehusk.rewards.store import Store
from dehusk.stats.selection import pooled
from dehusk.stats.splines import natural_spline
from dehusk.workflow.certifying import scale

TARGET, SECOND = "characters", "paragraphs"
PAIRS = 8  # a prompt
L2 = 100.0
Array = np.ndarray


def centred(x: Array) -> Array:
    """Without the mean of the prompt, in standard deviations within prompts; shape (P, N)."""
    off = x - x.mean(axis=1, keepdims=True)
    return off / off.std()


class Answers:
    """The samples as (P, N), in random order: embeddings, planted features, and every feature as it is read."""

    def __init__(self, data: Path, store: str | None, prompts: int) -> None:
        frame = pl.read_parquet(data / "outputs" / "tulu13b_bon16.parquet").with_row_index("row", offset=1)
        some = frame["prompt"].unique(maintain_order=True).head(prompts)
        frame = frame.filter(pl.col("prompt").is_in(some.implode()))
        self.responses = Responses(
            frame.select(
                response_id=pl.col("row").cast(pl.String),
                row=pl.col("row").cast(pl.Int64),
                prompt="prompt",
                response="response",
                stage=pl.lit("sft"),
                group="prompt",
            )
        )
        embedder = open_embedder("minilm", Scoring(), layers=(-1,), pooling="mean", store=Store(store))
        points = embedder.embed(frame["prompt"].to_list(), frame["response"].to_list()).astype(np.float64)
        rows = pooled(self.responses.groups, stream(0, "order"))
        measures = measure(declared(), responses=self.responses)
        self.reads = [several[0] for several in readings(self.responses, measures)]
        columns = [scale(one.of(measures.values("response", one.feature.name)), one)[rows] for one in self.reads]
        self.values = np.stack(columns, axis=2)
        self.first = centred(np.log1p(measures.all_values("response", TARGET))[rows])
        self.second = centred(np.log1p(measures.all_values("response", SECOND))[rows])
        curves = [self._curve(one) for one in (self.first, self.second)]
        self.of = np.repeat([0, 1], [one.shape[2] for one in curves])
        self.curves = np.concatenate(curves, axis=2)
        self.points = np.concatenate([points[rows], self.first[..., None], self.second[..., None]], axis=2)

    @staticmethod
    def _curve(x: Array) -> Array:
        """A natural spline, centred within prompts, shape (P, N, m)."""
        knots = np.unique(np.quantile(x, (0.05, 0.275, 0.5, 0.725, 0.95)))
        terms = natural_spline(x.ravel(), knots).reshape(*x.shape, -1)
        return terms - terms.mean(axis=1, keepdims=True)


@dataclass
class World:
    """One seed: gold, the labeller, the prompts fitted on and those of the pool."""

    answers: Answers
    rng: np.random.Generator
    wants: tuple[float, float] = (0.0, 0.0)  # what gold wants of both features
    biased: tuple[float, float] = (0.9, 0.2)  # what the labeller likes of them beside

    def __post_init__(self) -> None:
        """Make gold and the labels."""
        a = self.answers
        order = self.rng.permutation(len(a.first))
        self.fitted, self.pool = order[: len(order) // 3], order[len(order) // 3 :]
        direction = self.rng.normal(size=a.points.shape[2] - 2)
        content = centred(a.points[..., :-2] @ direction)
        self.z = np.stack([a.first, a.second], axis=2)
        content = centred(content - self.z @ self._slopes(content, slice(None)))
        self.gold = content + self.z @ np.array(self.wants)
        self.old = self.labeller(*self.biased)
        self.before = self.head(self.old)

    def labeller(self, first: float, second: float, noise: float = 0.5) -> Array:
        """Gold with a liking for both features, and noise of its own."""
        own = self.rng.normal(size=self.gold.shape)
        return self.gold + self.z @ np.array([first, second]) + noise * own

    def _slopes(self, reward: Array, prompts: object) -> Array:
        x, y = self.z[prompts].reshape(-1, 2), (reward - reward.mean(axis=1, keepdims=True))[prompts].ravel()
        return np.linalg.lstsq(x, y, rcond=None)[0]

    def pairs(self, reward: Array, prompts: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """Places (m, 2) of the preferred and the other answer of eight random pairs a prompt, and their prompts."""
        drawn = np.argsort(rng.random((len(prompts), reward.shape[1])), axis=1)[:, : 2 * PAIRS].reshape(-1, 2)
        who = np.repeat(prompts, PAIRS)
        turned = reward[who, drawn[:, 0]] < reward[who, drawn[:, 1]]
        return np.where(turned[:, None], drawn[:, ::-1], drawn), who

    def head(self, reward: Array, share: float = 1.0, *, matched: bool = False) -> Array:
        """Rewards (P, N) of a head fitted to pairs that such a labeller labelled, in SD within prompts."""
        drawn, who = self.pairs(reward, self.fitted, self.rng)
        kept = self._mirrored(drawn, who) if matched else self.rng.permutation(len(who))[: int(share * len(who))]
        sides = [self.answers.points[who[kept], drawn[kept, side]] for side in (0, 1)]
        head = fit_head(*sides, l2=L2, rng=self.rng).head
        return self.applied(head)

    def _mirrored(self, drawn: Array, who: Array) -> Array:
        """Pairs for each of which another has the opposite differences of both features, in bins of half an SD."""
        off = np.round(2 * (self.z[who, drawn[:, 0]] - self.z[who, drawn[:, 1]])).astype(int)
        cells: dict[tuple[int, ...], list[int]] = {}
        for at in self.rng.permutation(len(who)):
            cells.setdefault(tuple(off[at]), []).append(int(at))
        kept = []
        for cell, rows in cells.items():
            mirror = cells.get(tuple(-side for side in cell), [])
            kept += rows[: min(len(rows), len(mirror))]
        return np.array(kept)

    def applied(self, head: LinearHead) -> Array:
        """What a head says of every answer."""
        points = self.answers.points
        return centred(head.rewards(points.reshape(-1, points.shape[2])).reshape(points.shape[:2]))

    def freed(self, reward: Array, features: tuple[int, ...] = (0, 1), strength: float = 1.0) -> Array:
        """Without `strength` times what splines of the features explain of it, within the fitted prompts."""
        terms = self.answers.curves[..., np.isin(self.answers.of, features)]
        x = terms[self.fitted].reshape(-1, terms.shape[2])
        y = (reward - reward.mean(axis=1, keepdims=True))[self.fitted].ravel()
        return centred(reward - strength * (terms @ np.linalg.lstsq(x, y, rcond=None)[0]))

    def single(self, reward: Array, strength: float = 1.0) -> Array:
        """Without `strength` times what length alone explains of it."""
        return self.freed(reward, (0,), strength)

    def judge(self, after: Array, *, before: Array | None = None, prompts: int | None = None) -> Judged:
        """The certificate's verdict on the pool."""
        pool, reads = self.pool[:prompts], self.answers.reads
        contest = Contest(
            features=tuple(one.feature for one in reads),
            units=tuple("share" if one.kind == "rate" else "SD" for one in reads),
            means=(0.0,) * len(reads),
            roles=tuple("target" if one.feature.name == TARGET else "other" for one in reads),
            values=self.answers.values[pool],
            before=(self.before if before is None else before)[pool],
            after=after[pool],
            gold=self.gold[pool],
            clusters=np.arange(len(pool)),
            least=self.gold.shape[1],
        )
        return certify(contest, self.rng)
