"""A comparison: read, embed, fit every method on the same splits, look at all of them with the same readings."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import polars as pl

from dehusk.comparison.methods import MONOTONE, methods
from dehusk.comparison.readings import PoolPoints
from dehusk.comparison.running import Bench, check_prompts, compared
from dehusk.comparison.trials import SideBySide
from dehusk.core.comparison import Comparison
from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.kinds import Feature
from dehusk.core.messages import Text, say
from dehusk.core.options import AuditConfig, CompareConfig, ScoreConfig, at_home, parse_map, parse_source
from dehusk.core.run import InputRecord, RunRecord, stream
from dehusk.core.tables import Floats, Measures, Pairs, Responses
from dehusk.features.intents import meant
from dehusk.features.measuring import declared, measure
from dehusk.fitting.training_set import Places, TrainingSet, training_set
from dehusk.inputs import Watch, read, sampled
from dehusk.io import read_pairs
from dehusk.rewards import open_models
from dehusk.rewards.embedding import open_embedder
from dehusk.rewards.store import Store
from dehusk.stats.selection import pooled

FEWEST_ANSWERS = 4  # a prompt, for the best of several to say something
FEWEST_PROMPTS = 2  # of what is the same in every split, for an interval


@dataclass(frozen=True, eq=False)
class _Read:
    """What was read, and what it is measured with."""

    pairs: Pairs
    elsewhere: dict[str, Pairs]
    pool: Responses | None
    gold: Floats | None
    records: tuple[InputRecord, ...]
    features: tuple[Feature, ...]
    targets: tuple[str, ...]

    def measured(self, pairs: Pairs) -> Measures:
        """Every feature of both sides."""
        return measure(self.features, pairs=pairs)


def run_compare(config: CompareConfig, *, watch: Watch = lambda *_: None) -> Comparison:
    """Try every method on the user's pairs.

    Raises:
        InputError: the input or a name cannot be used, or there is too little data.
        BackendError: the gold model did not answer.
    """
    if config.pairs is None:
        raise InputError("nothing to compare on", fix="--pairs FILE")
    features = {feature.name: feature for feature in declared()}
    targets = tuple(dict.fromkeys(meant(config.target, features, "--target")))
    if not targets:
        raise InputError("no target", where="--target", expected="a feature, a family or a phrase",
                         fix="--target characters")  # fmt: skip
    tried = methods(config.methods, [target.name for target in targets])
    watch("reading", 0, 5)
    every = tuple({feature.name: feature for feature in (*features.values(), *targets)}.values())
    found = _read(config, every, tuple(target.name for target in targets), watch)
    try:
        check_prompts(found.pairs.groups, config.held_out)
        bench = _bench(config, found, watch)
        rows = compared(bench, tried, splits=config.splits, held_out=config.held_out, watch=watch)
    except NotEnoughData as refusal:
        raise InputError(f"not enough data: it needs {refusal.needs}", where=config.pairs) from None
    told = next(row for row in rows if row.readings)
    return Comparison(
        run=RunRecord("compare", config.record(), config.seed, config.lang),
        inputs=found.records,
        targets=found.targets,
        columns=tuple(told.readings),
        rows=tuple(rows),
        splits=config.splits,
        pairs=len(found.pairs),
        prompts=len(np.unique(found.pairs.groups)),
        best_of=None if bench.pool is None else bench.pool.best_of,
        notes=_notes(config, found),
    )


def _read(config: CompareConfig, features: tuple[Feature, ...], targets: tuple[str, ...], watch: Watch) -> _Read:
    shared = {name: getattr(config, name) for name in ("pairs", "map", "layout", "sample", "seed", "lang")}
    options = AuditConfig(**shared)
    inputs = sampled(read(options), options)
    assert inputs.pairs is not None  # for mypy: it was named
    records, elsewhere = list(inputs.records), {}
    for entry in config.elsewhere:
        name, path = parse_source(entry)
        loaded = read_pairs(path, columns=parse_map(config.map), lang=config.lang)
        if len(np.unique(loaded.pairs.groups)) < FEWEST_PROMPTS:
            raise InputError("too few prompts", where=path, expected=f"at least {FEWEST_PROMPTS}")
        elsewhere[name or loaded.record.name] = loaded.pairs
        records.append(loaded.record)
    pool, gold = None, None
    if config.pool is not None:
        wanted = AuditConfig(responses=(at_home(config.pool),), map=config.map, lang=config.lang)
        answers = read(wanted)
        pool = answers.responses
        assert pool is not None  # for mypy: it was named
        records += answers.records
        gold = _gold(config, pool, watch)
    return _Read(inputs.pairs, elsewhere, pool, gold, tuple(records), features, targets)


def _gold(config: CompareConfig, pool: Responses, watch: Watch) -> Floats | None:
    """How good each answer of the pool is, shape (m,), by the model named or the column `gold`."""
    if config.gold is not None:
        watch("scoring", 0, len(pool))
        model = open_models(ScoreConfig(reward_model=(config.gold,), store=config.store, device=config.device))[0]
        return np.asarray(model.score(pool.frame["prompt"].to_list(), pool.frame["response"].to_list()))
    return pool.frame["gold"].cast(pl.Float64).fill_null(np.nan).to_numpy() if "gold" in pool.frame.columns else None


def _bench(config: CompareConfig, found: _Read, watch: Watch) -> Bench:
    store = Store(config.store)
    each = [
        open_embedder(where, config, layers=config.layers, pooling=config.pooling, store=store)
        for where in config.embedder
    ]
    embedder: Places = SideBySide(each)
    names = tuple(feature.name for feature in found.features)

    def points(pairs: Pairs, measures: Measures, *, foreign: bool) -> TrainingSet:
        rng = stream(config.seed, "compare.foreign")
        return training_set(pairs, measures, embedder, names, rng, foreign=foreign)

    watch("measuring", 1, 5)
    measures = found.measured(found.pairs)
    watch("embedding", 2, 5)
    data = points(found.pairs, measures, foreign=True)
    elsewhere = {name: points(pairs, found.measured(pairs), foreign=False) for name, pairs in found.elsewhere.items()}
    some = [one.embed(found.pairs.frame["prompt"][:1].to_list(), [""]).shape[1] for one in each]
    ends = list(accumulate(some))
    return Bench(
        pairs=found.pairs,
        measures=measures,
        data=data,
        targets=found.targets,
        embedder=embedder,
        measure=found.measured,
        blocks=tuple(slice(end - size, end) for end, size in zip(ends, some, strict=True)),
        elsewhere=elsewhere,
        pool=None if found.pool is None else _pool(config, found, embedder),
        seed=config.seed,
    )


def _pool(config: CompareConfig, found: _Read, embedder: Places) -> PoolPoints:
    """The answers to pick from, as points: those with gold if there is any, of prompts with at least four.

    Raises:
        InputError: fewer than two prompts have that many.
    """
    assert found.pool is not None  # for mypy: the caller looked
    pool = found.pool
    kept = np.arange(len(pool)) if found.gold is None else np.flatnonzero(np.isfinite(found.gold))
    rows = pooled(pool.groups[kept], stream(config.seed, "compare.pool"))
    rows = np.where(rows < 0, -1, kept[rows])[(rows >= 0).sum(axis=1) >= FEWEST_ANSWERS]
    if len(rows) < FEWEST_PROMPTS:
        expected = f"at least {FEWEST_ANSWERS} to each of {FEWEST_PROMPTS}"
        raise InputError("too few answers a prompt", where=str(config.pool), expected=expected)
    measures = measure(found.features, responses=pool)
    columns = [measures.all_values("response", feature.name) for feature in found.features]
    features = np.nan_to_num(np.stack(columns, axis=1))
    points = embedder.embed(pool.frame["prompt"].to_list(), pool.frame["response"].to_list())
    return PoolPoints(points, features, rows, found.gold)


def _notes(config: CompareConfig, found: _Read) -> tuple[Text, ...]:
    told = [say("compare.monotone", names=", ".join(MONOTONE))]
    told += [say("compare.no_pool")] if config.pool is None else []
    told += [say("compare.no_elsewhere")] if not config.elsewhere else []
    bare = 0 if found.gold is None else int((~np.isfinite(found.gold)).sum())
    told += [say("compare.no_gold", count=bare)] if bare else []
    own, fixed = set(found.pairs.frame["prompt"]), {name: pairs.frame for name, pairs in found.elsewhere.items()}
    for name, frame in (fixed if found.pool is None else fixed | {str(config.pool): found.pool.frame}).items():
        prompts = set(frame["prompt"])
        if shared := len(prompts & own):
            told.append(say("compare.shared", name=name, count=shared, total=len(prompts)))
    return tuple(told)
