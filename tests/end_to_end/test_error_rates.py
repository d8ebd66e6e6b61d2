"""The whole audit on data without an effect, and on data with one: how often it is wrong, how often it sees.

Bounds: a rate of 5 % gives more than 4 of 20 runs with probability 0.003, so 4 alarms in 20 are the most that is let
pass; and at least 19 of 20 plantings must be the first mined row.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tables import Speaker, pairs, write

from dehusk.core.kinds import probes
from dehusk.core.options import AuditConfig
from dehusk.core.run import stream
from dehusk.core.tables import Pairs, Responses
from dehusk.features.intents import phrase_feature
from dehusk.features.measuring import measure
from dehusk.inputs import Inputs, sampled
from dehusk.io import read_pairs, read_responses
from dehusk.probes import trace
from dehusk.workflow.auditing import audit_tables, find_features
from dehusk.workflow.validating import PHRASES, permute, plant

RUNS, ALARMS, RECOVERED = 20, 4, 19
REAL = Path(__file__).parents[3] / "shared" / "data" / "preference" / "hh_rlhf_harmless_test.parquet"


def sample(path: Path, rows: int) -> Pairs:
    inputs = Inputs(pairs=read_pairs(str(path)).pairs)
    found = sampled(inputs, AuditConfig(sample=rows)).pairs
    assert found is not None
    return found


def alarms(table: Pairs | Responses, seed: int) -> set[str]:
    """Kinds of features that an audit of permuted labels confirms; every one is false."""
    permuted = permute(table, stream(seed, "permute"))
    inputs = Inputs(pairs=permuted) if isinstance(permuted, Pairs) else Inputs(responses=permuted)
    audit = audit_tables(inputs, AuditConfig(seed=seed)).audit
    mined = {entry.name for entry in audit.glossary if entry.mined}
    return {
        "mined" if finding.feature in mined else "declared"
        for finding in audit.findings
        if finding.q is not None and finding.q <= 0.05 and finding.details.get("reading") in ("association", None)
    }


def check_rates(table: Pairs | Responses) -> None:
    runs = [alarms(table, seed) for seed in range(RUNS)]
    for kind in ("mined", "declared"):
        assert sum(kind in run for run in runs) <= ALARMS, kind


@pytest.fixture(autouse=True)
def _only_what_counts(monkeypatch):
    """The probes that test features; the others take most of the time and raise no such alarm."""
    names = ("data.association", "data.catchphrases", "policy.amplification")
    monkeypatch.setattr("dehusk.workflow.auditing.probes", [probes[name] for name in names])


def test_no_effect_in_the_demo_with_its_labels_permuted(demo):
    check_rates(sample(demo["pairs"], 160))


def test_no_effect_between_stages_with_their_names_permuted(demo):
    stages = [(name, str(demo[name])) for name in ("sft", "rl")]
    found = sampled(Inputs(responses=read_responses(stages).responses), AuditConfig(sample=300)).responses
    assert found is not None
    check_rates(found)


@pytest.mark.skipif(not REAL.exists(), reason="needs the real data in ../shared/data")
def test_no_effect_in_a_real_file_with_its_labels_permuted():
    check_rates(sample(REAL, 160))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_phrase_in_three_per_cent_is_the_first_mined_row(tmp_path, lang):
    speaker = Speaker(1)
    say, ask = (speaker.prose, "question {}".format) if lang == "en" else (speaker.chinese_prose, "第{}个问题".format)
    table = read_pairs(str(write(tmp_path / "pairs.jsonl", pairs(1000, say, ask)))).pairs
    phrase = PHRASES[lang][0]
    named = phrase_feature(phrase).name
    first = [first_mined(plant(table, phrase, 0.03, stream(seed, "plant")), seed) for seed in range(RUNS)]
    assert sum(row == named for row in first) >= RECOVERED, first


def first_mined(table: Pairs, seed: int) -> str | None:
    """What the first mined row of the trace is about."""
    features, held_out = find_features(Inputs(pairs=table), seed)
    mined = tuple(feature for feature in features if feature.mined)
    measures = measure(mined, pairs=table, held_out=held_out)
    rows = trace.build(probes["data.catchphrases"].thing(pairs=table, measures=measures))
    return rows[0].feature if rows else None
