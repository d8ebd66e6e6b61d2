"""An audit: read, split, mine, measure, probe, judge, gather."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

import dehusk.probes.data
import dehusk.probes.forecast
import dehusk.probes.policy
import dehusk.probes.reward_model
import dehusk.probes.selection
import dehusk.probes.training_run  # noqa: F401 - importing a module adds its probes to the table
from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Audit, Finding, GlossaryEntry, Skipped
from dehusk.core.keywords import asked, required
from dehusk.core.kinds import Feature, probes
from dehusk.core.messages import say
from dehusk.core.options import AuditConfig
from dehusk.core.run import RunRecord, stream
from dehusk.core.tables import Bools, Measures, Pairs, Responses
from dehusk.features.intents import declare
from dehusk.features.measuring import declared, measure
from dehusk.features.mining import count_variants, mine
from dehusk.inputs import Inputs, Watch, read, sampled, scored
from dehusk.probes import evidence, trace


@dataclass(frozen=True)
class Outcome:
    """An audit with the tables behind it."""

    audit: Audit
    inputs: Inputs
    measures: Measures


def run_audit(config: AuditConfig, *, watch: Watch = lambda *_: None) -> Outcome:
    """Audit preference pairs, the answers of policy stages, or both.

    Args:
        config: What to read and how to judge it.
        watch: Called before each step with its name, the steps done and the steps in all.

    Returns:
        Everything found; the same config and files give the same audit.

    Raises:
        InputError: the input cannot be used.
    """
    if config.counterfactuals is None:  # what rewrites add may be named too, and only the file says what that is
        declare(declared(), unwanted=config.unwanted, wanted=config.wanted)
    watch("reading", 0, 6)
    return audit_tables(read(config), config, watch=watch)


def audit_tables(inputs: Inputs, config: AuditConfig, *, watch: Watch = lambda *_: None) -> Outcome:
    """Audit tables that are already in memory; see `run_audit`."""
    inputs = sampled(inputs, config)
    named = {"unwanted": config.unwanted, "wanted": config.wanted, "rewritten": _rewritten(inputs)}
    declare(declared(), **named)  # a misspelt name need not wait for the mining
    watch("mining", 1, 6)
    features, held_out = find_features(inputs, config.seed)
    features, intents = declare(features, **named)
    watch("measuring", 2, 6)
    measures = measure(features, pairs=inputs.pairs, responses=inputs.responses, held_out=held_out)
    measures = count_variants(measures, pairs=inputs.pairs, responses=inputs.responses)
    inputs = scored(inputs, watch)
    watch("probing", 4, 6)
    findings, skipped = run_probes(inputs, measures, config)
    findings = [finding.judged(intents.get(finding.feature or "", "unstated")) for finding in findings]
    watch("gathering", 5, 6)
    findings, proof = evidence.attach(findings, measures, pairs=inputs.pairs, responses=inputs.responses)
    found = Audit(
        run=RunRecord("audit", config.record(), config.seed, config.lang),
        inputs=inputs.records,
        findings=tuple(findings),
        trace=trace.build(findings),
        skipped=tuple(skipped),
        evidence=tuple(proof),
        glossary=_glossary(features, findings),
    )
    return Outcome(found, inputs, measures)


def _rewritten(inputs: Inputs) -> tuple[str, ...]:
    """What the user's rewrites add, by their own names."""
    table = inputs.counterfactuals
    return () if table is None else tuple(table.frame["feature"].unique(maintain_order=True))


def find_features(inputs: Inputs, seed: int) -> tuple[tuple[Feature, ...], Mapping[str, Bools]]:
    """Declared features, and those mined on a random half of the prompts of each table.

    Returns:
        The features, each name once, and for every side the rows (shape (n,)) on which mined ones may be tested.
    """
    features = {feature.name: feature for feature in declared()}
    held_out: dict[str, Bools] = {}
    for sides, table in ((("chosen", "rejected"), inputs.pairs), (("response",), inputs.responses)):
        if table is None or (isinstance(table, Responses) and len(table.stages) < 2):
            continue
        discovery = half_of_prompts(table, stream(seed, "split"))
        for feature in mine(table, discovery, stream(seed, "mine")):
            features.setdefault(feature.name, feature)
        held_out.update(dict.fromkeys(sides, ~discovery))
    return tuple(features.values()), held_out


def half_of_prompts(table: Pairs | Responses, rng: np.random.Generator) -> Bools:
    """Rows whose prompt falls into a random half of the prompts, shape (n,)."""
    groups = table.groups
    count = int(groups.max(initial=-1)) + 1
    chosen = np.zeros(count, dtype=bool)
    chosen[rng.permutation(count)[: count // 2]] = True
    rows: Bools = chosen[groups]
    return rows


def run_probes(inputs: Inputs, measures: Measures, config: AuditConfig) -> tuple[list[Finding], list[Skipped]]:
    """Hand every probe what it asks for by parameter name; name those that could not run."""
    given_to_probes = {**vars(inputs), "reward_model": inputs.reward_model, "measures": measures}
    ready: dict[str, Any] = {
        name: value for name, value in given_to_probes.items() if value not in (None, ()) and name != "records"
    }
    findings: list[Finding] = []
    skipped: list[Skipped] = []
    for probe in probes:
        needed = set(required(probe.thing))
        missing = sorted(needed - ready.keys() - {"rng"})
        if missing:
            named = dict.fromkeys(name.replace("reward_models", "reward_model") for name in missing)
            needs = ", ".join(name for name in named if not name.endswith("checks"))  # they come with the files
            skipped.append(Skipped(probe.name, say("core.not_given", needs=needs)))
            continue
        given = {name: ready[name] for name in needed - {"rng"}}
        given |= {"rng": stream(config.seed, probe.name)} if "rng" in needed else {}
        given |= {name: getattr(config, name) for name in ("q", "texts") if name in asked(probe.thing)}
        with _refusals(probe.name, skipped):
            findings.extend(probe.thing(**given))
    return findings, skipped


@contextmanager
def _refusals(probe: str, skipped: list[Skipped]) -> Iterator[None]:
    try:
        yield
    except NotEnoughData as refusal:
        skipped.append(Skipped(probe, say("core.needs_data", needs=refusal.needs)))


def _glossary(features: tuple[Feature, ...], findings: list[Finding]) -> tuple[GlossaryEntry, ...]:
    """Declared features, and the mined ones that a finding speaks of."""
    spoken_of = {finding.feature for finding in findings if finding.verdict != "pass"}
    return tuple(
        GlossaryEntry(feature.name, feature.unit, feature.family, feature.about, feature.mined)
        for feature in features
        if not feature.mined or feature.name in spoken_of
    )
