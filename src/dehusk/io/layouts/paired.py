"""Layouts with the columns `chosen` and `rejected`: TRL, UltraFeedback, OpenRLHF, axolotl, HH-RLHF."""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from dehusk.core.kinds import layouts
from dehusk.core.messages import say
from dehusk.io.edit_distance import shared_prefix
from dehusk.io.layouts.messages import OPENAI, as_prompt, as_reply, before_reply, is_messages, is_text, plain, reply
from dehusk.io.layouts.reading import (
    SIDES,
    OneRow,
    Reading,
    are_conversations,
    first_of,
    one_row_each,
    required,
    scores_of,
)
from dehusk.io.layouts.system import split_system, with_system

SCORE_KEYS = (
    ("score_chosen", "score_rejected"),
    ("chosen_score", "rejected_score"),
    ("chosen_rating", "rejected_rating"),
    ("chosen-rating", "rejected-rating"),
    ("rating_chosen", "rating_rejected"),
)
# Where an answer begins inside one string, in the chat templates people train with.
_OPENING = (
    r"<\|im_start\|>assistant\n|<\|start_header_id\|>assistant<\|end_header_id\|>\n*|<\|assistant\|>\n?"
    r"|\[/INST\]|### ?(?:Response|Assistant):|<start_of_turn>model\n|<｜Assistant｜>|(?:^|\n)(?:Assistant|ASSISTANT):"
)
_IS_DIALOGUE = r"^(?:Human|System|Assistant): "
_DIALOGUE = r"(?s)^\s*(.*)\n\nAssistant:(.*)$"


