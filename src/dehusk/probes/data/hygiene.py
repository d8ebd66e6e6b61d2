"""`data.hygiene`: rows that should not be trained on as they are, counted and named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import polars as pl

from dehusk.core.errors import NotEnoughData
from dehusk.core.findings import Estimate, Finding, Verdict
from dehusk.core.kinds import probes
from dehusk.core.messages import Text, say
from dehusk.core.tables import Checks, Pairs
from dehusk.stats.effects import wilson
from dehusk.stats.panel import clustered_means

SHOWN = 10  # rows named in the details
SIDES_DIFFER = 0.02  # a defect on one side only is a label in disguise
ENDINGS_DIFFER = 0.05
FEW_PROMPTS = 0.20


@dataclass(frozen=True)
class Limits:
    """Shares of rows above which a check is a warning or a failure."""

    warn: float
    fail: float = float("inf")


# Failures are those that have cost practitioners a run; the rest are limits of taste.
LIMITS: Mapping[str, Limits] = MappingProxyType(
    {
        "equal": Limits(0.02, 0.10),  # identical and near-identical: constant loss ln 2, zero gradient
        "contradictory": Limits(0.0, 0.005),
        "duplicate": Limits(0.05),
        "empty": Limits(0.01),
        "truncated": Limits(0.05),
        "role_marker": Limits(0.005),
        "prompt_in_response": Limits(0.05),
        "mixed_encoding": Limits(0.005),
        "lone_surrogate": Limits(0.005),
        "common_prefix": Limits(0.01),
        "tie": Limits(float("inf")),  # no defect, but no preference either
        "unpaired": Limits(float("inf")),
    }
)
OTHER = Limits(0.05)
TOGETHER = MappingProxyType({"identical": "equal", "near_identical": "equal"})
END_MARK = r"(?:<\|[A-Za-z_]+\|>|</s>|<eos>|<end_of_turn>|\[EOS\])\s*$"


@probes.add("data.hygiene")
def hygiene(pairs: Pairs, checks: Checks) -> Iterator[Finding]:
    """Rows that are empty, equal, repeated, contradictory, cut off or mixed up, as shares of the file.

    Args:
        pairs: The pairs that were kept.
        checks: What was noticed while reading, kept or not.

    Raises:
        NotEnoughData: without rows.
    """
    noticed = checks.frame.with_columns(pl.col("check").replace(dict(TOGETHER)), reason="check")
    rows = pl.concat([pairs.frame["row"], noticed["row"]]).n_unique()
    if rows == 0:
        raise NotEnoughData("at least 1 row, got 0")
    names = [name for name in LIMITS if name in set(noticed["check"])]
    names += sorted(set(noticed["check"]) - set(LIMITS))
    for name in names:
        yield _counted(name, noticed.filter(check=name), rows)
        yield from _one_sided(name, noticed.filter(check=name), rows)
    if not names:
        yield _finding(say("data.hygiene.clean", rows=rows), "pass")
    yield from _endings(pairs)
    yield from _few_prompts(pairs)


def _finding(sentence: Text, verdict: Verdict, estimate: Estimate | None = None, **details: object) -> Finding:
    remedy = str(details.pop("remedy", ""))
    return Finding(
        probe="data.hygiene",
        stage="data",
        sentence=sentence,
        verdict=verdict,
        estimate=estimate,
        remedy=say(f"data.remedy.{remedy}") if remedy and verdict in ("warn", "fail") else None,
        details=details,
    )


def _counted(name: str, noticed: pl.DataFrame, rows: int) -> Finding:
    found = noticed["row"].n_unique()
    dropped = noticed.filter(~pl.col("kept"))["row"].n_unique()
    share, low, high = wilson(found, rows)
    limits = LIMITS.get(name, OTHER)
    verdict: Verdict = "fail" if share > limits.fail else "warn" if share > limits.warn else "inform"
    known = name if name in LIMITS else "other"
    return _finding(
        say(
            f"data.hygiene.{known}", count=found, rows=rows, share=share, dropped=dropped, check=name.replace("_", " ")
        ),
        verdict,
        Estimate(share, low, high, rows, "share", "Wilson interval"),
        remedy=known,
        check=name,
        dropped=dropped,
        rows=noticed["row"].unique().sort().head(SHOWN).to_list(),
        reasons=dict(noticed.group_by("reason").agg(pl.col("row").n_unique()).sort("reason").iter_rows()),
        sides=dict(noticed.group_by("side").agg(pl.col("row").n_unique()).sort("side").iter_rows()),
    )


def _one_sided(name: str, noticed: pl.DataFrame, rows: int) -> Iterator[Finding]:
    sides = {side: noticed.filter(side=side)["row"].n_unique() / rows for side in ("chosen", "rejected")}
    if abs(sides["chosen"] - sides["rejected"]) > SIDES_DIFFER:
        yield _finding(
            say("data.hygiene.one_sided", check=say(f"data.check.{name if name in LIMITS else 'other'}"), **sides),
            "warn",
            remedy="one_sided",
            check=name,
        )


def _endings(pairs: Pairs) -> Iterator[Finding]:
    """Ends that differ by side: a reward model reads them before it reads anything else."""
    for name, pattern in (("end_mark", END_MARK), ("trailing_space", r"\s$")):
        sides = pairs.frame.select(pl.col("chosen", "rejected").str.contains(pattern).cast(pl.Float64))
        effect = clustered_means((sides["chosen"] - sides["rejected"]).to_numpy()[:, None], pairs.groups)
        if not (abs(effect.value[0]) > ENDINGS_DIFFER and effect.p[0] <= 0.05):
            continue
        value, low, high, p = (float(array[0]) for array in effect[:4])
        number = Estimate(value, low, high, int(effect.n[0]), "presence", "clustered mean", p)
        yield _finding(
            say(
                f"data.hygiene.{name}",
                chosen=float(sides["chosen"].to_numpy().mean()),
                rejected=float(sides["rejected"].to_numpy().mean()),
            ),
            "warn",
            number,
            remedy="one_sided",
        )


def _few_prompts(pairs: Pairs) -> Iterator[Finding]:
    prompts = len(np.unique(pairs.groups))
    if prompts < FEW_PROMPTS * len(pairs):
        yield _finding(say("data.hygiene.few_prompts", prompts=prompts, pairs=len(pairs)), "warn", remedy="few_prompts")
