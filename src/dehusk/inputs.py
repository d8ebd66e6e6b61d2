"""What an audit looks at: the files a config names, read into tables and scored by its reward models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from dehusk.core.errors import InputError
from dehusk.core.kinds import RewardModel, scores_new_texts
from dehusk.core.options import AuditConfig, ScoreConfig, at_home, parse_map, parse_source
from dehusk.core.run import InputRecord, stream
from dehusk.core.tables import Checks, Counterfactuals, Pairs, ResponseChecks, Responses, Scores, Table, TrainLog
from dehusk.io import read_counterfactuals, read_log, read_pairs, read_responses
from dehusk.rewards import ScoreFile, open_models, parse_model, score_tables

Watch = Callable[[str, int, int], None]  # (key of the step's name, steps done, steps in all)


@dataclass(frozen=True)
class Inputs:
    """What an audit looks at; each part may be missing."""

    pairs: Pairs | None = None
    checks: Checks | None = None
    responses: Responses | None = None
    response_checks: ResponseChecks | None = None
    counterfactuals: Counterfactuals | None = None
    log: TrainLog | None = None
    reward_models: tuple[RewardModel, ...] = ()  # earlier checkpoints first; the last is audited
    scores: Scores | None = None
    records: tuple[InputRecord, ...] = ()

    @property
    def reward_model(self) -> RewardModel | None:
        """The model that is audited, if it can score texts it has not seen."""
        return self.reward_models[-1] if self.reward_models and scores_new_texts(self.reward_models[-1]) else None


def read(config: AuditConfig | ScoreConfig) -> Inputs:
    """Read the files that were named, then open the reward models, which may take longer.

    Raises:
        InputError: nothing was named, or a file or a model cannot be used.
    """
    columns = parse_map(config.map)
    for spec in config.reward_model:
        parse_model(spec)  # a misspelt kind need not wait for the files
    found = Inputs()
    if config.pairs is not None:
        loaded = read_pairs(at_home(config.pairs), columns=columns, layout=config.layout, lang=config.lang)
        found = replace(found, pairs=loaded.pairs, checks=loaded.checks, records=(loaded.record,))
    if config.responses:
        sources = [parse_source(entry) for entry in config.responses]
        answers = read_responses(sources, columns=columns, stages=config.stages, lang=config.lang)
        found = replace(
            found,
            responses=answers.responses,
            response_checks=answers.checks,
            records=found.records + answers.records,
        )
    if isinstance(config, AuditConfig) and config.counterfactuals is not None:
        rewrites, record = read_counterfactuals(at_home(config.counterfactuals), columns=columns, lang=config.lang)
        found = replace(found, counterfactuals=rewrites, records=(*found.records, record))
    if isinstance(config, AuditConfig) and config.log is not None:
        log, record = read_log(at_home(config.log), columns=columns, lang=config.lang)
        found = replace(found, log=log, records=(*found.records, record))
    if not found.records:
        verb = "audit" if isinstance(config, AuditConfig) else "score"
        raise InputError(f"nothing to {verb}", fix="--pairs FILE, or --responses NAME=FILE for two stages")
    models = open_models(config)
    files = tuple(model.record for model in models if isinstance(model, ScoreFile))
    return replace(found, reward_models=models, records=found.records + files)


def scored(inputs: Inputs, watch: Watch = lambda *_: None) -> Inputs:
    """Score every text with every reward model; without any, scores that came with the answers are used.

    Raises:
        BackendError: a reward model did not answer.
    """
    texts = {side: (table.frame["prompt"], table.frame[side]) for side, table in _sides(inputs).items()}
    if inputs.reward_models and texts:
        scores = score_tables(inputs.reward_models, texts, watch)
        looked = sum(len(answers) for _, answers in texts.values())
        told = tuple(record for model in inputs.reward_models for record in _records(model, looked))
        return replace(inputs, scores=scores, records=inputs.records + told)
    if inputs.responses is not None and "score" in inputs.responses.frame.columns:
        frame = inputs.responses.frame.select(pl.col("score"))
        return replace(inputs, scores=Scores(models=("score",), frames={"response": frame}))
    return inputs


def _records(model: RewardModel, texts: int) -> tuple[InputRecord, ...]:
    """What a model says of itself once it has scored: how it was loaded, and what its texts look like."""
    inner = getattr(model, "model", model)
    notes = tuple(getattr(inner, "notes", ()))
    kind = type(inner).__name__.lower()
    return (
        (InputRecord("reward_model", model.name, kind, texts, getattr(inner, "identity", ""), notes),) if notes else ()
    )


def scores_table(inputs: Inputs, scores: Scores) -> pl.DataFrame:
    """Every score as a row, for a file: pair_id or response_id, side, prompt, response, model, score.

    With its texts it is a file that the kind `scores:` reads. A text without a score has null.
    """
    parts = []
    for side, table in _sides(inputs).items():
        texts = table.frame.select(
            *(name for name in ("pair_id", "response_id") if name in table.frame.columns),
            pl.lit(side).alias("side"),
            "prompt",
            pl.col(side).alias("response"),
        )
        for model in scores.models:
            score = pl.Series("score", scores.of(side, model)).fill_nan(None)
            parts.append(texts.with_columns(pl.lit(model).alias("model"), score))
    return pl.concat(parts, how="diagonal")


def _sides(inputs: Inputs) -> dict[str, Table]:
    """The table that holds each side's texts, of those that are there."""
    tables = {
        "chosen": inputs.pairs,
        "rejected": inputs.pairs,
        "response": inputs.responses,
        "original": inputs.counterfactuals,
        "edited": inputs.counterfactuals,
    }
    return {side: table for side, table in tables.items() if table is not None}


def sampled(inputs: Inputs, config: AuditConfig | ScoreConfig) -> Inputs:
    """Keep whole prompts, chosen at random, until `config.sample` rows are reached."""
    if config.sample is None:
        return inputs
    rng = stream(config.seed, "sample")
    pairs, responses, checks, noticed = inputs.pairs, inputs.responses, inputs.checks, inputs.response_checks
    if pairs is not None:
        whole, pairs = len(pairs), Pairs(_some_prompts(pairs.frame, config.sample, rng))
        checks = None if checks is None else _some_checks(checks, pairs, len(pairs) / max(whole, 1), rng)
    if responses is not None:
        responses = Responses(_some_prompts(responses.frame, config.sample, rng), responses.stages)
    if responses is not None and noticed is not None:
        noticed = ResponseChecks(noticed.frame.join(responses.frame, on="group", how="semi", maintain_order="left"))
    return replace(inputs, pairs=pairs, responses=responses, checks=checks, response_checks=noticed)


def _some_checks(checks: Checks, pairs: Pairs, share: float, rng: np.random.Generator) -> Checks:
    """Checks of the rows that were kept, and of the same share of the rows that could not be read as pairs."""
    lost = checks.frame.filter(~pl.col("kept"))["row"].unique().sort()
    some = lost.filter(pl.Series(rng.random(len(lost)) < share, dtype=pl.Boolean))
    rows = pl.concat([pairs.frame["row"], some]).unique()
    return Checks(checks.frame.filter(pl.col("row").is_in(rows.implode())))


def _some_prompts(frame: pl.DataFrame, rows: int, rng: np.random.Generator) -> pl.DataFrame:
    sizes = (
        frame.group_by("group").len().sort("group").sample(fraction=1.0, shuffle=True, seed=int(rng.integers(2**31)))
    )
    kept = sizes.filter(pl.col("len").cum_sum().shift(1, fill_value=0) < rows)
    return frame.join(kept.select("group"), on="group", how="semi", maintain_order="left")
