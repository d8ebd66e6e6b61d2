"""`scores:`, a file of scores that someone already has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from dehusk.core.errors import InputError, UnknownName
from dehusk.core.kinds import reward_models
from dehusk.core.options import Scoring, at_home
from dehusk.core.run import InputRecord
from dehusk.io.columns import OPTIONAL, numbers, optional_columns, prepared, renamed
from dehusk.io.files import RawTable, read_raw
from dehusk.io.layouts.messages import is_messages, plain, reply
from dehusk.io.layouts.reading import PROMPT_KEYS, are_conversations, first_of, prompt_of
from dehusk.io.pairs import placed
from dehusk.io.recognise import find_layout
from dehusk.io.responses import ANSWERS, LISTS, SCORES
from dehusk.rewards.lookup import NOISE, ScoreFile

_SIDES = {
    "chosen_score": (*OPTIONAL["chosen_score"], "scores_chosen", "chosen_reward", "reward_chosen"),
    "rejected_score": (*OPTIONAL["rejected_score"], "scores_rejected", "rejected_reward", "reward_rejected"),
}
_REWARDBENCH = {"text_chosen": "scores_chosen", "text_rejected": "scores_rejected"}
_MODELS = ("model", "model_name", "reward_model")
_TORN = 0.05  # share of texts with different scores, from which they are those of several models
_WHOLE = 0.8  # share of texts that hold their prompt, from which a file is one of whole conversations


@reward_models.add("scores")
def open_scores(name: str | None, where: str, options: Scoring) -> ScoreFile:
    """A file of scores that someone already has: response and score, or chosen, rejected and a score of each.

    ?TEXT=SCORE names a column of texts and the one with its scores, as often as there are such columns; ?prompt=COLUMN
    names that of the prompts, and ?prompt= leaves prompts aside; ?model=NAME takes the rows of one model. RewardBench's
    `_outputs.jsonl` is read as it is.

    Raises:
        InputError: a file that cannot be read, no texts beside scores, or different scores of one text.
    """
    del options
    path, _, query = where.partition("?")
    given = (part.partition("=") for part in query.split("&") if part)
    settings = {unquote(left): unquote(right) for left, _, right in given}
    model, prompt = settings.pop("model", None), settings.pop("prompt", None)
    raw = read_raw(at_home(path))
    rows = placed(lambda: _rows(raw, settings, prompt), path).drop_nulls("score")
    if model is not None:
        models = rows["model"].drop_nulls().unique()
        if model not in models:
            raise UnknownName("model", model, models, where=path)
        rows = rows.filter(pl.col("model") == model)
    if not rows.height:
        raise InputError("no scores", where=path, expected="numbers beside the texts")
    whole = rows.filter(pl.col("prompt") != "", pl.col("response").str.contains(pl.col("prompt"), literal=True)).height
    known_as = name or model or Path(path.rstrip("/")).name.split(".")[0] or path
    record = InputRecord("reward_model", path, "scores", rows.height, raw.sha256)
    _refuse_several(rows, path)
    return ScoreFile(known_as, path, rows.select("prompt", "response", "score"), whole > _WHOLE * rows.height, record)


def _rows(raw: RawTable, columns: Mapping[str, str], prompt: str | None) -> pl.DataFrame:
    """Every text with its score: row, prompt, response, score and model, the last null where the file has none.

    Raises:
        InputError: no texts beside scores.
    """
    names = raw.frame.columns
    for name in (*columns, *columns.values(), *([prompt] if prompt else [])):
        if name not in names:
            raise UnknownName("column", name, names, where=raw.name)
    if not columns and {*_REWARDBENCH, *_REWARDBENCH.values()} <= {*names}:
        columns = _REWARDBENCH
    sides = {side: column for side, known in _SIDES.items() if (column := first_of(raw.frame, known))}
    if not columns and {"chosen", "rejected"} <= {*names} and len(sides) == 2:
        return _of_pairs(raw, sides, prompt)
    text, score = first_of(raw.frame, (*ANSWERS, *LISTS)), first_of(raw.frame, SCORES)
    if not columns and text and score:
        columns = {text: score}
    if not columns:
        shown = ", ".join(names[:12])
        expected = "response and score, or chosen, rejected and a score of each"
        raise InputError(f"no texts beside scores in columns {shown}", expected=expected, fix=_meant(raw))
    return pl.concat([_of_column(raw, text, score, prompt) for text, score in columns.items()])


def _of_column(raw: RawTable, text: str, score: str, prompt: str | None) -> pl.DataFrame:
    """One column of texts, or of lists of texts, with the column of its scores."""
    mapped = {"response": text, "score": score} | ({"prompt": prompt} if prompt else {})
    models = first_of(raw.frame, _MODELS)
    kept = {*mapped.values(), *PROMPT_KEYS, *([models] if models else [])}
    frame = renamed(raw.frame.select(name for name in raw.frame.columns if name in kept), mapped, raw.name)
    frame = prepared(frame, raw.name, raw.opaque).with_row_index("at")
    texts, scores = frame.schema["response"], frame.schema["score"]
    if isinstance(texts, pl.List) and not is_messages(texts):
        frame = frame.explode("response", "score")
    elif isinstance(scores, pl.List):  # a classifier's list of one number
        frame = frame.with_columns(pl.col("score").list.first())
    if not are_conversations(frame, "response"):
        raise InputError(f"column {text!r} holds no texts", expected="text or messages")
    asked = None if prompt == "" else prompt_of(frame.drop("response"))
    return frame.select(
        row=pl.col("at").cast(pl.Int64) + 1,
        prompt=_text(plain(asked, frame.schema[asked]) if asked else pl.lit("")),
        response=_text(reply("response", frame.schema["response"])),
        score=numbers(frame["score"]),
        model=pl.col(models).cast(pl.String) if models in frame.columns else pl.lit(None, pl.String),
    )


def _of_pairs(raw: RawTable, sides: Mapping[str, str], prompt: str | None) -> pl.DataFrame:
    """Both sides of preference pairs in any layout, read as `--pairs` reads them."""
    frame = renamed(raw.frame, {**sides, **({"prompt": prompt} if prompt else {})}, raw.name)
    frame = prepared(frame, raw.name, raw.opaque)
    _, layout, _ = find_layout(frame, None, raw.name)
    pairs = layout.read(frame).frame
    rows = frame[pairs["chosen_row"]]
    scores = optional_columns(rows)
    models = first_of(rows, _MODELS)
    return pl.concat(
        pairs.select(
            row=pl.col("chosen_row") + 1,
            prompt=_text(pl.lit("") if prompt == "" else pl.col("prompt")),
            response=_text(pl.col(side)),
            score=scores.get(f"{side}_score", pl.lit(None, pl.Float64)),
            model=rows[models].cast(pl.String) if models else pl.lit(None, pl.String),
        )
        for side in ("chosen", "rejected")
    )


def _text(column: pl.Expr) -> pl.Expr:
    return column.cast(pl.String).fill_null("")


def _refuse_several(rows: pl.DataFrame, path: str) -> None:
    """Refuse scores of several models in one file; a few texts may have different scores.

    Raises:
        InputError: many texts have different scores.
    """
    score, noise = pl.col("score"), NOISE * pl.lit(rows["score"].std() or 0.0)
    texts = rows.filter(pl.col("prompt") != "").group_by("prompt", "response", maintain_order=True)
    spread = texts.agg(
        low=score.min(),
        high=score.max(),
        row=pl.col("row").sort_by(score).last(),
        model=pl.col("model").first(),
        models=pl.col("model").n_unique(),
    )
    torn = spread.filter(pl.col("high") - pl.col("low") > noise)
    if torn.height > _TORN * spread.height:
        low, high, row, model, models = torn.select("low", "high", "row", "model", "models").row(0)
        what = f"{torn.height:,} of {spread.height:,} texts have different scores, such as {low:g} and {high:g}"
        fix = f"scores:{path}?model={model}" if models > 1 else None
        raise InputError(what, where=path, row=row, expected="the scores of one model", fix=fix)


def _meant(raw: RawTable) -> str | None:
    """The column with the longest texts but for the prompt, and the first of numbers called a score or a reward."""
    columns = [column for column in raw.frame if column.name not in PROMPT_KEYS]
    texts = [column for column in columns if column.dtype == pl.String]
    scores = [column.name for column in columns if column.dtype.is_numeric() and re.search("score|reward", column.name)]
    if not texts or not scores:
        return None
    longest = max(texts, key=lambda column: column.str.len_chars().sum())
    return f"scores:{raw.name}?{longest.name}={scores[0]}"
