"""A fit: read, measure, hold prompts out, fit heads or train a model, write what can be opened again."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.findings import Audit
from dehusk.core.keywords import read_options
from dehusk.core.kinds import objectives
from dehusk.core.messages import Text, say
from dehusk.core.options import AuditConfig, FitConfig, at_home, parse_map
from dehusk.core.run import stream
from dehusk.core.tables import Bools, Floats, Measures, Pairs, Scores
from dehusk.features.intents import meant
from dehusk.features.measuring import declared, measure
from dehusk.fitting.descent import Schedule
from dehusk.fitting.exporting import CLASSIFIER, no_classifier, save_as_classifier, save_heads
from dehusk.fitting.heads import fit_heads
from dehusk.fitting.monitor import LENGTH, Monitor
from dehusk.fitting.objectives import Objective
from dehusk.fitting.token_pairs import token_pairs
from dehusk.fitting.trainer import train_model
from dehusk.fitting.training_set import Places, Points, TrainingSet, training_set
from dehusk.inputs import Inputs, Watch
from dehusk.io import read_pairs, write_atomic
from dehusk.rewards.embedding import Embedder, open_embedder
from dehusk.rewards.heads import Place
from dehusk.rewards.precision import pick_device
from dehusk.rewards.store import Store
from dehusk.workflow.auditing import audit_tables
from dehusk.workflow.fit_card import Fit


def run_fit(config: FitConfig, *, watch: Watch = lambda *_: None) -> Fit:
    """Fit a reward model to preference pairs.

    Raises:
        InputError: the input, a name or an option cannot be used, or there is too little data.
        MissingExtra: the libraries for models, or for training, are not installed.
    """
    config.check_places()
    start = time.perf_counter()
    entry = objectives[config.objective]
    if "text" in entry.options.get("needs", ()) and config.train == "heads":
        raise InputError(
            "it needs a language model that is trained", where=f"--objective {entry.name}", fix="--train lora"
        )
    objective: Objective = entry.thing(**read_options(entry.thing, config.option, handed=()))
    features = {feature.name: feature for feature in declared()}
    named = {feature.name: feature for feature in meant(config.target, features, "--target")}
    watch("reading", 0, 4)
    loaded = read_pairs(
        at_home(str(config.pairs)), columns=parse_map(config.map), layout=config.layout, lang=config.lang
    )
    watch("measuring", 1, 4)
    measures = measure((named | {LENGTH: features[LENGTH]}).values(), pairs=loaded.pairs)
    pairs = loaded.pairs if config.margins else Pairs(loaded.pairs.frame.drop("margin", strict=False))
    job = _Job(config, objective, tuple(named), pairs, measures, _held_out(pairs, config), watch)
    try:
        found = job.heads() if config.train == "heads" else job.model()
    except NotEnoughData as lack:
        raise InputError(f"not enough data: it needs {lack.needs}", where=str(config.pairs)) from None
    found = replace(found, seconds=time.perf_counter() - start)
    write_atomic(job.folder / "README.md", found.card(config, loaded.record))
    return found


def _held_out(pairs: Pairs, config: FitConfig) -> Bools:
    """Pairs of a random share of the prompts, shape (n,)."""
    count = int(pairs.groups.max(initial=-1)) + 1
    apart = np.zeros(count, dtype=bool)
    apart[stream(config.seed, "fit.held_out").permutation(count)[: math.ceil(config.held_out * count)]] = True
    found: Bools = apart[pairs.groups]
    if found.all():
        raise InputError("no prompt is left to fit on", where=str(config.pairs), expected="at least 2 prompts")
    return found


@dataclass(frozen=True)
class _Job:
    """What is to be fitted, to what."""

    config: FitConfig
    objective: Objective
    targets: tuple[str, ...]
    pairs: Pairs
    measures: Measures
    held_out: Bools
    watch: Watch

    @property
    def folder(self) -> Path:
        """Where everything goes."""
        return Path(at_home(str(self.config.out)))

    def heads(self) -> Fit:
        """Heads on embeddings of a frozen model."""
        config = self.config
        device = str(pick_device(config.device))
        embedder = open_embedder(
            config.embedder, config, layers=config.layers, pooling=config.pooling, store=Store(config.store)
        )
        tokens, lengths = token_pairs(self.pairs, embedder.rendering, config.overlong, stay=self.held_out)
        kept = np.zeros(len(self.pairs), dtype=bool)
        kept[tokens.rows] = True
        self.watch("embedding", 2, 4)
        needs = "foreign" in objectives[config.objective].options.get("needs", ())
        train = self._set(embedder, kept & ~self.held_out, self.targets, foreign=needs)
        apart = self._set(embedder, self.held_out, self._watched, foreign=True)
        self.watch("fitting", 3, 4)
        monitors = [Monitor(apart, every=10, stop_on=config.stop_on) for _ in range(config.members)]
        fitted = fit_heads(
            train,
            self.objective,
            rng=stream(config.seed, "fit.heads"),
            l2=config.l2,
            members=config.members,
            vary=config.vary,
            schedule=Schedule(steps=config.steps, device=device),
            monitors=monitors,
        )
        place = Place(config.embedder, config.layers, config.pooling, config.max_length)
        saved = save_heads(self.folder, fitted.heads, place, train)
        for monitor, folder in zip(monitors, saved.folders, strict=True):
            monitor.save(folder / "monitor.jsonl")
        why_not = no_classifier(embedder, place, fitted.heads)
        models = [saved.model]
        if why_not is None:
            save_as_classifier(self.folder / CLASSIFIER, fitted.head, embedder, place)
            models.append(f"hf:{self.folder / CLASSIFIER}")
        notes = [embedder.rendering.remark(), embedder.precision, *lengths.notes(), *([why_not] if why_not else [])]
        if not fitted.settled:
            notes.append(say("fit.unsettled", left=max(fitted.left), steps=max(fitted.steps)))
        audit = self._audit(saved.rewards(apart.chosen), saved.rewards(apart.rejected))
        return self._fit(tuple(models), len(train), monitors, notes, fitted.readings, audit, fitted.l2)

    def model(self) -> Fit:
        """A whole model, trained."""
        config = self.config
        planned = math.ceil(int((~self.held_out).sum()) * config.epochs / (config.batch * config.accumulate))
        monitor = Monitor(self._set(None, self.held_out, self._watched), planned, stop_on=config.stop_on)
        read = self.folder / "monitor.jsonl"
        if config.resume:
            monitor.load(read)

        def look(*seen: Any) -> bool:
            stop = monitor(*seen)
            monitor.save(read)  # now, for the run may not come to its end
            return stop

        trained = train_model(
            self.pairs,
            self.measures,
            replace(config, target=self.targets),
            self.objective,
            held_out=self.held_out,
            folder=self.folder,
            monitor=look,
            watch=self.watch,
        )
        audit = self._audit(trained.chosen, trained.rejected)
        return self._fit((f"hf:{self.folder}",), trained.pairs, [monitor], [*trained.notes], (trained.readings,), audit)

    @property
    def _watched(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.targets, LENGTH)))

    def _set(
        self, embedder: Embedder | None, rows: Bools, features: tuple[str, ...], *, foreign: bool = False
    ) -> TrainingSet:
        """Some of the pairs; without an embedder without points."""
        pairs = Pairs(self.pairs.frame.filter(rows))
        sides = {side: frame.filter(rows) for side, frame in self.measures.frames.items()}
        measures = replace(self.measures, frames=sides, held_out={})
        foreign = foreign and len(np.unique(pairs.groups)) > 1
        places: Places = _Nowhere() if embedder is None else embedder
        return training_set(pairs, measures, places, features, stream(self.config.seed, "fit.foreign"), foreign=foreign)

    def _audit(self, chosen: Floats, rejected: Floats) -> Audit:
        """What the labels of the m held-out pairs go with, and what their rewards, shape (m,) each, pay for.

        No text is scored for it that the fit had not scored already.
        """
        config, name = self.config, self.folder.name
        pairs = Pairs(self.pairs.frame.filter(self.held_out))
        sides = {"chosen": chosen, "rejected": rejected}
        scores = Scores((name,), {side: pl.DataFrame({name: values}) for side, values in sides.items()})
        fought = "features" in objectives[config.objective].options.get("needs", ())
        how = AuditConfig(unwanted=config.target if fought else (), seed=config.seed, lang=config.lang)
        return audit_tables(Inputs(pairs=pairs, scores=scores), how, watch=self.watch).audit

    def _fit(
        self,
        models: tuple[str, ...],
        pairs: int,
        monitors: list[Monitor],
        notes: list[Text],
        says: tuple[Mapping[str, float], ...],
        audit: Audit,
        l2: float | None = None,
    ) -> Fit:
        return Fit(
            objective=self.config.objective,
            models=models,
            pairs=pairs,
            held_out=int(self.held_out.sum()),
            train=self.config.train,
            targets=self.targets,
            watched=self._watched,
            last=tuple(monitor.readings[-1] for monitor in monitors if monitor.readings),
            l2=l2,
            seconds=0.0,
            notes=(*notes, *(note for monitor in monitors for note in monitor.notes())),
            says=says,
            audit=audit,
        )


class _Nowhere:
    """Points of no dimension, where rewards are handed over and nothing is fitted on them."""

    def embed(self, prompts: Sequence[str], responses: Sequence[str]) -> Points:
        return np.empty((len(responses), 0), dtype=np.float32)
