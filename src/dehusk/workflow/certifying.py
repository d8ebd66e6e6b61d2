"""A certificate: read, score with both reward models, measure, let both choose, judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from dehusk.certification import Contest, Judged, Labels, Margins, certify
from dehusk.core.certificates import Certificate, Role
from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import GlossaryEntry, Intent
from dehusk.core.kinds import Feature
from dehusk.core.messages import say
from dehusk.core.options import CertifyConfig, ScoreConfig
from dehusk.core.run import InputRecord, RunRecord, stream
from dehusk.core.tables import Floats, Measures, Pairs, Responses, Scores
from dehusk.features.intents import declare, meant
from dehusk.features.measuring import declared, measure
from dehusk.inputs import Inputs, Watch, read, sampled, scored
from dehusk.probes.policy.comparison import Reading, readings
from dehusk.probes.selection.pools import Pool, pool_of
from dehusk.rewards import parse_model
from dehusk.stats.ranking import normal_scores

_FEWEST = 2  # answers a prompt


def run_certify(config: CertifyConfig, *, watch: Watch = lambda *_: None) -> Certificate:
    """Certify a reward model against the one it was repaired from.

    Args:
        config: What to read, which models, which targets, and what does not matter.
        watch: Called before each step with its name, the steps done and the steps in all.

    Returns:
        The verdict with everything behind it; the same config and files give the same certificate.

    Raises:
        InputError: something is missing, or cannot be used.
        BackendError: a reward model did not answer.
    """
    config.check_given()
    features, intents = _declared(config)
    asked = _asked(config)
    watch("reading", 0, 4)
    read_in = sampled(read(asked), asked)
    inputs = scored(read_in, watch)
    answers, notes = _answers(inputs)
    watch("measuring", 2, 4)
    measures = measure(features, responses=answers.table)
    watch("choosing", 3, 4)
    labels = _labels(inputs)
    margins = Margins(
        config.margin, config.growth, config.gold_margin, config.accuracy_margin, config.detectable, config.level
    )
    prompts, least = 0, 0
    try:
        pool = pool_of(answers.table, answers.scores("after"), stream(config.seed, "pool"), last=True, fewest=_FEWEST)
        contest = _contest(pool, answers, measures, intents)
        prompts, least = int(contest.clusters.max()) + 1, pool.least
        rng = stream(config.seed, "certify")
        judged = certify(contest, rng, labels=labels, nats=config.nats, margins=margins)
    except NotEnoughData as refusal:
        told = say("certify.few_answers", needs=refusal.needs)
        judged = Judged("not_enough_data", "few_answers", told, (), (), (), ())
    told_of = {shift.feature for shift in judged.shifts}
    return Certificate(
        run=RunRecord("certify", config.record(), config.seed, config.lang),
        inputs=_records(read_in, inputs, notes, config.lang),
        models={name: str(config.record()[name]) for name in _models(config)} | answers.gold_name,
        margins={name: getattr(margins, name) for name in vars(margins)} | {"nats": config.nats},
        prompts=prompts,
        answers=least,
        glossary=tuple(
            GlossaryEntry(one.name, one.unit, one.family, one.about, one.mined)
            for one in features
            if one.name in told_of
        ),
        **vars(judged),
    )


def _declared(config: CertifyConfig) -> tuple[tuple[Feature, ...], dict[str, Intent]]:
    """All features with what the user says of them; a target is unwanted, whatever else it is said to be."""
    targets = meant(config.target, {one.name: one for one in declared()}, "--target")
    features, intents = declare(declared(), unwanted=(), wanted=config.wanted)
    known = {one.name: one for one in features} | {one.name: one for one in targets}
    return tuple(known.values()), intents | dict.fromkeys((one.name for one in targets), "unwanted")


def _models(config: CertifyConfig) -> list[str]:
    return [name for name in ("before", "after", "gold") if getattr(config, name) is not None]


def _asked(config: CertifyConfig) -> ScoreConfig:
    """The options of scoring with every model under the name of its part."""
    parts = {name: parse_model(getattr(config, name), f"--{name}") for name in _models(config)}
    return ScoreConfig(
        reward_model=tuple(f"{name}={kind}:{where}" for name, (_, kind, where) in parts.items()),
        pairs=config.pairs,
        responses=() if config.responses is None else (config.responses,),
        **{
            name: getattr(config, name)
            for name in ("map", "layout", "sample", "seed", "lang", "store", "device", "dtype", "batch_tokens")
        },
        max_length=config.max_length,
    )


@dataclass(frozen=True)
class _Answers:
    """The answers that all models scored, and their scores."""

    table: Responses
    scored: Mapping[str, Floats]  # "before", "after", perhaps "gold" -> (n,)
    gold_name: dict[str, str]

    def scores(self, name: str) -> Scores:
        return Scores((name,), {"response": pl.DataFrame({name: self.scored[name]})})


def _answers(inputs: Inputs) -> tuple[_Answers, tuple[str, ...]]:
    """Answers with a score by everything that scores, and how many have none."""
    assert inputs.scores is not None  # for mypy: there are models and texts
    if inputs.responses is None:
        assert inputs.pairs is not None  # for mypy: something was given
        table, sides = _as_answers(inputs.pairs), ["chosen", "rejected"]
    else:
        table, sides = inputs.responses, ["response"]
    given = {name: np.concatenate([inputs.scores.of(side, name) for side in sides]) for name in inputs.scores.models}
    column = "gold" not in given and "gold" in table.frame.columns
    if column:
        given["gold"] = table.frame["gold"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    whole = np.isfinite(np.stack(list(given.values()))).all(axis=0)
    kept = table.frame.filter(pl.Series(whole))
    stages = tuple(stage for stage in table.stages if (kept["stage"] == stage).any())
    found = _Answers(
        Responses(kept, stages),
        {name: one[whole] for name, one in given.items()},
        {"gold": "column gold"} if column else {},
    )
    return found, (str(int((~whole).sum())), str(whole.size)) if not whole.all() else ()


def _as_answers(pairs: Pairs) -> Responses:
    """Both answers of every pair as a pool of two; the prompt stays known, since its pairs belong together."""
    parts = [
        pairs.frame.select(
            (pl.col("pair_id") + f".{side}").alias("response_id"),
            "row",
            "prompt",
            pl.col(side).alias("response"),
            pl.lit("pairs").alias("stage"),
            pl.col("pair_id").alias("group"),
            pl.col("group").alias("cluster"),
        )
        for side in ("chosen", "rejected")
    ]
    return Responses(pl.concat(parts), ("pairs",))


def _contest(pool: Pool, answers: _Answers, measures: Measures, intents: Mapping[str, Intent]) -> Contest:
    reads = [several[0] for several in readings(answers.table, measures)]
    roles: dict[Intent | None, Role] = {"unwanted": "target", "wanted": "wanted"}
    measured = [one.of(measures.values("response", one.feature.name)) for one in reads]
    frame = answers.table.frame
    clusters = frame["cluster"].rank("dense").to_numpy()[pool.rows[:, 0]] if "cluster" in frame.columns else None
    numbered = np.arange(len(pool.rows)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    return Contest(
        features=tuple(one.feature for one in reads),
        units=tuple("share" if one.kind == "rate" else "SD" for one in reads),
        means=tuple(float(np.nanmean(column)) for column in measured),
        roles=tuple(roles.get(intents.get(one.feature.name), "other") for one in reads),
        values=np.stack([pool.spread(scale(column, one)) for column, one in zip(measured, reads, strict=True)], axis=2),
        before=pool.spread(answers.scored["before"]),
        after=pool.scores,
        gold=pool.spread(answers.scored["gold"]) if "gold" in answers.scored else None,
        clusters=numbered.astype(np.int64),
        least=pool.least,
    )


def scale(column: Floats, reading: Reading) -> Floats:
    """A reading as a certificate averages it, shape (n,): a rate as it is, an amount as normal scores.

    A single answer of endless repetition would outweigh the prompts without one.
    """
    return column if reading.kind == "rate" else normal_scores(column)


def _labels(inputs: Inputs) -> Labels | None:
    """How both models do on the pairs that both scored; None without pairs."""
    if inputs.pairs is None or inputs.scores is None:
        return None
    scores = inputs.scores
    gaps = {name: scores.of("chosen", name) - scores.of("rejected", name) for name in ("before", "after")}
    whole = np.isfinite(gaps["before"]) & np.isfinite(gaps["after"])
    right = {name: (gap[whole] > 0) + 0.5 * (gap[whole] == 0) for name, gap in gaps.items()}
    clusters = np.unique(inputs.pairs.groups[whole], return_inverse=True)[1]
    return Labels(right["before"], right["after"], clusters.astype(np.int64))


def _records(read_in: Inputs, inputs: Inputs, notes: tuple[str, ...], lang: str) -> tuple[InputRecord, ...]:
    """The files with their hashes, and the models with their identities."""
    assert inputs.scores is not None  # for mypy: there are models and texts
    texts = sum(frame.height for frame in inputs.scores.frames.values())
    models = []
    for model in inputs.reward_models:
        inner = getattr(model, "model", model)
        told = tuple(getattr(inner, "notes", ()))
        identity = getattr(inner, "identity", None) or ""
        models.append(InputRecord("reward_model", model.name, type(inner).__name__.lower(), texts, identity, told))
    files = list(read_in.records)
    if notes and files:
        said = say("certify.left_out", rows=int(notes[0]), all=int(notes[1])).render(lang)
        files[-1] = replace(files[-1], notes=(*files[-1].notes, said))
    return (*files, *models)
