"""A repair: read, measure, plan, carry out, look at what changed, write."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.findings import Audit, Estimate
from dehusk.core.keywords import read_options
from dehusk.core.kinds import Feature, repairs
from dehusk.core.messages import Text
from dehusk.core.options import AuditConfig, RepairConfig, at_home, parse_map
from dehusk.core.plans import Plan
from dehusk.core.tables import Floats, Measures, Pairs
from dehusk.features.intents import meant
from dehusk.features.measuring import declared, measure
from dehusk.inputs import Inputs, Watch
from dehusk.io import read_pairs, write_pairs, write_table
from dehusk.io.atomic import table_kind
from dehusk.io.pairs import LoadedPairs
from dehusk.probes.data.contrast import SHIFT_UNIT, estimate, shifts
from dehusk.repairs import apply
from dehusk.workflow.auditing import audit_tables
from dehusk.workflow.handing import HANDED, handed, refuse_unasked

METHOD = "clustered mean of signs"


@dataclass(frozen=True)
class Change:
    """Win-rate shift of one feature before and after; None where there is no number."""

    feature: str
    before: Estimate | None
    after: Estimate | None

    @property
    def moved(self) -> float:
        """How far it moved; 0 where it cannot be said."""
        return 0.0 if self.before is None or self.after is None else self.after.value - self.before.value

    @property
    def grew(self) -> float:
        """How much farther from 0 it is now, whichever side."""
        if self.before is None or self.after is None:
            return -math.inf
        return abs(self.after.value) - abs(self.before.value)


@dataclass(frozen=True)
class Repair:
    """What a repair did, or would do."""

    plan: Plan
    repaired: Pairs
    pairs: int  # in the file
    before_effective: float  # effective sample size of the file's own weights
    effective: float  # of what would be written, added pairs included
    flipped: int
    reweighted: int
    added: int
    targets: tuple[Change, ...]
    others: tuple[Change, ...]  # every other declared feature
    notes: tuple[Text, ...]
    audits: tuple[Audit, Audit] | None = None

    @property
    def most_moved(self) -> Change | None:
        """The other feature whose shift changed most."""
        return max(self.others, key=lambda change: abs(change.moved), default=None)

    @property
    def most_grown(self) -> Change | None:
        """The other feature that went farthest from 0, if any did."""
        worst = max(self.others, key=lambda change: change.grew, default=None)
        return worst if worst is not None and worst.grew > 0 else None

    def as_dict(self) -> dict[str, Any]:
        """JSON's own types."""
        numbers = {
            "repair": self.plan.repair,
            "pairs": self.pairs,
            "kept": self.pairs - self.plan.lost,
            "lost": self.plan.lost,
            "flipped": self.flipped,
            "reweighted": self.reweighted,
            "added": self.added,
            "effective_before": self.before_effective,
            "effective": self.effective,
        }
        notes = [note.render("en") for note in self.notes]
        changes = {name: [asdict(one) for one in getattr(self, name)] for name in ("targets", "others")}
        return {**numbers, "notes": notes, **changes}


def run_repair(config: RepairConfig, *, watch: Watch = lambda *_: None) -> Repair:
    """Repair preference pairs by one method and write them in the layout they came in.

    Raises:
        InputError: the input, a name or an option cannot be used, or there is too little data for the method.
        BackendError: a reward model did not answer.
    """
    config.check_places()
    if config.method is None:
        known = ", ".join(row.name for row in repairs)
        raise InputError("no method", where="--method", expected=f"one of {known}", fix="--method match")
    method = repairs[config.method]
    options = read_options(method.thing, config.option, handed=HANDED)
    features = {feature.name: feature for feature in declared()}
    named = {feature.name: feature for feature in meant(config.target, features, "--target")}
    refuse_unasked(config, method.thing)
    if config.out is not None:
        table_kind(at_home(config.out))
    watch("reading", 0, 5)
    loaded = read_pairs(
        at_home(str(config.pairs)), columns=parse_map(config.map), layout=config.layout, lang=config.lang
    )
    watch("measuring", 1, 5)
    measures = measure((features | named).values(), pairs=loaded.pairs)
    targets = _varying(tuple(named), measures)
    given = handed(config, loaded.pairs, measures, targets, watch)
    watch("planning", 2, 5)
    try:
        plan = method.thing(**given, **options)
    except NotEnoughData as refusal:
        raise InputError(f"not enough data: it needs {refusal.needs}", where=f"--method {method.name}") from None
    return _carried_out(config, _renamed(plan, loaded), loaded, measures, targets, watch)


