"""Scores of both sides of pairs from plain numbers."""

import polars as pl

from dehusk.core.tables import Scores


def make_scores(chosen, rejected, name="rm"):
    return Scores((name,), {"chosen": pl.DataFrame({name: chosen}), "rejected": pl.DataFrame({name: rejected})})
