"""A comparison of made-up numbers: what pages and tables look like, without fitting anything."""

from __future__ import annotations

import numpy as np

from dehusk.comparison.table import Outcome, Tried, rows_of
from dehusk.core.comparison import Comparison
from dehusk.core.messages import say
from dehusk.core.run import RunRecord

KINDS = {
    "repair": ("augment", "interpolated_prompts"),
    "objective": ("correlation", "odin"),
    "combination": ("ensemble-median",),
    "adjustment": ("residualise",),
}


def made_up(targets, elsewhere=(), *, gold=False, prompts=30, splits=3) -> Comparison:
    """Eight methods, of which one refused."""
    rng = np.random.default_rng(0)
    features = (*targets, "bold", "commas")

    def outcome(shift):
        readings = {"accuracy": rng.normal(0.6 + shift, 0.02)}
        readings |= {f"accuracy:{name}": rng.integers(0, 2, prompts) * 1.0 for name in elsewhere}
        readings |= {f"coefficient:{name}": rng.normal(0.4 - shift, 0.02) for name in targets}
        readings["prompt_gain"] = rng.normal(-0.012, 0.001)
        if gold:
            readings |= {f"gold:{2**k}": k * rng.normal(0.1 + shift, 0.3, prompts) for k in range(7)}
            readings |= {f"lift:{name}": rng.normal(-0.4, 0.3, prompts) for name in targets}
        slopes = np.array([*(readings[f"coefficient:{name}"] for name in targets), rng.normal(9 * shift, 0.01), 0.0])
        return Outcome(readings, slopes, lost=round(1e5 * shift), added=1_234 * (shift > 0), seconds=1.2)

    def tried(name, kind, shift):
        return Tried(name, kind, tuple(outcome(shift) for _ in range(splits)))

    rows = [tried("plain", "plain", 0.0)]
    rows += [tried(name, kind, 0.01 * at) for kind, names in KINDS.items() for at, name in enumerate(names, 1)]
    rows.append(Tried("match", "repair", (), say("core.needs_data", needs="at least 20 pairs, got 3")))
    found = tuple(rows_of(rows, features, targets, 0.3))
    columns = tuple(found[0].readings)
    return Comparison(
        RunRecord("compare", {}, 0), (), tuple(targets), columns, found, splits, 500, 250, 16 if gold else None
    )
