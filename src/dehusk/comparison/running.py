"""All methods on all splits: fit on some prompts, look at the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from dehusk.comparison.methods import Made, Method
from dehusk.comparison.readings import Held, PoolPoints, readings
from dehusk.comparison.table import PLAIN, Outcome, Tried, rows_of
from dehusk.comparison.trials import Trial
from dehusk.core.comparison import MethodRow
from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.messages import Text, say
from dehusk.core.run import stream
from dehusk.core.tables import Bools, Ints, Measures, Pairs
from dehusk.fitting.training_set import Places, TrainingSet

FEWEST_PROMPTS = 20  # held out in a split, for a share of them to mean something
Watch = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Bench:
    """What methods are compared on."""

    pairs: Pairs
    measures: Measures
    data: TrainingSet  # of all pairs, with foreign points and every feature
    targets: tuple[str, ...]
    embedder: Places
    measure: Callable[[Pairs], Measures]
    blocks: tuple[slice, ...]  # dimensions of each embedder
    elsewhere: Mapping[str, TrainingSet] = field(default_factory=lambda: MappingProxyType({}))
    pool: PoolPoints | None = None
    seed: int = 0

    def split(self, number: int, held_out: float) -> tuple[Ints, Ints]:
        """Fitted and held-out rows; a prompt's pairs stay together."""
        prompts = np.unique(self.data.groups)
        order = stream(self.seed, f"compare split {number}").permutation(prompts)
        out: Bools = np.isin(self.data.groups, order[: round(held_out * prompts.size)])
        return np.flatnonzero(~out), np.flatnonzero(out)

    def trial(self, rows: Ints, number: int) -> Trial:
        """The fitted part of a split."""
        return Trial(
            pairs=Pairs(self.pairs.frame[rows]),
            measures=self.measures.rows(rows),
            data=self.data.rows(rows),
            targets=self.targets,
            embedder=self.embedder,
            measure=self.measure,
            seed=self.seed + number,
            blocks=self.blocks,
        )

    def held(self, rows: Ints) -> Held:
        """The held-out part of a split, and all that stays the same."""
        return Held(self.data.rows(rows), self.targets, self.elsewhere, self.pool)


def check_prompts(groups: Ints, held_out: float) -> None:
    """Refuse too few prompts to hold some out; worth asking before anything is embedded.

    Raises:
        NotEnoughData: saying how many would do.
    """
    prompts = len(np.unique(groups))
    if round(held_out * prompts) < FEWEST_PROMPTS:
        raise NotEnoughData(f"at least {round(FEWEST_PROMPTS / held_out)} prompts, got {prompts}")


def compared(
    bench: Bench, methods: Sequence[Method], *, splits: int, held_out: float, watch: Watch = lambda *_: None
) -> list[MethodRow]:
    """Try every method on every split; one that refuses on any split has no numbers, but its reason.

    Args:
        bench: The data.
        methods: The plain model among them.
        splits: How often the prompts are divided, at least twice.
        held_out: Share of the prompts that is held out.
        watch: Called with "trying", fits done and fits in all.

    Returns:
        One row a method.

    Raises:
        NotEnoughData: too few prompts to hold some out, or the plain model cannot be fitted.
    """
    check_prompts(bench.data.groups, held_out)
    outcomes: dict[str, list[Outcome]] = {method.name: [] for method in methods}
    refused: dict[str, Text] = {}
    for number in range(splits):
        fitted, out = bench.split(number, held_out)
        trial, held = bench.trial(fitted, number), bench.held(out)
        for at, method in enumerate(methods):
            watch("trying", number * len(methods) + at, splits * len(methods))
            if method.name in refused:
                continue
            try:
                outcomes[method.name].append(_outcome(method, trial, held))
            except NotEnoughData as refusal:
                if method.name == PLAIN:
                    raise
                refused[method.name] = say("core.needs_data", needs=refusal.needs)
            except InputError as refusal:
                refused[method.name] = say("compare.cannot", why=str(refusal))
    watch("trying", splits * len(methods), splits * len(methods))
    tried = [
        Tried(one.name, one.kind, () if one.name in refused else tuple(outcomes[one.name]), refused.get(one.name))
        for one in methods
    ]
    return rows_of(tried, bench.data.names, bench.targets, held_out)


def _outcome(method: Method, trial: Trial, held: Held) -> Outcome:
    start = time.perf_counter()
    made: Made = method.make(trial)
    seconds = time.perf_counter() - start
    found, slopes = readings(made.rewards, held)
    return Outcome(found, slopes, made.lost, made.added, made.effective, seconds)
