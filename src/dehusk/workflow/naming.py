"""What there is to choose from, by name."""

from __future__ import annotations

from typing import Any

import dehusk.fitting.objectives
import dehusk.repairs
import dehusk.workflow.auditing  # noqa: F401 - fills the table of probes
from dehusk.core.kinds import (
    NameTable,
    adjustments,
    combinations,
    edits,
    feature_functions,
    layouts,
    objectives,
    probes,
    repairs,
    reward_models,
)


def names(what: str) -> list[tuple[str, str, str]]:
    """Name, meaning and kind of every entry of a table."""
    tables: dict[str, NameTable[Any]] = {
        "features": feature_functions,
        "probes": probes,
        "layouts": layouts,
        "edits": edits,
        "reward_models": reward_models,
        "repairs": repairs,
        "objectives": objectives,
        "combinations": combinations,
        "adjustments": adjustments,
    }
    return [(row.name, row.about, str(row.options.get("family", ""))) for row in tables[what]]
