"""Public releases of preferences and benchmarks as tables; the folder is the user's and no part of the project."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dehusk.core.tables import Pairs

BIASES = ("length", "structure", "jargon", "sycophancy")


def as_pairs(frame: pl.DataFrame) -> Pairs:
    """Rows with prompt, chosen and rejected as pairs; other columns are left out."""
    return Pairs(
        frame.with_row_index("row", offset=1).select(
            pl.col("row").cast(pl.String).alias("pair_id"),
            pl.col("row").cast(pl.Int64),
            *("prompt", "chosen", "rejected"),
            weight=pl.lit(1.0),
            group=pl.col("prompt"),
        )
    )


def preferences(data: Path, name: str, most: int | None = None) -> pl.DataFrame:
    """One file of preferences, or a sample of it."""
    frame = pl.read_parquet(data / f"preference/{name}.parquet")
    return frame if most is None else frame.sample(min(most, frame.height), seed=0)


def rm_bench(data: Path, each: int = 50) -> pl.DataFrame:
    """RM-Bench, some prompts a domain: three rows an id, one a style (0 concise, 1 detailed, 2 with Markdown)."""
    bench = pl.read_parquet(data / "benchmark/rm_bench.parquet")
    ids = bench.select("id", "domain").unique().sort("id").group_by("domain", maintain_order=True)
    some = ids.map_groups(lambda group: group.sample(min(each, group.height), seed=0))["id"]
    return bench.filter(pl.col("id").is_in(some.to_list())).sort("id", "style_idx")


def hard_pairs(bench: pl.DataFrame) -> pl.DataFrame:
    """Chosen answers in the plainest style against rejected ones in the fanciest."""
    plain, fancy = (bench.filter(pl.col("style_idx") == at) for at in (0, 2))
    return plain.select("id", "prompt", "chosen").join(fancy.select("id", "rejected"), on="id")


def counterfactuals(data: Path, each: int = 100) -> pl.DataFrame:
    """Answers (rejected) beside rewrites that add one bias (chosen), some a bias: prompt, chosen, rejected, bias."""
    frame = pl.read_parquet(data / "benchmark/bias_counterfactual_rm_scores.parquet")
    some = frame.group_by("bias", maintain_order=True).map_groups(
        lambda group: group.sample(min(each, group.height), seed=0)
    )
    return some.select("bias", "prompt", chosen="perturbed_response", rejected="base_response")
