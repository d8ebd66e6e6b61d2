"""Heads on cached embeddings, fitted by any objective in seconds: one, or several for an ensemble."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.kinds import objectives
from dehusk.core.tables import Floats, Ints
from dehusk.fitting.bradley_terry import axes_of, held_out_losses, logit
from dehusk.fitting.descent import Descent, Schedule, Stretch, held_down
from dehusk.fitting.ground import Ground, ground_of
from dehusk.fitting.monitor import Monitor
from dehusk.fitting.objectives import Batch, Objective
from dehusk.fitting.training_set import TrainingSet
from dehusk.rewards.heads import LinearHead

if TYPE_CHECKING:
    from torch import Tensor, nn

Vary = Literal["bootstrap", "halves", "seeds"]
UNSETTLED = 0.002  # nats a pair and round; a model that is right in 70 % of pairs has gained about .1
_LOOKED_AT = 32_768  # pairs on which that is measured


@dataclass(frozen=True)
class FittedHeads:
    """Heads by one objective, and how they were come by."""

    heads: tuple[LinearHead, ...]
    l2: float
    losses: Mapping[float, float] = field(default_factory=lambda: MappingProxyType({}))  # penalty -> −log σ, held out
    readings: tuple[Mapping[str, float], ...] = ()  # what the objective says of each fit
    left: tuple[float, ...] = ()  # nats a pair by which the last round of steps still changed what each fit minimises:
    # 0 where it is exact, NaN where a monitor stopped it
    steps: tuple[int, ...] = ()  # that each fit took; 0 where it is exact

    @property
    def head(self) -> LinearHead:
        """The head, where one was asked for."""
        return self.heads[0]

    @property
    def settled(self) -> bool:
        """Whether more steps would change little, as far as nothing but their number ended a fit."""
        return not any(each > UNSETTLED for each in self.left)


class _Fit(NamedTuple):
    """One head, fitted."""

    head: LinearHead
    readings: Mapping[str, float]
    left: float
    steps: int = 0


def fit_heads(
    data: TrainingSet,
    objective: Objective,
    *,
    rng: np.random.Generator,
    l2: float | None = None,
    members: int = 1,
    vary: Vary = "bootstrap",
    schedule: Schedule = Schedule(),  # noqa: B008 - frozen
    monitors: Sequence[Monitor] = (),
) -> FittedHeads:
    """Fit heads to preferences by an objective: plain Bradley–Terry exactly, the others by steps until they settle.

    Points are standardised on both sides of all pairs, features likewise. Pairs of weight 0 are left out.

    Args:
        data: n pairs.
        objective: What is minimised.
        rng: Held-out prompts, members, first weights and batches.
        l2: Penalty l2 / 2 · |weights|² on standardised dimensions, against the sum over pairs; by default the one that
            serves Bradley and Terry's head best on held-out prompts.
        members: How many heads.
        vary: In what several members differ: prompts drawn with repeats, opposite halves of the prompts, or first
            weights and batches alone.
        schedule: Steps and rounds, and where torch computes them.
        monitors: One a member, or none; may stop a fit.

    Raises:
        NotEnoughData: no pairs; without `l2`, fewer than five prompts.
        InputError: the objective needs features or foreign points that the data lack.
    """
    if not data.weight.any():
        raise NotEnoughData("at least 1 pair, got 0")
    if not data.weight.all():
        data = data.rows(data.weight > 0)
    if not _reads_foreign(objective):
        data = replace(data, foreign_chosen=None, foreign_rejected=None)
    ground = ground_of(data, schedule.device)
    exact = data.margin is None and objective == objectives["bt"].thing()
    losses: Mapping[float, float] = {}
    if l2 is None:
        losses = held_out_losses(ground.differences(), data.weight, data.groups, rng)
        l2 = min(losses, key=losses.__getitem__)
    if not exact:
        stretch = Stretch(axes_of(ground.differences(), data.weight), l2, float(data.weight.sum()), schedule.device)
    fits = []
    for member, rows in enumerate(_drawn(data.groups, members, vary, rng)):
        monitor = monitors[member] if monitors else None
        if exact:
            fits.append(_solved(ground, data.weight, rows, l2, monitor))
        else:
            seed = int(rng.integers(2**31))
            fits.append(_descended(ground, rows, objective, stretch, l2, schedule, seed, monitor))
    heads, readings, left, steps = zip(*fits, strict=True)
    return FittedHeads(heads, l2, losses, readings, left, steps)


def _reads_foreign(objective: Objective) -> bool:
    """Whether an objective looks at foreign points; one that is in no table may."""
    row = next((row for row in objectives if row.thing is type(objective)), None)
    return row is None or "foreign" in row.options.get("needs", ())


def fit_head(
    chosen: Any, rejected: Any, *, rng: np.random.Generator, l2: float | None = None, groups: Ints | None = None
) -> FittedHeads:
    """Fit one head by Bradley and Terry's model; see `fit_heads`.

    Args:
        chosen: Embeddings of the chosen answers, shape (n, d).
        rejected: Embeddings of the rejected answers, shape (n, d).
        rng: Which prompts are held out when.
        l2: Penalty, as for `fit_heads`.
        groups: Prompt of each pair, shape (n,); each its own when absent.

    Raises:
        NotEnoughData: no pairs, or fewer prompts than folds.
    """
    nothing, n = np.empty((len(chosen), 0)), len(chosen)
    data = TrainingSet(
        chosen=chosen,
        rejected=rejected,
        names=(),
        chosen_features=nothing,
        rejected_features=nothing,
        weight=np.ones(n),
        groups=np.arange(n) if groups is None else groups,
    )
    return fit_heads(data, objectives["bt"].thing(), rng=rng, l2=l2)


def _drawn(groups: Ints, members: int, vary: Vary, rng: np.random.Generator) -> Iterator[Ints]:
    """Rows that each member is fitted on; a prompt's pairs stay together."""
    _, index = np.unique(groups, return_inverse=True)
    count = int(index.max()) + 1
    order = np.argsort(index, kind="stable")
    prompts = np.split(order, np.searchsorted(index[order], np.arange(1, count)))
    half = np.zeros(count, dtype=bool)
    for member in range(members):
        if members == 1 or vary == "seeds":
            yield np.arange(len(groups))
        elif vary == "halves":
            if member % 2 == 0:
                half[:] = False
                half[rng.permutation(count)[: (count + 1) // 2]] = True
            yield np.flatnonzero(half[index] == (member % 2 == 0))
        else:
            yield np.concatenate([prompts[drawn] for drawn in rng.integers(count, size=count)])


def _solved(ground: Ground, weights: Floats, rows: Ints, l2: float, monitor: Monitor | None) -> _Fit:
    """Bradley and Terry's head, exactly; the monitor looks after every step of Newton's."""
    x, weight, taken = ground.differences(rows), weights[rows], 0
    if monitor is not None:
        monitor.planned = None  # Newton's steps are not early or late

    def head(w: Any) -> LinearHead:
        return LinearHead(ground.mean, ground.scale, (w[None].astype(np.float64),), (np.zeros(1),))

    def watch(w: Any) -> bool:
        nonlocal taken
        taken += 1
        if monitor is None:
            return False
        return monitor.look(taken, head(w).rewards, _told((x @ w).astype(np.float64), weight))

    return _Fit(head(logit(x, weight, l2, axes_of(x, weight), watch=watch)), MappingProxyType({}), 0.0)


def _descended(
    ground: Ground,
    rows: Ints,
    objective: Objective,
    stretch: Stretch,
    l2: float,
    schedule: Schedule,
    seed: int,
    monitor: Monitor | None,
) -> _Fit:
    """A head by rounds of steps downhill, until a round changes little."""
    import torch

    device = ground.chosen.device
    chosen_rows = torch.as_tensor(rows, device=device)
    weight, mass = ground.weight[chosen_rows], float(ground.weight[chosen_rows].sum())
    weight = weight * (len(rows) / mass)
    with torch.random.fork_rng(devices=[] if device.type == "cpu" else None):
        torch.manual_seed(seed)
        head = objective.build(ground.chosen.shape[1], ground.chosen_features.shape[1], len(rows)).to(device)
        descent = Descent(head, stretch, schedule.length)

        def loss(batch: Batch, progress: float) -> Tensor:
            objective.before(head, batch, progress)
            terms = objective.terms(head, batch, progress)
            return torch.stack([*terms.values()]).sum() + l2 / mass * held_down(objective.weights(head))

        count, taken, reached, left = schedule.count(len(rows)), 0, math.inf, math.inf
        if monitor is not None:
            monitor.planned = count
        while taken < schedule.rounds * count and left > UNSETTLED:
            first = taken == 0
            for step, places in enumerate(_batches(len(rows), schedule.batch, count, device)):
                batch, progress = ground.batch(chosen_rows[places], places, weight[places]), step / count
                descent.step(loss(batch, progress if first else 1.0), schedule.share(progress))
                taken += 1
                if _stopped(monitor, taken, step + 1 == count, len(rows), ground, objective, head, batch):
                    return _Fit(_exported(ground, objective, head), objective.readings(head), math.nan, taken)
            some = torch.randperm(len(rows), device=device)[:_LOOKED_AT]
            now = float(loss(ground.batch(chosen_rows[some], some, weight[some]), 1.0).detach())
            left, reached = abs(reached - now), now
    return _Fit(_exported(ground, objective, head), objective.readings(head), left, taken)


def _stopped(
    monitor: Monitor | None,
    taken: int,
    last: bool,
    pairs: int,
    ground: Ground,
    objective: Objective,
    head: nn.ModuleDict,
    batch: Batch,
) -> bool:
    """Have the monitor look now and then; whether it stops the fit."""
    if monitor is None or (taken % monitor.every and not last):
        return False
    told = _told_of(objective, head, batch) | {"epoch": taken * len(batch.row) / pairs}
    return monitor.look(taken, _exported(ground, objective, head).rewards, told)


def _batches(pairs: int, size: int, count: int, device: Any) -> Iterator[Tensor]:
    """Places of the pairs of each step, in an order that is shuffled whenever too few are left for a whole batch."""
    import torch

    size, order = size if pairs >= 2 * size else pairs, torch.empty(0, dtype=torch.long)
    for _ in range(count):
        if len(order) < size:
            order = torch.randperm(pairs, device=device)
        yield order[:size]
        order = order[size:]


def _exported(ground: Ground, objective: Objective, head: nn.ModuleDict) -> LinearHead:
    weights, biases = zip(*objective.layers(head), strict=True)
    return LinearHead(ground.mean, ground.scale, weights, biases)


def _told_of(objective: Objective, head: nn.ModuleDict, batch: Any) -> dict[str, float]:
    """What training says of a batch."""
    import torch

    with torch.no_grad():
        margin = objective.reward(head, batch.chosen) - objective.reward(head, batch.rejected)
    return _told(margin.double().cpu().numpy(), batch.weight.double().cpu().numpy())


def _told(margin: Floats, weight: Floats) -> dict[str, float]:
    """Loss, accuracy (a tie is a half) and margin of pairs by Bradley and Terry's model, whatever is minimised."""
    share = weight / weight.sum()
    return {
        "loss": float(share @ np.logaddexp(0, -margin)),
        "accuracy": float(share @ ((np.sign(margin) + 1) / 2)),
        "margin": float(share @ margin),
    }
