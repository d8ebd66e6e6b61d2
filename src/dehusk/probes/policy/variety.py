"""How varied answers are, as values of single answers or of blocks of prompts, so that means of them have intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from dehusk.core.tables import Floats, Ints
from dehusk.text.canonical import readable

_LEAST_WORDS = 50  # in a block, or there is nothing to repeat
_RUN = 4  # words that must come again to be a repetition
_OPENINGS = 10
_MULTIPLIER = 0x9E3779B97F4A7C15  # odd, 2^64 / golden ratio: spreads a rolling hash
# The first that applies names the format of an answer.
_FORMATS: Mapping[str, str] = {
    "code": r"(?m)^\s*```",
    "table": r"(?m)^\s*\|.*\|\s*$",
    "headers": r"(?m)^#{1,6}\s",
    "list": r"(?m)^\s*(?:[-*•+]|\d+[.)、])\s",
    "bold": r"\*\*\S",
}


class Measured(NamedTuple):
    """One measure of variety: a value for each of n units, and the cluster the unit varies with."""

    values: Floats  # (n,) NaN where undefined
    stages: pl.Series  # (n,)
    clusters: Ints  # (n,) prompts, or blocks of prompts
    lengths: Floats | None  # (n,) characters, where length could explain a difference
    unit: str
    details: dict[str, Any]


def distinct(frame: pl.DataFrame) -> dict[str, Measured]:
    """Shares of distinct n-grams, n = 1, 2, 3, in blocks of prompts: "distinct_1" and so on.

    Every stage is cut to the same number of words prompt by prompt, because the share falls with the length of a text.

    Args:
        frame: Columns stage, prompt, block, answer (unique) and words (a list), sorted by prompt and stage.
    """
    length = pl.col("words").list.len().cast(pl.Int64)
    before = length.cum_sum().over("prompt", "stage") - length
    totals = frame.group_by("prompt", "stage").agg(length.sum().alias("total"))
    limits = totals.group_by("prompt").agg(pl.col("total").min().alias("limit"))
    cut = (
        frame.join(limits, on="prompt", maintain_order="left")
        .with_columns(pl.col("words").list.head((pl.col("limit") - before).clip(0)))
        .select("stage", "block", "answer", "words")
    )
    found = {}
    for n in (1, 2, 3):
        shares = (
            _ngrams(cut, n)
            .group_by("stage", "block")
            .agg(pl.len().alias("all"), pl.col("gram").n_unique().alias("distinct"))
            .filter(pl.col("all") >= _LEAST_WORDS)
            .sort("stage", "block")
        )
        values, blocks = (shares["distinct"] / shares["all"]).to_numpy(), shares["block"].to_numpy()
        details = {"words_a_stage": int(limits["limit"].sum())}
        found[f"distinct_{n}"] = Measured(values, shares["stage"], blocks, None, "share", details)
    return found


def of_answers(frame: pl.DataFrame) -> dict[str, Measured]:
    """Repetition within an answer, common openings, and the surprise of an answer's format.

    Args:
        frame: As for `distinct`, with fold (0 or 1, the same for all answers of a prompt) and response.
    """
    runs = _ngrams(frame.select("answer", "words"), _RUN)
    repeated = runs.group_by("answer").agg((1 - pl.col("gram").n_unique() / pl.len()).alias("repeated"))
    # The mean of −log2 of the share of an answer's own format is the entropy of the formats, and varies as it does.
    surprise = -(pl.len().over("stage", "format") / pl.len().over("stage")).log(2)
    told = (
        frame.join(repeated, on="answer", how="left", maintain_order="left")
        .with_columns(_opening().alias("opening"), _format().alias("format"))
        .with_columns(surprise.alias("surprise"), pl.col("response").str.len_chars().alias("characters"))
    )
    told = told.join(_common(told), on=["stage", "fold", "opening"], how="left", maintain_order="left")
    prompts = told["prompt"].to_numpy()

    def values(column: str) -> Floats:
        return told[column].cast(pl.Float64).to_numpy()

    return {
        "self_repetition": Measured(values("repeated"), told["stage"], prompts, values("characters"), "share", {}),
        "common_openings": Measured(
            told["common"].is_not_null().cast(pl.Float64).to_numpy(),
            told["stage"],
            prompts,
            None,
            "share",
            {"openings": _shares(told, "opening")},
        ),
        "format_entropy": Measured(
            values("surprise"), told["stage"], prompts, None, "bits", {"formats": _shares(told, "format")}
        ),
    }


def _ngrams(frame: pl.DataFrame, n: int) -> pl.DataFrame:
    """One row an n-gram, never across answers: the other columns and `gram`, a rolling hash of its words (mod 2^64)."""
    flat = frame.explode("words", empty_as_null=False).with_columns(pl.col("words").hash(0).alias("gram"))
    for ahead in range(1, n):
        following = pl.when(pl.col("answer") == pl.col("answer").shift(-ahead)).then(
            pl.col("words").shift(-ahead).hash(0)
        )
        flat = flat.with_columns(gram=pl.col("gram") * _MULTIPLIER + following)
    return flat.drop("words").filter(pl.col("gram").is_not_null())


def _opening() -> pl.Expr:
    """First three words, or first six when the answer opens with a Chinese or Japanese character."""
    words = pl.col("words")
    cjk = words.list.first().str.contains(r"^[\p{Han}\p{Hiragana}\p{Katakana}]$")
    return pl.when(cjk).then(words.list.head(2 * 3)).otherwise(words.list.head(3)).list.join(" ")


def _common(told: pl.DataFrame) -> pl.DataFrame:
    """The ten openings that most prompts share in the *other* fold, for each stage and fold; ties by their text."""
    return (
        told.group_by("stage", "fold", "opening")
        .agg(pl.col("prompt").n_unique().alias("common"))
        .sort("common", "opening", descending=[True, False])
        .group_by("stage", "fold", maintain_order=True)
        .head(_OPENINGS)
        .with_columns(fold=1 - pl.col("fold"))
    )


def _format() -> pl.Expr:
    chosen: pl.Expr = pl.lit("plain")
    for name, pattern in reversed(list(_FORMATS.items())):
        chosen = pl.when(pl.col("response").str.contains(pattern)).then(pl.lit(name)).otherwise(chosen)
    return chosen


def _shares(told: pl.DataFrame, column: str) -> dict[str, dict[str, float]]:
    """The ten commonest values of a column at each stage, with their shares of the answers."""
    counted = (
        told.group_by("stage", column)
        .agg(pl.len().alias("answers"))
        .sort("answers", column, descending=[True, False])
        .with_columns((pl.col("answers") / pl.col("answers").sum().over("stage")).alias("share"))
    )
    found: dict[str, dict[str, float]] = {stage: {} for stage in told["stage"].unique(maintain_order=True)}
    for stage, value, share in counted.select("stage", column, "share").iter_rows():
        shares = found[stage]
        if len(shares) < _OPENINGS:
            shares[readable(value.split(" ")) if column == "opening" else value] = share
    return found
