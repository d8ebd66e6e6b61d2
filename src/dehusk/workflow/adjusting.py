"""An adjustment: read, score, make another reward model on some prompts, look at it on the others, write it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from dehusk.core.errors import InputError, NotEnoughData, UnknownName
from dehusk.core.findings import Estimate, plain
from dehusk.core.keywords import read_options
from dehusk.core.kinds import Feature
from dehusk.core.messages import Text
from dehusk.core.options import AdjustConfig, ScoreConfig, at_home
from dehusk.core.run import stream
from dehusk.core.tables import Bools, Floats, Ints, Measures
from dehusk.features.intents import meant
from dehusk.features.measuring import declared, measure
from dehusk.inputs import Inputs, Watch, read, sampled
from dehusk.probes.data.contrast import estimate
from dehusk.probes.reward_model.association import FEWEST_PROMPTS, UNIT, regressors
from dehusk.rewards import score_tables
from dehusk.rewards.nesting import trusting
from dehusk.stats.diversity import Diversity, diversity
from dehusk.stats.effects import clustered_mean
from dehusk.stats.slopes import slope_changes, standardised_slopes
from dehusk.workflow.making import AIMED, METHODS, Given, Made, check_models

_SIDES = ("chosen", "rejected")
_SLOPE = "regression with the label held, clustered by prompt"


@dataclass(frozen=True)
class Reading:
    """One number of the model before and after, and the paired change; None where there is none."""

    name: str  # "accuracy", or a feature
    before: Estimate | None
    after: Estimate | None
    change: Estimate | None


@dataclass(frozen=True)
class Adjustment:
    """What was made, and what it changed on pairs of prompts that it was not made on."""

    method: str
    spec: str  # opens it, as --reward-model takes it
    before: str  # name of the model that it is compared with
    pairs: int  # held out, with scores
    prompts: int
    accuracy: Reading
    targets: tuple[Reading, ...]
    elsewhere: Reading | None  # the feature, no target, that changed most
    elsewhere_sure: bool  # whether that holds when all other features are looked at together
    members: tuple[str, ...] = ()
    features: tuple[str, ...] = ()  # that the diversity speaks of
    diversity: Diversity | None = None  # of several models on the held-out pairs
    notes: tuple[Text, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON's own types."""
        found = {name: getattr(self, name) for name in vars(self) if name not in ("features", "diversity", "notes")}
        notes = [note.render("en") for note in self.notes]
        told = {} if self.diversity is None else {"diversity": _plain(self.diversity, self.features)}
        return {**plain(found), "notes": notes, **plain(told)}


def _plain(found: Diversity, features: tuple[str, ...]) -> dict[str, Any]:
    """Correlations as matrices and their means, and what each member pays for each feature that varies."""
    tested = np.flatnonzero(np.isfinite(found.together.value)).tolist()
    pays = {
        features[k]: {
            "members": [slopes.value[k] for slopes in found.slopes],
            "together": found.together.value[k],
            "agreement": found.agreement[k],
        }
        for k in tested
    }
    both = {name: getattr(found, name) for name in ("margins", "errors")}
    correlated = {
        name: {"matrix": one.matrix, "mean": None if one.mean is None else one.mean._asdict()}
        for name, one in both.items()
    }
    return {"accuracy": found.accuracy, **correlated, "features": pays}


class _Held(NamedTuple):
    """Held-out pairs that are scored before and after."""

    groups: Ints  # (n,)
    features: tuple[Feature, ...]  # k of them
    x: Floats  # (n, k), differences chosen − rejected
    models: Floats  # (m, n), margins of the models given
    after: Floats  # (n,), margins of what was made


def run_adjust(config: AdjustConfig, *, watch: Watch = lambda *_: None) -> Adjustment:
    """Make another reward model of frozen ones, write it, and compare it with the one before.

    Raises:
        InputError: the input, a name or an option cannot be used, or there is too little data.
        BackendError: a reward model did not answer.
    """
    config.check_places()
    if config.method is None:
        raise InputError("no method", where="--method", expected=f"one of {', '.join(METHODS)}")
    if config.method not in METHODS:
        raise UnknownName("method", config.method, METHODS, where="--method")
    make = METHODS[config.method]
    rule = [f"rule={config.rule}"] if config.rule is not None else []
    options = read_options(make, (*config.option, *rule), handed=("given",))
    features = {feature.name: feature for feature in declared()}
    targets = tuple(dict.fromkeys(meant(config.target, features, "--target")))
    if config.method in AIMED and not targets:
        raise InputError(f"{config.method} needs a target", where="--target", fix="--target characters")
    watch("reading", 0, 5)
    inputs = _read(config)
    check_models(config.method, inputs.reward_models)
    watch("measuring", 1, 5)
    every = tuple({feature.name: feature for feature in (*features.values(), *targets)}.values())
    given = _given(config, inputs, measure(every, pairs=inputs.pairs, responses=inputs.responses), targets)
    try:
        return _made(config, given, options, watch)
    except NotEnoughData as refusal:
        raise InputError(f"not enough data: it needs {refusal.needs}", where=f"--method {config.method}") from None


