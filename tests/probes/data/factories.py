"""Small tables from plain numbers: no feature is measured, none of these texts means anything."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dehusk.core.kinds import Feature
from dehusk.core.tables import Checks, Measures, Pairs

SHARED = Path(__file__).parents[4] / "shared" / "data" / "preference"
needs_real_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the real preference files are not on this machine")


def make_pairs(n, *, groups=None, lengths=None, chosen=None, rejected=None, prompts=None, **columns):
    """Pairs of n rows; `lengths` (n, 2) makes texts of that many letters, other keywords become columns."""
    lengths = np.full((n, 2), 10) if lengths is None else np.asarray(lengths).astype(int)
    groups = np.arange(n) if groups is None else np.asarray(groups)
    columns = {name: list(values) for name, values in columns.items()}
    frame = pl.DataFrame(
        {
            "pair_id": [f"p{i}" for i in range(n)],
            "row": np.arange(1, n + 1),
            "prompt": prompts if prompts is not None else [f"prompt {g}" for g in groups],
            "chosen": chosen if chosen is not None else ["a" * size for size in lengths[:, 0]],
            "rejected": rejected if rejected is not None else ["b" * size for size in lengths[:, 1]],
            "weight": columns.pop("weight", [1.0] * n),
            "group": [str(g) for g in groups],
            **columns,
        }
    )
    return Pairs(frame)


def make_feature(name, unit="lines", family="layout", discovered=None, **details):
    """A feature that is never measured, because its values are given."""
    return Feature(
        name, unit, family, f"About {name}.", lambda prompt, response: response, discovered=discovered, details=details
    )


def make_measures(values, features=(), held_out=None):
    """Measures from `{name: (chosen, rejected)}`; features that are not given are plain counts."""
    given = {feature.name: feature for feature in features}
    rows = len(next(iter(values.values()))[0])
    everywhere = np.ones(rows, dtype=bool)
    frames = {
        side: pl.DataFrame({name: np.asarray(pair[k], dtype=float) for name, pair in values.items()})
        for k, side in enumerate(("chosen", "rejected"))
    }
    known = tuple(given.get(name, make_feature(name)) for name in values)
    held_out = everywhere if held_out is None else held_out
    return Measures(known, frames, {"chosen": held_out, "rejected": held_out})


def make_checks(rows=()):
    """Checks from tuples (row, check, side, kept)."""
    schema = {"row": pl.Int64, "check": pl.String, "side": pl.String, "kept": pl.Boolean}
    return Checks(pl.DataFrame(list(rows), schema=schema, orient="row"))


def real_pairs(name, most=None):
    """A real preference file as pairs."""
    frame = pl.read_parquet(SHARED / f"{name}.parquet")
    if most is not None and frame.height > most:
        frame = frame.sample(most, seed=0)
    scores = [
        pl.col(column).cast(pl.Float64) for column in ("chosen_score", "rejected_score") if column in frame.columns
    ]
    return Pairs(
        frame.with_row_index("row", offset=1).with_columns(
            pl.col("row").cast(pl.Int64),
            *scores,
            pair_id=pl.col("id").cast(pl.String),
            weight=pl.lit(1.0),
            group="prompt",
        )
    )


def turned(pairs):
    """The same pairs with chosen and rejected exchanged."""
    frame = pairs.frame
    names = {
        name: name.replace("chosen", "\0").replace("rejected", "chosen").replace("\0", "rejected")
        for name in frame.columns
    }
    return Pairs(frame.rename(names))
