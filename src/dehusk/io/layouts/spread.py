"""Answers spread over columns named after models, or over rows with thumbs up and down or with ratings."""

from __future__ import annotations

import polars as pl

from dehusk.core.errors import InputError
from dehusk.core.kinds import layouts
from dehusk.core.messages import say
from dehusk.io.layouts.labels import TIES, numbers
from dehusk.io.layouts.messages import OPENAI, as_prompt, as_reply, before_reply, is_messages, is_text, plain, reply
from dehusk.io.layouts.reading import (
    OneRow,
    Reading,
    are_conversations,
    first_of,
    no_preference,
    prompt_of,
    required,
    scores_as_labels,
)

WINNERS = ("winner", "preferred_model", "best_model", "winner_model", "preferred", "best")
ASIDE = {
    "id",
    "source",
    "subset",
    "dataset",
    "lang",
    "language",
    "category",
    "annotator",
    "pair_id",
    "comment",
    "split",
}
COMPLETIONS = ("completion", "response", "output", "answer")
UP, DOWN = ("true", "1"), ("false", "0")
ASPECTS = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
THUMBS = ("label", "kto_tag", "desirable", "is_desirable", "thumbs_up", "is_good")


@layouts.add("per-model")
class PerModel(OneRow):
    """One column a model, named after it, and a column with the name of the winner, who beats each of the others."""

    needs = "prompt, one column a model, winner"

    def recognises(self, raw: pl.DataFrame) -> bool:
        """A column whose values are names of other columns."""
        return len(_models(raw)[1]) >= 2

    def read(self, raw: pl.DataFrame) -> Reading:
        """The winner beats each of the other models; rows without a winner hold no pair."""
        winner, models = _models(raw)
        if not models:
            raise InputError("no column names a winner that is itself a column", expected=self.needs)
        prompt = prompt_of(raw)
        rows = raw.select(
            pl.int_range(pl.len(), dtype=pl.Int64).alias("chosen_row"),
            pl.int_range(pl.len(), dtype=pl.Int64).alias("rejected_row"),
            (plain(prompt, raw.schema[prompt]) if prompt else pl.lit("")).alias("prompt"),
            pl.coalesce(pl.when(pl.col(winner) == name).then(pl.col(name)) for name in models).alias("chosen"),
            pl.col(winner).cast(pl.String).alias("chosen_model"),
            *(pl.col(name).cast(pl.String).alias(f"answer {name}") for name in models),
        )
        decided = rows.filter(pl.col("chosen_model").is_in(models))
        losers = [
            decided.filter(pl.col("chosen_model") != name).with_columns(
                rejected=pl.col(f"answer {name}"), rejected_model=pl.lit(name), rejected_at=pl.lit(place, pl.Int64)
            )
            for place, name in enumerate(models)
        ]
        frame = pl.concat(losers).sort("chosen_row", "rejected_at").select(pl.exclude(r"^answer .*$"))
        undecided = rows.join(decided, on="chosen_row", how="anti")["chosen_row"]
        note = say("io.per_model", models=", ".join(models), winner=winner)
        used = (*((prompt,) if prompt else ()), *models, winner)
        return Reading(frame, used, no_preference(undecided, "tie"), (note,))

    def write(self, pairs: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
        """Answers in the columns of their models; in alternating ones where those are not known."""
        winner, models = _models(like)
        known = set(pairs.columns) >= {"chosen_model", "rejected_model"}
        named = known and bool(
            pairs.select(pl.col("chosen_model", "rejected_model").is_in(models).all()).row(0) == (True, True)
        )
        if not models or not named:
            models = models[:2] or ["model_a", "model_b"]
            place = pl.int_range(pl.len()) % 2
            pairs = pairs.with_columns(
                chosen_model=pl.lit(pl.Series(models)).gather(place),
                rejected_model=pl.lit(pl.Series(models)).gather(1 - place),
            )
        prompt = prompt_of(like) or "prompt"
        cells = [
            pl.when(pl.col("chosen_model") == name)
            .then("chosen")
            .when(pl.col("rejected_model") == name)
            .then("rejected")
            .alias(name)
            for name in models
        ]
        return pairs.select(pl.col("prompt").alias(prompt), *cells, pl.col("chosen_model").alias(winner))

    def prune(self, raw: pl.DataFrame, rows: pl.Series, gone: pl.Series) -> pl.DataFrame:
        """The model columns, empty where the answer is gone."""
        _, models = _models(raw)
        lost = pl.lit(gone)
        return raw[rows].select(
            pl.when(~lost.list.contains(place)).then(pl.col(name)).alias(name) for place, name in enumerate(models)
        )


def _models(raw: pl.DataFrame) -> tuple[str, list[str]]:
    """The winner column, and the columns named after models (empty where there are none)."""
    prompt = prompt_of(raw)
    for winner in WINNERS:
        if winner not in raw.columns or not is_text(raw.schema[winner]):
            continue
        named = raw[winner].cast(pl.String).drop_nulls().unique()
        texts = [name for name, dtype in raw.schema.items() if is_text(dtype) and name not in (winner, prompt)]
        strange = [name for name in named if name not in texts and name.strip().lower() not in TIES]
        won = [name for name in texts if name in set(named)]
        if strange or not won:
            continue
        rest = [name for name in texts if name not in ASIDE]
        return winner, won if len(won) > 1 else rest if len(rest) == 2 else []
    return "winner", []


@layouts.add("kto")
class Kto:
    """KTO: one answer a row with a thumb up or down; paired, in order, where a prompt has both kinds."""

    needs = "prompt, completion, label (true or false)"
    rows_per_pair = 2

    def recognises(self, raw: pl.DataFrame) -> bool:
        """An answer, and a thumb that is true or false (or 1 and 0)."""
        return _thumb(raw) is not None and (_completion(raw) is not None)

    def read(self, raw: pl.DataFrame) -> Reading:
        """The first good answer to a prompt is paired with its first bad one, and so on."""
        name, thumb = required(_completion(raw), "completion"), required(_thumb(raw), "label")
        dtype = raw.schema[name]
        prompt = prompt_of(raw) if name != "messages" else None
        asked = (
            plain(prompt, raw.schema[prompt])
            if prompt
            else before_reply(name, dtype)
            if is_messages(dtype)
            else pl.lit("")
        )
        rows = raw.select(
            pl.int_range(pl.len(), dtype=pl.Int64).alias("row"),
            prompt=asked,
            answer=reply(name, dtype),
            good=pl.col(thumb).cast(pl.String).str.to_lowercase().is_in(UP),
        ).with_columns(turn=pl.int_range(pl.len()).over("prompt", "good"))
        good, bad = rows.filter(pl.col("good")), rows.filter(~pl.col("good"))
        frame = (
            good.join(bad, on=["prompt", "turn"], how="inner", suffix="_2", nulls_equal=True)
            .sort("row")
            .select(chosen_row="row", rejected_row="row_2", prompt="prompt", chosen="answer", rejected="answer_2")
        )
        if not frame.height:
            raise InputError(
                "no prompt has both a wanted and an unwanted answer", expected="KTO rows of which some share a prompt"
            )
        paired = pl.concat([frame["chosen_row"], frame["rejected_row"]])
        alone = rows.filter(~pl.col("row").is_in(paired.implode()))["row"]
        used = (*((prompt,) if prompt else ()), name, thumb)
        return Reading(frame, used, no_preference(alone, "unpaired"), (say("io.kto"),))

    def write(self, pairs: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
        """Two rows a pair, the wanted answer first."""
        thumbs = pl.Series(_thumb(like) or "label", [True, False] * pairs.height, dtype=pl.Boolean)
        return _two_rows(pairs, like, thumbs)


@layouts.add("helpsteer2")
class HelpSteer2:
    """HelpSteer2: one answer a row with its ratings, two rows a prompt; the more helpful one is chosen."""

    needs = "prompt, response, helpfulness (or another rating, as score)"
    rows_per_pair = 2

    def recognises(self, raw: pl.DataFrame) -> bool:
        """An answer and its helpfulness; or a score, if it stands beside other aspects (`--map score=correctness`)."""
        return prompt_of(raw) is not None and _completion(raw) is not None and _rating(raw) is not None

    def read(self, raw: pl.DataFrame) -> Reading:
        """The first answer to a prompt meets the second, the third the fourth; the higher rating is chosen.

        Each other aspect becomes two columns, `chosen_x` and `rejected_x`: what else goes with being preferred.
        """
        name, rating = required(_completion(raw), "response"), required(_rating(raw), "rating")
        prompt = required(prompt_of(raw), "prompt")
        aspects = [aspect for aspect in ASPECTS if aspect in raw.columns and aspect != rating]
        rows = raw.select(
            pl.int_range(pl.len(), dtype=pl.Int64).alias("row"),
            *(pl.col(aspect).cast(pl.Float64, strict=False).fill_nan(None) for aspect in aspects),
            score=pl.col(rating).cast(pl.Float64, strict=False).fill_nan(None),
            prompt=plain(prompt, raw.schema[prompt]),
            answer=reply(name, raw.schema[name]),
        ).with_columns(turn=pl.int_range(pl.len()).over("prompt"))
        odd = rows.filter(pl.col("turn") % 2 == 1).with_columns(pl.col("turn") - 1)
        met = rows.join(odd, on=["prompt", "turn"], suffix="_2", nulls_equal=True)
        swapped = met.rename({column: _other(column) for column in met.columns if column not in ("prompt", "turn")})
        both = pl.concat([met, swapped.select(met.columns)])
        pairs = both.filter(pl.col("score") > pl.col("score_2")).sort(pl.min_horizontal("row", "row_2"))
        if not pairs.height:
            expected = "two rows for each of some prompts, rated differently"
            raise InputError(f"no prompt has two answers of different {rating}", expected=expected)
        told = {"row": "{}_row", "answer": "{}", **{aspect: f"{{}}_{aspect}" for aspect in ("score", *aspects)}}
        frame = pairs.select(
            "prompt",
            *(pl.col(column).alias(to.format("chosen")) for column, to in told.items()),
            *(pl.col(_other(column)).alias(to.format("rejected")) for column, to in told.items()),
            margin=pl.col("score") - pl.col("score_2"),
        )
        equal = both.join(pairs, on=["prompt", "turn"], how="anti", nulls_equal=True)["row"].sort()
        alone = rows.filter(~pl.col("row").is_in(both["row"].implode()))["row"]
        unusable = pl.concat([no_preference(equal, "tie"), no_preference(alone, "unpaired")])
        return Reading(frame, (prompt, name, rating, *aspects), unusable, (say("io.rated", column=rating),))

    def write(self, pairs: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
        """Two rows a pair, the chosen answer first, with the known scores or 1 and 0."""
        rating = _rating(like) or ASPECTS[0]
        ratings = pl.Series(rating, scores_as_labels(pairs).to_numpy().ravel(), dtype=pl.Float64)
        whole = bool((ratings == ratings.round()).all())
        return _two_rows(pairs, like, ratings.cast(pl.Int64) if whole else ratings)


def _two_rows(pairs: pl.DataFrame, like: pl.DataFrame, told: pl.Series) -> pl.DataFrame:
    """Two rows a pair, the chosen answer first, with the column that tells them apart, shape (2n,)."""
    name = _completion(like) or ("completion" if told.dtype == pl.Boolean else "response")
    twice = pairs.select(
        pl.col("prompt").repeat_by(2).explode(), pl.concat_list("chosen", "rejected").explode().alias(name)
    )
    if name == "messages":
        return pl.DataFrame([as_reply(twice[name], pl.List(OPENAI), twice["prompt"]), told])
    prompt = prompt_of(like) or "prompt"
    asked = as_prompt(twice["prompt"].alias(prompt), like.schema.get(prompt, pl.String()))
    return pl.DataFrame([asked, as_reply(twice[name], like.schema.get(name, pl.String())), told])


def _other(column: str) -> str:
    """The same column of the other answer."""
    return column.removesuffix("_2") if column.endswith("_2") else f"{column}_2"


def _rating(raw: pl.DataFrame) -> str | None:
    names = ["helpfulness", *(["score"] if {*ASPECTS} & {*raw.columns} else [])]
    return next((name for name in reversed(names) if name in raw.columns and numbers(raw[name]) is not None), None)


def _completion(raw: pl.DataFrame) -> str | None:
    if prompt_of(raw) is not None:
        return next((name for name in COMPLETIONS if are_conversations(raw, name) and name != prompt_of(raw)), None)
    return "messages" if is_messages(raw.schema.get("messages")) else None


def _thumb(raw: pl.DataFrame) -> str | None:
    name = first_of(raw, THUMBS)
    if name is None:
        return None
    told = raw[name].dtype.is_integer() or raw[name].dtype in (pl.Boolean, pl.String)  # text in a CSV file
    return name if told and raw[name].drop_nulls().cast(pl.String).str.to_lowercase().is_in(UP + DOWN).all() else None