def _carried_out(
    config: RepairConfig, plan: Plan, loaded: LoadedPairs, measures: Measures, targets: tuple[str, ...], watch: Watch
) -> Repair:
    """Apply a plan, compare before with after, and write what is to be written."""
    pairs = loaded.pairs
    if not plan.kept.any() and plan.added is None:
        raise InputError("no pair would be left", where=f"--method {plan.repair}", fix="milder options")
    repaired = apply(plan, pairs)
    watch("comparing", 3, 5)
    changes = _changes(pairs, measures, repaired, measure(measures.features, pairs=repaired))
    paged = config.report is not None and not config.dry_run
    audits = _audits(config, loaded, repaired, watch) if paged else None
    watch("writing", 4, 5)
    notes = plan.notes
    if not config.dry_run:
        out = at_home(str(config.out))
        notes += write_pairs(out, repaired, loaded.origin, beside=tuple(plan.columns))
        write_table(f"{out}.plan.parquet", decisions(plan, pairs, config.lang))
    old = pairs.frame["weight"].to_numpy()
    return Repair(
        plan=plan,
        repaired=repaired,
        pairs=len(pairs),
        before_effective=_effective(old),
        effective=_effective(repaired.frame["weight"].to_numpy()),
        flipped=0 if plan.flipped is None else int((plan.flipped & plan.kept).sum()),
        reweighted=int((plan.kept & (np.abs(plan.weight - old) > 1e-9)).sum()),
        added=0 if plan.added is None else len(plan.added),
        targets=tuple(change for name in targets for change in changes if change.feature == name),
        others=tuple(change for change in changes if change.feature not in targets),
        notes=notes,
        audits=audits,
    )


def decisions(plan: Plan, pairs: Pairs, lang: str) -> pl.DataFrame:
    """What became of each pair of the file: pair_id, row, kept, flipped, weight, reason and the plan's numbers."""
    flipped = np.zeros(len(pairs), dtype=bool) if plan.flipped is None else plan.flipped
    return pairs.frame.select("pair_id", "row").with_columns(
        pl.Series("kept", plan.kept),
        pl.Series("flipped", flipped),
        pl.Series("weight", plan.weight),
        pl.Series("reason", [why and why.render(lang) for why in plan.reason], dtype=pl.String),
        *(pl.Series(name, values, dtype=pl.Float64) for name, values in plan.columns.items()),
    )


def _effective(weight: Floats) -> float:
    """Effective sample size (Kish, 1965)."""
    return float(weight.sum() ** 2 / (weight**2).sum())


def _varying(targets: tuple[str, ...], measures: Measures) -> tuple[str, ...]:
    """Of several targets, as a family names them, those that differ in some pair; all of them where none does."""
    sides = [measures.frames[side] for side in ("chosen", "rejected")]
    varying = tuple(name for name in targets if not sides[0][name].equals(sides[1][name]))
    return varying or targets


def _changes(pairs: Pairs, measures: Measures, repaired: Pairs, after: Measures) -> list[Change]:
    features: tuple[Feature, ...] = measures.features
    found = []
    for table, measured in ((pairs, measures), (repaired, after)):
        effects = shifts(table, measured, features, [np.arange(len(table))])[0]
        found.append([estimate(effects, k, SHIFT_UNIT, METHOD) for k in range(len(features))])
    return [Change(feature.name, *both) for feature, *both in zip(features, *found, strict=True)]


def _renamed(plan: Plan, loaded: LoadedPairs) -> Plan:
    """The plan with other names for columns that the file already has."""
    taken = {*loaded.origin.raw.frame.columns, *loaded.pairs.frame.columns}
    names = {name: f"{name}_{plan.repair}" if name in taken else name for name in plan.columns}
    return replace(plan, columns={names[name]: values for name, values in plan.columns.items()})


def _audits(config: RepairConfig, loaded: LoadedPairs, repaired: Pairs, watch: Watch) -> tuple[Audit, Audit]:
    """Audits of the pairs before and after, with the targets declared unwanted."""
    options = AuditConfig(
        pairs=config.pairs, unwanted=config.target, map=config.map, layout=config.layout, lang=config.lang,
        seed=config.seed,
    )  # fmt: skip
    record = loaded.record
    before = Inputs(pairs=loaded.pairs, checks=loaded.checks, records=(record,))
    name = config.out or f"{record.name} ({config.method})"
    after = Inputs(pairs=repaired, records=(replace(record, name=name, rows=len(repaired), sha256="", notes=()),))
    return audit_tables(before, options, watch=watch).audit, audit_tables(after, options, watch=watch).audit
