"""Layouts in which two answers stand side by side and a column says which one won."""

from __future__ import annotations

from typing import Any

import polars as pl

from dehusk.core.errors import InputError
from dehusk.core.kinds import layouts
from dehusk.core.messages import Text
from dehusk.io.layouts.labels import label_values, looks_like_label, numbers, sides
from dehusk.io.layouts.messages import as_prompt, as_reply, before_reply, is_messages, plain, reply
from dehusk.io.layouts.reading import (
    OneRow,
    Reading,
    are_conversations,
    first_of,
    no_preference,
    one_row_each,
    prompt_of,
)

_STEMS = "response|text|answer|output|completion|candidate|generation|reply|summary|option|conversation|human_ref"
_LABELS = (
    "preferred_text|label|labels|winner|preference|preferred|choice|better|best|vote|better_response_id|"
    "preferred_response|human_preference|verdict|result"
)
STEMS, LABELS = _STEMS.split("|"), _LABELS.split("|")
ENDS = (("a", "b"), ("A", "B"), ("1", "2"), ("0", "1"), ("left", "right"))
ANSWERS = [(f"{stem}{joint}{a}", f"{stem}{joint}{b}") for stem in STEMS for a, b in ENDS for joint in ("_", "", "-")]
ONE_HOT = ("winner_model_a", "winner_model_b")
STRENGTHS = ("preference_strength", "overall_preference", "preference_score", "strength")
MODELS = (("model_a", "model_b"), ("model_1", "model_2"), ("generator_1", "generator_2"), ("model_A", "model_B"))


