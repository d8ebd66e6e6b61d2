"""Columns of a user's file on their way to dehusk's names: `--map`, JSON inside text, the optional columns."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Mapping

import polars as pl

from dehusk.core.errors import InputError
from dehusk.io.layouts.messages import OPENAI, SHAREGPT
from dehusk.io.layouts.reading import PROMPT_KEYS

OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "source": ("source", "subset", "dataset", "data_source", "origin"),
    "margin": ("margin", "label_margin", "label_strength", "strength", "score_diff"),
    "lang": ("lang", "language"),
    "chosen_model": ("chosen_model", "chosen-model", "model_chosen", "chosen_generator"),
    "rejected_model": ("rejected_model", "rejected-model", "model_rejected", "rejected_generator"),
    "chosen_score": ("chosen_score", "score_chosen", "chosen_rating", "chosen-rating", "rating_chosen"),
    "rejected_score": ("rejected_score", "score_rejected", "rejected_rating", "rejected-rating", "rating_rejected"),
    "weight": ("weight", "sample_weight"),
}
CANONICAL = (
    *("prompt", "chosen", "rejected", "response", "responses", "stage", "step", "score", "scores", "gold"),
    *OPTIONAL,
)
LARGEST = 1e100
NUMERIC = ("margin", "chosen_score", "rejected_score", "weight")
_PROGRAMMING = (  # what HelpSteer3 and others write into `language` for code; the prompt is in another one
    r"^(?:python\d?|javascript|typescript|java|c|c\+\+|cpp|c#|csharp|go|golang|rust|sql|php|ruby|kotlin|swift|scala|"
    r"html|css|bash|shell|perl|lua|matlab|julia|haskell|dart|vba|powershell|assembly|code)(?:_\w+)?$"
)
_ASIDE = " (as in the file)"
_MESSAGES = r'^\s*\[\s*\{\s*"(?:role|from|content|value)"\s*:'
_ONE_MESSAGE = r'(?s)^\s*\{\s*"(?:role|from)"\s*:\s*".*\}\s*$'
_TURNS = r'(?s)^\s*\[\s*(?:"|null).*\]\s*$'
_PYTHON_MESSAGES = r"^\s*\[\s*\{\s*'(?:role|content|from|value)'\s*:"


def renamed(frame: pl.DataFrame, columns: Mapping[str, str], where: str) -> pl.DataFrame:
    """The table under the names that the user mapped: canonical name -> column of the file.

    A column that already has a mapped name steps aside; `original_names` undoes it all.

    Raises:
        InputError: a mapped column that is not in the file, with the nearest one.
    """
    for name, column in columns.items():
        if column not in frame.columns:
            near = difflib.get_close_matches(column, frame.columns, n=1, cutoff=0.5)
            shown = ", ".join(frame.columns[:12])
            fix = mapping({name: near[0]}) if near else None
            raise InputError(f"no column {column!r}", where=where, expected=f"one of {shown}", fix=fix)
        meant = difflib.get_close_matches(name, CANONICAL, n=1, cutoff=0.8)
        if meant and name not in CANONICAL:
            what = f"{name!r} is no name of dehusk's"
            raise InputError(what, where="--map", expected=f"{meant[0]}=…", fix=mapping({meant[0]: column}))
    return frame.rename(_renames(frame.columns, columns))


def mapping(columns: Mapping[str, str]) -> str:
    """The option that maps these columns, as it is typed into a shell.

    >>> mapping({"prompt": "q", "chosen": " win"})
    "--map 'prompt=q,chosen= win'"
    """
    return "--map " + shlex.quote(",".join(f"{name}={column}" for name, column in columns.items()))


def original_names(names: Iterable[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Names used while reading -> names in the file, for those that differ."""
    back = {name: column for name, column in columns.items() if name != column}
    return {name: back.get(name, name.removesuffix(_ASIDE)) for name in names if name in back or name.endswith(_ASIDE)}


def _renames(present: Iterable[str], columns: Mapping[str, str]) -> dict[str, str]:
    to = {column: name for name, column in columns.items()}
    return {name: to.get(name, name + _ASIDE if name in columns else name) for name in present}