def _read(config: AdjustConfig) -> Inputs:
    shared = {name: getattr(config, name) for name in ScoreConfig.__dataclass_fields__ if hasattr(config, name)}
    options = ScoreConfig(**(shared | {"out": None}))
    return sampled(read(options), options)


def _given(config: AdjustConfig, inputs: Inputs, measures: Measures, targets: tuple[Feature, ...]) -> Given:
    """Some prompts to make it on, and the others, which responses must not come from either."""
    assert inputs.pairs is not None  # for mypy: `check_places` looked
    names = inputs.pairs.frame["group"].unique(maintain_order=True)
    order = stream(config.seed, "adjust.split").permutation(len(names))
    held = names.gather(order[: max(1, round(config.held_out * len(names)))])
    return Given(
        method=str(config.method),
        specs=config.reward_model,
        models=inputs.reward_models,
        pairs=inputs.pairs,
        measures=measures,
        usable=_outside(inputs.pairs.frame, held),
        targets=tuple(targets),
        responses=inputs.responses,
        usable_responses=None if inputs.responses is None else _outside(inputs.responses.frame, held),
        rng=stream(config.seed, f"adjust.{config.method}"),
    )


def _outside(frame: pl.DataFrame, held: pl.Series) -> Bools:
    rows: Bools = (~frame["group"].is_in(held.implode())).to_numpy()
    return rows


def _made(config: AdjustConfig, given: Given, options: dict[str, Any], watch: Watch) -> Adjustment:
    frame = given.pairs.frame
    scores = score_tables(given.models, {side: (frame["prompt"], frame[side]) for side in _SIDES}, watch)
    margins = np.stack([scores.of("chosen", name) - scores.of("rejected", name) for name in scores.models])
    watch("adjusting", 2, 5)
    made = METHODS[given.method](given, **options)
    watch("comparing", 3, 5)
    result = _compared(config, given, made, _held(given, made, margins))
    watch("writing", 4, 5)
    made.save(at_home(str(config.out)))
    return result


def _held(given: Given, made: Made, margins: Floats) -> _Held:
    """Score the held-out pairs anew.

    Raises:
        NotEnoughData: too few of their prompts have scores.
    """
    chosen, rejected = np.split(np.asarray(made.score(*given.answers(~given.usable)), dtype=np.float64), 2)
    after = np.full(len(given.pairs), np.nan)
    after[~given.usable] = chosen - rejected
    rows = np.flatnonzero(np.isfinite(after) & np.isfinite(margins).all(axis=0))
    groups = given.pairs.groups[rows]
    prompts = np.unique(groups).size
    if prompts < FEWEST_PROMPTS:
        raise NotEnoughData(f"at least {FEWEST_PROMPTS} prompts with scores of both answers, got {prompts}")
    features = given.measures.on("chosen")
    return _Held(groups, features, regressors(given.measures, features, rows), margins[:, rows], after[rows])


def _compared(config: AdjustConfig, given: Given, made: Made, held: _Held) -> Adjustment:
    before = held.models[-1]
    slopes = [standardised_slopes(held.x, margins, held.groups) for margins in (before, held.after)]
    changes = slope_changes(held.x, before, held.after, held.groups)
    readings = [
        Reading(feature.name, *(estimate(found, k, UNIT, _SLOPE) for found in (*slopes, changes)))
        for k, feature in enumerate(held.features)
    ]
    named = {feature.name for feature in given.targets}
    others = [reading for reading in readings if reading.name not in named and reading.change is not None]
    elsewhere = max(others, key=lambda reading: abs(reading.change.value if reading.change else 0.0), default=None)
    p = elsewhere.change.p if elsewhere is not None and elsewhere.change is not None else None
    several = len(given.models) > 1
    return Adjustment(
        method=given.method,
        spec=f"{made.kind}:{config.out}{'' if made.kind == 'linear' else trusting(given.specs)}",
        before=given.models[-1].name,
        pairs=len(held.after),
        prompts=int(np.unique(held.groups).size),
        accuracy=_accuracy(held),
        targets=tuple(reading for reading in readings if reading.name in named),
        elsewhere=elsewhere,
        elsewhere_sure=p is not None and p * len(others) <= 0.05,
        members=tuple(model.name for model in given.models) if several else (),
        features=tuple(feature.name for feature in held.features),
        diversity=diversity(held.models, held.x, held.groups) if several else None,
        notes=made.notes,
    )


def _accuracy(held: _Held) -> Reading:
    """Share of pairs whose chosen answer scores higher, ties half."""
    right = [(np.sign(margins) + 1) / 2 for margins in (held.models[-1], held.after)]
    found = []
    for values, unit in ((right[0], "share of pairs"), (right[1], "share of pairs"), (right[1] - right[0], "share")):
        value, low, high, p, n = clustered_mean(values, held.groups)
        found.append(Estimate(value, low, high, n, unit, "mean over pairs, clustered by prompt", p))
    return Reading("accuracy", *found)