@layouts.add("helpsteer")
class HelpSteer(OneRow):
    """HelpSteer: two responses and a signed strength; negative prefers the first, positive the second, 0 is a tie."""

    needs = "prompt (or context), response_1, response_2, preference_strength"

    def recognises(self, raw: pl.DataFrame) -> bool:
        """Two answers and a numeric strength."""
        strength = first_of(raw, STRENGTHS)
        return strength is not None and answers_of(raw) is not None and numbers(raw[strength]) is not None

    def read(self, raw: pl.DataFrame) -> Reading:
        """The sign of the strength says which answer won, its size is the margin."""
        strength = first_of(raw, STRENGTHS) or STRENGTHS[0]
        values = numbers(raw[strength])
        if values is None:
            raise InputError(f"column {strength!r} is not a number", expected="negative where the first answer won")
        won = pl.select(side=pl.when(values != 0).then((values > 0).cast(pl.Int8))).to_series()
        return _read(raw, won, (strength,), margin=values.abs())

    def write(self, pairs: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
        """Answers in alternating order; the strength is the signed margin, ±1 where there is none."""
        frame, side = _side_by_side(pairs, answers_of(like) or ("response_1", "response_2"), like)
        margin = pairs["margin"].fill_null(1.0) if "margin" in pairs.columns else pl.lit(1.0)
        strength = (side.cast(pl.Float64) * 2 - 1) * margin
        return frame.with_columns(strength.alias(first_of(like, STRENGTHS) or STRENGTHS[0]))


@layouts.add("ab-label")
class AbLabel(OneRow):
    """Two answers (text_a/text_b, response_A/response_B, response_1/response_2, …) and a label; ties are left out."""

    needs = "response_A, response_B, label"

    def recognises(self, raw: pl.DataFrame) -> bool:
        """Two answers, and a label whose values tell them apart."""
        return _label(raw) is not None

    def read(self, raw: pl.DataFrame) -> Reading:
        """The label says which answer won; ties and missing labels hold no pair."""
        names, used = answers_of(raw), _label(raw)
        if names is None or used is None:
            raise InputError("no two answers with a label that tells them apart", expected=self.needs)
        if used == ONE_HOT:
            flags = [pl.col(name).cast(pl.Float64, strict=False) > 0 for name in used]
            won = raw.select(pl.when(flags[0]).then(0).when(flags[1]).then(1).cast(pl.Int8).alias("side")).to_series()
            return _read(raw, won, (*used, *(name for name in ("winner_tie",) if name in raw.columns)))
        won, margin, note = sides(raw[used[0]], names)
        return _read(raw, won, used, margin=margin, notes=(note,))

    def write(self, pairs: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
        """Answers in alternating order; the label in the words that the column already uses."""
        names = answers_of(like) or ("response_A", "response_B")
        frame, side = _side_by_side(pairs, names, like)
        used = _label(like) or ("label",)
        if used == ONE_HOT:
            won = [(side == place).cast(pl.Int64).alias(name) for place, name in enumerate(used)]
            ties = [pl.lit(0).alias("winner_tie")] if "winner_tie" in like.columns else []
            return frame.with_columns(*won, *ties)
        values = label_values(like[used[0]] if used[0] in like.columns else None, names)
        return frame.with_columns(side.replace_strict(dict(enumerate(values))).alias(used[0]))


def answers_of(raw: pl.DataFrame) -> tuple[str, str] | None:
    """The two answer columns of a table."""
    return next((names for names in ANSWERS if are_conversations(raw, *names)), None)


def _label(raw: pl.DataFrame) -> tuple[str, ...] | None:
    """The column (or one-hot columns) that says which answer won."""
    names = answers_of(raw)
    if names is None:
        return None
    if set(ONE_HOT) <= set(raw.columns):
        return ONE_HOT
    return next(((name,) for name in LABELS if name in raw.columns and looks_like_label(raw[name], names)), None)


def _read(
    raw: pl.DataFrame,
    won: pl.Series,
    used: tuple[str, ...],
    *,
    margin: pl.Series | None = None,
    notes: tuple[Text, ...] = (),
) -> Reading:
    """Pairs from two answers and the side that won (0, 1 or null for no preference), shape (n,).

    Without a column for it, the prompt is what comes before the first answer in its conversation.
    """
    first, second = answers_of(raw) or ("", "")
    prompt = prompt_of(raw)
    talk = raw.schema[first]
    inside = before_reply(first, talk) if is_messages(talk) else pl.lit("")
    models = next((names for names in MODELS if set(names) <= set(raw.columns)), None)
    answers = [reply(name, raw.schema[name]) for name in (first, second)]
    swapped = pl.lit(won) == 1
    columns: dict[str, Any] = {
        "prompt": plain(prompt, raw.schema[prompt]) if prompt else inside,
        "chosen": pl.when(swapped).then(answers[1]).otherwise(answers[0]),
        "rejected": pl.when(swapped).then(answers[0]).otherwise(answers[1]),
        "won": pl.lit(won),
    }
    if models:
        names = [pl.col(name).cast(pl.String) for name in models]
        columns["chosen_model"] = pl.when(swapped).then(names[1]).otherwise(names[0])
        columns["rejected_model"] = pl.when(swapped).then(names[0]).otherwise(names[1])
    if margin is not None and margin.null_count() < len(margin):
        columns["margin"] = pl.lit(margin)
    frame = one_row_each(raw, **columns)
    undecided = frame.filter(pl.col("won").is_null())["chosen_row"]
    frame = frame.filter(pl.col("won").is_not_null()).drop("won")
    asked = (prompt,) if prompt else ()
    return Reading(frame, (*asked, first, second, *used), no_preference(undecided, "tie"), notes)


def _side_by_side(pairs: pl.DataFrame, names: tuple[str, str], like: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """The two answers in alternating order (so that position says nothing), and the side of the winner, shape (n,)."""
    side = pl.Series("side", [number % 2 for number in range(pairs.height)], dtype=pl.Int64)
    texts = pairs.select(
        pl.when(pl.lit(side) == 0).then("chosen").otherwise("rejected").alias(names[0]),
        pl.when(pl.lit(side) == 0).then("rejected").otherwise("chosen").alias(names[1]),
    )
    dtypes = [like.schema.get(name, pl.String()) for name in names]
    inside = prompt_of(like) is None and is_messages(dtypes[0])
    prompt = prompt_of(like) or ("prompt" if not inside and (pairs["prompt"] != "").any() else None)
    before = pairs["prompt"] if inside else None
    columns = [as_reply(texts[name], dtype, before) for name, dtype in zip(names, dtypes, strict=True)]
    if prompt:
        columns.insert(0, as_prompt(pairs["prompt"].alias(prompt), like.schema.get(prompt, pl.String())))
    return pl.DataFrame(columns), side