def prepared(frame: pl.DataFrame, where: str, opaque: Iterable[str] = ()) -> pl.DataFrame:
    """Plain types: categories as text, message lists that were stored as JSON text as lists.

    Args:
        frame: The table under mapped names.
        where: Name of the file for errors.
        opaque: Columns that hold lists or objects of no common type, as JSON text.

    Raises:
        InputError: a column that holds messages in some rows and plain text in others, with the odd row; messages as
            Python text; or a prompt or answer that is a list or an object of another kind.
    """
    categories = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Categorical | pl.Enum)]
    frame = frame.with_columns(pl.col(categories).cast(pl.String)) if categories else frame
    for name, dtype in frame.schema.items():
        if dtype != pl.String:
            continue
        if frame[name].str.contains(_PYTHON_MESSAGES).any():  # what pandas makes of lists in a CSV file
            what = f"column {name!r} holds Python lists as text"
            raise InputError(what, where=where, expected="JSON", fix="save the table as JSON Lines or Parquet")
        if name in PROMPT_KEYS and frame[name].str.contains(_TURNS).sum() == len(frame):
            what = f"column {name!r} holds lists of turns as JSON text"
            raise InputError(what, where=where, expected="text, or messages with role and content")
        if frame[name].null_count() < len(frame) and frame[name].str.contains(_ONE_MESSAGE).all():
            frame = frame.with_columns(_decoded(frame[name], where, one=True))
            continue
        like_messages = frame[name].str.contains(_MESSAGES)
        count, present = int(like_messages.sum()), len(frame) - frame[name].null_count()
        if not count:
            continue
        if count < present:
            odd = like_messages if count <= present / 2 else ~like_messages
            what = f"column {name!r} holds messages in some rows and text in others"
            raise InputError(what, where=where, row=int(odd.fill_null(value=False).arg_max() or 0) + 1)
        frame = frame.with_columns(_decoded(frame[name], where))
    for name in (*PROMPT_KEYS, "chosen", "rejected", "response", "completion"):
        if name in opaque and frame.schema.get(name) == pl.String:
            row = int(frame[name].str.contains(r"^[\[{]").fill_null(value=False).arg_max() or 0) + 1
            raise InputError(
                f"column {name!r} is a list or an object", where=where, row=row, expected="text or messages"
            )
    return frame


def _decoded(texts: pl.Series, where: str, *, one: bool = False) -> pl.Series:
    """Message lists, or one message each, from their JSON text."""
    sharegpt = bool(texts.drop_nulls().head(1).str.contains(r'"from"\s*:').any())
    message = SHAREGPT if sharegpt else OPENAI
    try:
        return texts.str.json_decode(message if one else pl.List(message))
    except pl.exceptions.PolarsError:
        raise InputError(
            f"column {texts.name!r} holds broken JSON", where=where, expected="a list of messages"
        ) from None


def optional_columns(frame: pl.DataFrame) -> dict[str, pl.Series]:
    """The optional columns of `Pairs` that a table has under any of their usual names, in their types."""
    found: dict[str, pl.Series] = {}
    for name, aliases in OPTIONAL.items():
        usable = [column for alias in aliases if (column := _typed(frame, alias, name)) is not None]
        if usable:  # for `source`, a column that tells rows apart beats one that is the same everywhere
            found[name] = next((column for column in usable if name == "source" and column.n_unique() > 1), usable[0])
    if "lang" in found:
        code = found["lang"].str.to_lowercase()
        chinese = code.str.contains(r"^(?:zh|cn|chinese|中文)")
        english = code.str.contains(r"^en")
        other = pl.when(~code.str.contains(_PROGRAMMING)).then(code)
        found["lang"] = pl.select(
            pl.when(chinese).then(pl.lit("zh")).when(english).then(pl.lit("en")).otherwise(other).alias("lang")
        ).to_series()
    return found


def _typed(frame: pl.DataFrame, column: str, name: str) -> pl.Series | None:
    if column not in frame.columns or frame.schema[column].is_nested():
        return None
    values = numbers(frame[column]) if name in NUMERIC else frame[column].cast(pl.String, strict=False)
    return values.alias(name) if values.null_count() < len(values) else None


def numbers(column: pl.Series, below: float = LARGEST) -> pl.Series:
    """A column as numbers, null where it holds none: NaN, infinities and what would become one when summed included."""
    values = column.cast(pl.Float64, strict=False)
    return values.to_frame("v").select(pl.when(pl.col("v").abs() < below).then("v")).to_series().alias(column.name)


def untouched(frame: pl.DataFrame, taken: Iterable[str]) -> pl.DataFrame:
    """The scalar columns whose names are free, numbers written as text (CSV) as numbers, all of them finite."""
    kept = [name for name, dtype in frame.schema.items() if name not in set(taken) and not dtype.is_nested()]
    return pl.DataFrame([_number_or_same(frame[name]) for name in kept])


def _number_or_same(column: pl.Series) -> pl.Series:
    if column.dtype.is_float():
        return numbers(column)
    if column.dtype != pl.String:
        return column
    values = numbers(column)
    return values if values.null_count() == column.null_count() < len(column) else column
