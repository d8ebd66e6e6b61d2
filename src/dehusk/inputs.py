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
from dehusk.core.tables import Checks, Counterfactuals, Pairs, ResponseChecks, Responses, Scores, TrainLog
from dehusk.io import read_counterfactuals, read_log, read_pairs, read_responses
from dehusk.rewards import open_models, score_tables

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
    """Read the files that were named, and open the reward models.

    Raises:
        InputError: nothing was named, or a file cannot be used.
    """
    columns = parse_map(config.map)
    found = Inputs(reward_models=open_models(config))
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
        rewrites, record = read_counterfactuals(at_home(config.counterfactuals), columns=columns)
        found = replace(found, counterfactuals=rewrites, records=(*found.records, record))
    if isinstance(config, AuditConfig) and config.log is not None:
        log, record = read_log(at_home(config.log))
        found = replace(found, log=log, records=(*found.records, record))
    if not found.records:
        verb = "audit" if isinstance(config, AuditConfig) else "score"
        raise InputError(f"nothing to {verb}", fix="--pairs FILE, or --responses NAME=FILE for two stages")
    return found


def scored(inputs: Inputs, watch: Watch = lambda *_: None) -> Inputs:
    """Score every text with every reward model; without any, scores that came with the answers are used.

    Raises:
        BackendError: a reward model did not answer.
    """
    sides = {
        "pairs": (inputs.pairs, ("chosen", "rejected")),
        "responses": (inputs.responses, ("response",)),
        "counterfactuals": (inputs.counterfactuals, ("original", "edited")),
    }
    texts = {
        side: (table.frame["prompt"], table.frame[side])
        for table, names in sides.values()
        if table is not None
        for side in names
    }
    if inputs.reward_models and texts:
        return replace(inputs, scores=score_tables(inputs.reward_models, texts, watch))
    if inputs.responses is not None and "score" in inputs.responses.frame.columns:
        frame = inputs.responses.frame.select(pl.col("score"))
        return replace(inputs, scores=Scores(models=("score",), frames={"response": frame}))
    return inputs


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