class _Explicit(OneRow):
    """Base: a prompt column beside `chosen` and `rejected`; text, or lists of messages."""

    needs = "prompt, chosen, rejected"
    prompts: tuple[str, ...] = ("prompt",)
    fresh: Any = pl.String()  # type of the columns where there is none to follow
    prompt_inside = False  # whether answers written as messages begin with the prompt

    def recognises(self, raw: pl.DataFrame) -> bool:
        prompt = first_of(raw, self.prompts)
        if prompt is None or not are_conversations(raw, prompt, "chosen", "rejected"):
            return False
        return is_messages(raw.schema["chosen"]) == is_messages(self.fresh)

    def read(self, raw: pl.DataFrame) -> Reading:
        prompt = required(first_of(raw, self.prompts), "prompt")
        frame = one_row_each(
            raw,
            prompt=plain(prompt, raw.schema[prompt]),
            chosen=reply("chosen", raw.schema["chosen"]),
            rejected=reply("rejected", raw.schema["rejected"]),
        )
        return Reading(frame, (prompt, "chosen", "rejected"))

    def write(self, pairs: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
        prompt = first_of(like, self.prompts) or self.prompts[0]
        plain_prompt = pl.String() if self.prompt_inside else self.fresh
        before = pairs["prompt"] if self._prompt_inside(like) else None
        return pl.DataFrame(
            [
                as_prompt(pairs["prompt"].alias(prompt), like.schema.get(prompt, plain_prompt)),
                as_reply(pairs["chosen"], like.schema.get("chosen", self.fresh), before),
                as_reply(pairs["rejected"], like.schema.get("rejected", self.fresh), before),
            ]
        )

    def _prompt_inside(self, like: pl.DataFrame) -> bool:
        if like.height and is_messages(like.schema.get("chosen")):
            return _share(like["chosen"].list.len() > 1) > 0.5
        return self.prompt_inside


class _Scored(_Explicit):
    """Base: as `_Explicit`, with a score a side."""

    needs = "prompt, chosen, rejected, score_chosen, score_rejected"

    def recognises(self, raw: pl.DataFrame) -> bool:
        return self._scores(raw) is not None and super().recognises(raw)

    def read(self, raw: pl.DataFrame) -> Reading:
        reading = super().read(raw)
        scores = self._scores(raw)
        if scores is None:
            return reading
        found = raw.select(
            chosen_score=pl.col(scores[0]).cast(pl.Float64, strict=False).fill_nan(None),
            rejected_score=pl.col(scores[1]).cast(pl.Float64, strict=False).fill_nan(None),
        )
        return Reading(reading.frame.hstack(found), reading.used)

    def write(self, pairs: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
        names = self._scores(like) or SCORE_KEYS[0]
        return super().write(pairs, like).hstack(scores_of(pairs).rename(dict(zip(SIDES, names, strict=True))))

    def _scores(self, raw: pl.DataFrame) -> tuple[str, str] | None:
        return next((names for names in SCORE_KEYS if set(names) <= set(raw.columns)), None)


@layouts.add("ultrafeedback")
class UltraFeedback(_Scored):
    """Prompt, chosen and rejected as text, with a score a side (score_chosen, chosen_score, chosen_rating, …)."""


@layouts.add("ultrafeedback-messages")
class UltraFeedbackMessages(_Scored):
    """UltraFeedback binarized: as ultrafeedback, with chosen and rejected as message lists that include the prompt."""

    fresh = pl.List(OPENAI)
    prompt_inside = True


@layouts.add("trl-explicit")
class TrlExplicit(_Explicit):
    """TRL with an explicit prompt: prompt, chosen, rejected as text."""


@layouts.add("trl-explicit-messages")
class TrlExplicitMessages(_Explicit):
    """TRL with an explicit prompt: prompt, chosen, rejected as message lists."""

    fresh = pl.List(OPENAI)


@layouts.add("openrlhf")
class OpenRlhf(_Explicit):
    """OpenRLHF with its own prompt key: question (or query, context, context_messages), chosen, rejected."""

    needs = "question, chosen, rejected"
    prompts = ("question", "query", "context_messages", "context", "user_input", "problem")

    def recognises(self, raw: pl.DataFrame) -> bool:
        """A prompt under one of its other keys, beside chosen and rejected."""
        name = first_of(raw, self.prompts)
        return name is not None and are_conversations(raw, name, "chosen", "rejected")


@layouts.add("axolotl")
class Axolotl(_Explicit):
    """axolotl's reward-model rows: input, chosen, rejected as text, and system if there is one."""

    needs = "input, chosen, rejected"
    prompts = ("input",)

    def read(self, raw: pl.DataFrame) -> Reading:
        """The system prompt, if any, heads the conversation."""
        reading = super().read(raw)
        if "system" not in raw.columns or not is_text(raw.schema["system"]):
            return reading
        prompts = raw.select(prompt=with_system(reading.frame["prompt"], pl.col("system")))
        return Reading(reading.frame.with_columns(prompts), ("system", *reading.used))

    def write(self, pairs: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
        """The system prompt goes back into its own column."""
        system, prompts = split_system(pairs["prompt"])
        columns = super().write(pairs.with_columns(prompts.alias("prompt")), like)
        if "system" in like.columns or (system != "").any():
            columns = columns.insert_column(0, system.alias("system"))
        return columns


class _Implicit(OneRow):
    """Base: the prompt is inside both sides."""

    needs = "chosen, rejected"

    def _bare(self, raw: pl.DataFrame) -> bool:
        return are_conversations(raw, "chosen", "rejected") and first_of(raw, ("prompt", "messages")) is None


@layouts.add("hh-rlhf")
class HhRlhf(_Implicit):
    r"""HH-RLHF: chosen and rejected are whole dialogues, "\n\nHuman: … \n\nAssistant: …"."""

    def recognises(self, raw: pl.DataFrame) -> bool:
        """No prompt column, and most texts are dialogues with an answer at the end."""
        if not self._bare(raw) or not is_text(raw.schema["chosen"]):
            return False
        head = raw["chosen"].head(200).cast(pl.String)
        return _share(head.str.contains(r"^\s*(?:Human|System):") & head.str.contains(_DIALOGUE)) > 0.8

    def read(self, raw: pl.DataFrame) -> Reading:
        """The last answer of each side is the response, what precedes it the prompt."""
        frame = one_row_each(raw, prompt=_asked("chosen"), chosen=_answered("chosen"), rejected=_answered("rejected"))
        return Reading(frame, ("chosen", "rejected"))

    def write(self, pairs: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
        """Prompt and answer put together as a dialogue."""
        asked = pl.when(pl.col("prompt").str.contains(_IS_DIALOGUE)).then(pl.col("prompt"))
        before = pl.lit("\n\n") + asked.otherwise("Human: " + pl.col("prompt")) + "\n\nAssistant: "
        return pairs.select((before + pl.col(side)).alias(side) for side in ("chosen", "rejected"))


@layouts.add("trl-implicit-messages")
class TrlImplicitMessages(_Implicit):
    """TRL with an implicit prompt: chosen and rejected are whole message lists."""

    def recognises(self, raw: pl.DataFrame) -> bool:
        """No prompt column, and message lists on both sides."""
        return self._bare(raw) and is_messages(raw.schema["chosen"])

    def read(self, raw: pl.DataFrame) -> Reading:
        """The last answer of each side is the response, what precedes the chosen one the prompt."""
        schema = raw.schema
        prompt = before_reply("chosen", schema["chosen"]) if is_messages(schema["chosen"]) else pl.lit("")
        sides = {side: reply(side, schema[side]) for side in ("chosen", "rejected")}
        return Reading(one_row_each(raw, prompt=prompt, **sides), ("chosen", "rejected"))

    def write(self, pairs: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
        """The turns of the prompt, then the answer."""
        sides = ("chosen", "rejected")
        return pl.DataFrame(
            [as_reply(pairs[side], like.schema.get(side, pl.List(OPENAI)), pairs["prompt"]) for side in sides]
        )


@layouts.add("trl-implicit")
class TrlImplicit(_Implicit):
    """TRL with an implicit prompt: chosen and rejected are whole texts, the prompt is what they share at the start."""

    def recognises(self, raw: pl.DataFrame) -> bool:
        """No prompt column, and text on both sides."""
        return self._bare(raw) and is_text(raw.schema["chosen"])

    def read(self, raw: pl.DataFrame) -> Reading:
        """What both sides share at the start is the prompt, cut after the last assistant marker in it."""
        sides = raw.select(pl.col("chosen", "rejected").cast(pl.String))
        cuts = pl.Series("cut", [_cut(*row) for row in sides.iter_rows()], dtype=pl.Int64)
        prompt = (
            pl.col("chosen").cast(pl.String).str.head(cuts).str.replace(rf"(?:{_OPENING})\s*$", "").str.strip_chars()
        )
        rest = {side: pl.col(side).cast(pl.String).str.slice(cuts).str.strip_chars_start() for side in sides.columns}
        frame = one_row_each(raw, prompt=prompt, **rest)
        return Reading(frame, ("chosen", "rejected"), notes=(say("io.implicit", share=_share(cuts > 0)),))

    def write(self, pairs: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
        """Prompt and answer put together as one text."""
        opening = pl.when(pl.col("prompt").str.contains(_IS_DIALOGUE)).then(pl.lit("\n\nAssistant: "))
        before = pl.col("prompt") + opening.otherwise(pl.lit("\n\n"))
        return pairs.select((before + pl.col(side)).alias(side) for side in ("chosen", "rejected"))


def _share(flags: pl.Series) -> float:
    """Share of rows that are true; 0 for none."""
    return int(flags.sum()) / max(flags.len(), 1)


def _cut(chosen: str | None, rejected: str | None) -> int:
    """Where the shared prompt of two texts ends: after the last assistant marker, else after the last whole word."""
    if not chosen or not rejected:
        return 0
    shared = shared_prefix(chosen, rejected)
    markers = [match.end() for match in re.finditer(_OPENING, chosen[:shared])]
    if markers:
        return markers[-1]
    while 0 < shared < len(chosen) and chosen[shared - 1].isalnum() and chosen[shared].isalnum():
        shared -= 1
    return shared


def _asked(side: str) -> pl.Expr:
    """The dialogue before the last answer; a single question without its "Human:"."""
    before = pl.col(side).cast(pl.String).str.extract(_DIALOGUE, 1)
    alone = ~before.str.contains("\n\nAssistant:", literal=True) & ~before.str.contains("\n\nHuman:", literal=True)
    return pl.when(alone).then(before.str.replace(r"^Human: ?", "")).otherwise(before)


def _answered(side: str) -> pl.Expr:
    return pl.col(side).cast(pl.String).str.extract(_DIALOGUE, 2).str.strip_chars_start(" ")
