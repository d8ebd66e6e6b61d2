"""Rows that hold a whole list of answers, with scores or ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from dehusk.core.errors import InputError
from dehusk.core.kinds import layouts
from dehusk.core.messages import say
from dehusk.io.layouts.messages import as_prompt, is_text, plain
from dehusk.io.layouts.reading import OneRow, Reading, no_preference, prompt_of, scores_as_labels

LISTS = ("responses", "completions", "answers", "candidates", "outputs", "generations", "texts", "output")
SCORES = ("scores", "score", "rewards", "reward", "ratings", "rating", "overall_score", "fine-grained_score")
RANKS = ("ranks", "rank", "ranking", "rankings")
TEXTS = ("response", "text", "content", "answer", "completion", "output", "value")
MODELS = ("models", "model", "model_name", "generator", "generators")


@dataclass(frozen=True)
class _Columns:
    """Where the answers of a list-wise row are, and what orders them."""

    answers: str
    text: str | None  # field of the answers, when they are objects
    order: str | None  # list column, or field of the answers; None: best first, as they stand
    ranks: bool  # whether lower is better
    model: str | None


@layouts.add("list-wise")
class ListWise(OneRow):
    """A list of answers a row with scores (higher wins) or ranks (lower wins); every pair of unequal ones counts.

    All pairs, not best against worst: what a reward model learns from the list is all of them, and the
    clustering by prompt keeps the intervals honest.
    """

    needs = "prompt, responses and scores (or ranks)"

    def recognises(self, raw: pl.DataFrame) -> bool:
        """A list of answers with scores or ranks, as parallel lists or as objects."""
        return _list_columns(raw) is not None

    def read(self, raw: pl.DataFrame) -> Reading:
        """Every pair of answers of unequal merit; rows without one hold no preference."""
        columns = _list_columns(raw)
        if columns is None:
            raise InputError("no list of answers with scores or ranks", expected=self.needs)
        prompt = prompt_of(raw)
        asked = plain(prompt, raw.schema[prompt]) if prompt else pl.lit("")
        long = _long(raw, columns)
        pairs = long.join(long, on="row", how="inner", suffix="_2").filter(pl.col("merit") > pl.col("merit_2"))
        frame = pairs.sort("row", "at", "at_2").select(
            chosen_row="row",
            rejected_row="row",
            chosen_at="at",
            rejected_at="at_2",
            chosen="text",
            rejected="text_2",
            margin=pl.col("merit") - pl.col("merit_2"),
            **{} if columns.ranks or columns.order is None else {"chosen_score": "merit", "rejected_score": "merit_2"},
            **{"chosen_model": "model", "rejected_model": "model_2"} if columns.model else {},
        )
        prompts = raw.select(pl.int_range(pl.len(), dtype=pl.Int64).alias("chosen_row"), prompt=asked)
        frame = frame.join(prompts, on="chosen_row", how="left", maintain_order="left")
        without = prompts.join(frame, on="chosen_row", how="anti")["chosen_row"]
        rule = "io.best_first" if columns.order is None else "io.ranks" if columns.ranks else "io.scores"
        note = say(rule, column=columns.order or columns.answers)
        used = [name for name in (prompt, columns.answers, columns.order, columns.model) if name in raw.columns]
        return Reading(frame, tuple(map(str, used)), no_preference(without, "tie"), (note,))

    def write(self, pairs: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
        """A row of two answers a pair, with its scores, or 1 and 0, and whatever else the file says of the two."""
        prompt = prompt_of(like) or "prompt"
        columns = _list_columns(like) or _Columns("responses", None, "scores", ranks=False, model=None)
        told = {columns.text or columns.answers: [pairs["chosen"], pairs["rejected"]]}
        told |= {columns.order: _orders(pairs, columns.ranks)} if columns.order else {}
        others = {name: _of_both(like[name], pairs) for name in _parallel(like, columns) if name not in told}
        if columns.text is not None:
            both = others[columns.answers]
            known = {name: [one.struct.field(name) for one in both] for name in both[0].struct.fields}
            answers = [pl.DataFrame({name: values[k] for name, values in (known | told).items()}) for k in (0, 1)]
            told = {columns.answers: [one.to_struct() for one in answers]}
        asked = as_prompt(pairs["prompt"].alias(prompt), like.schema.get(prompt, pl.String()))
        return pl.DataFrame([asked, *(_lists(name, values) for name, values in (others | told).items())])

    def prune(self, raw: pl.DataFrame, rows: pl.Series, gone: pl.Series) -> pl.DataFrame:
        """The lists as long as the answers, without the positions that are gone."""
        columns = _list_columns(raw)
        if columns is None:
            return raw.select()
        stays = pl.int_ranges(0, pl.col(columns.answers).list.len(), dtype=pl.Int64)
        stays = stays.list.set_difference(pl.lit(gone)).list.sort()
        return raw[rows].select(pl.col(name).list.gather(stays) for name in _parallel(raw, columns))


def _parallel(raw: pl.DataFrame, columns: _Columns) -> list[str]:
    """The answers and all other lists that are as long as they are in every row."""
    count = pl.col(columns.answers).list.len()
    lists = [name for name, dtype in raw.schema.items() if isinstance(dtype, pl.List) and name != prompt_of(raw)]
    return [name for name in lists if raw.select((pl.col(name).list.len() == count).all()).item()]


def _of_both(lists: pl.Series, pairs: pl.DataFrame) -> list[pl.Series]:
    """What the lists of a file say of the chosen and of the rejected answers, null where a pair was not in it."""
    sides = ("chosen", "rejected")
    return [lists.gather(pairs[f"{side}_row"]).list.get(pairs[f"{side}_at"], null_on_oob=True) for side in sides]


def _lists(name: str, both: list[pl.Series]) -> pl.Series:
    """One list of two for each pair."""
    return pl.select(pl.concat_list(*(pl.lit(one) for one in both)).alias(name)).to_series()


def _orders(pairs: pl.DataFrame, ranks: bool) -> list[pl.Series]:
    """Scores or ranks of the chosen and of the rejected: the known scores, else 1 and 0; ranks 1 and 2."""
    if not ranks:
        return scores_as_labels(pairs).get_columns()
    return [pl.repeat(rank, pairs.height, dtype=pl.Float64, eager=True) for rank in (1.0, 2.0)]


def _list_columns(raw: pl.DataFrame) -> _Columns | None:
    for name in LISTS:
        inner = getattr(raw.schema.get(name), "inner", None)
        if isinstance(inner, pl.Struct):
            found = _of_objects(name, {item.name: item.dtype for item in inner.fields})
        elif inner is not None and is_text(inner):
            found = _of_texts(raw, name)
        else:
            found = None
        if found is not None:
            return found
    return None


def _of_objects(name: str, fields: dict[str, Any]) -> _Columns | None:
    text = next((key for key in TEXTS if key in fields and is_text(fields[key])), None)
    order = next((key for key in (*SCORES, *RANKS) if key in fields and _is_order(fields[key])), None)
    if text is None or order is None:
        return None
    return _Columns(name, text, order, order in RANKS, next((key for key in MODELS if key in fields), None))


def _of_texts(raw: pl.DataFrame, name: str) -> _Columns | None:
    lists = {key: dtype.inner for key, dtype in raw.schema.items() if isinstance(dtype, pl.List)}
    order = next((key for key in (*SCORES, *RANKS) if key in lists and lists[key].is_numeric()), None)
    if order is None and not (name == "output" and "instruction" in raw.columns):
        return None  # LLaMA-Factory's old list-wise rows: the first output is the best
    model = next((key for key in MODELS if key in lists and is_text(lists[key])), None)
    return _Columns(name, None, order, order in RANKS, model)


def _is_order(dtype: Any) -> bool:
    return bool(dtype.is_numeric()) or dtype == pl.String


def _long(raw: pl.DataFrame, columns: _Columns) -> pl.DataFrame:
    """One line an answer: row, at (position), text, merit (higher wins), model if known.

    Raises:
        InputError: a row whose scores are not as many as its answers.
    """
    sign = -1.0 if columns.ranks else 1.0
    lists = [pl.col(columns.answers)]
    if columns.text is None:
        parallel = [name for name in (columns.order, columns.model) if name]
        for name in parallel:
            uneven = raw.select((pl.col(name).list.len() != pl.col(columns.answers).list.len()).fill_null(value=False))
            if uneven.to_series().any():
                row = int(uneven.to_series().arg_max() or 0) + 1
                raise InputError(f"{name!r} and {columns.answers!r} differ in length", row=row, where="list-wise row")
        lists += [pl.col(name) for name in parallel]
    long = (
        raw.select(pl.int_range(pl.len(), dtype=pl.Int64).alias("row"), *lists)
        .with_columns(at=pl.int_ranges(0, pl.col(columns.answers).list.len(), dtype=pl.Int64))
        .filter(pl.col(columns.answers).list.len() > 0)
        .explode("at", *(expression.meta.output_name() for expression in lists))
    )
    where = {"text": columns.text or columns.answers, "merit": columns.order, "model": columns.model}
    taken = {
        to: pl.col(columns.answers).struct.field(name) if columns.text else pl.col(name)
        for to, name in where.items()
        if name
    }
    merit = -pl.col("at").cast(pl.Float64)
    if columns.order:
        merit = (
            taken["merit"].cast(pl.Float64, strict=False).fill_nan(None) * sign
        )  # polars ranks NaN above all numbers
    rest = {to: value.cast(pl.String) for to, value in taken.items() if to != "merit"}
    return long.select("row", "at", merit=merit, **rest)
