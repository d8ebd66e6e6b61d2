"""Layouts of LLaMA-Factory and ms-swift."""

from __future__ import annotations

from typing import Any

import polars as pl

from dehusk.core.kinds import layouts
from dehusk.io.layouts.messages import (
    OPENAI,
    SHAREGPT,
    as_prompt,
    as_reply,
    before_reply,
    is_message,
    is_messages,
    is_text,
    plain,
    reply,
    split_turns,
)
from dehusk.io.layouts.reading import OneRow, Reading, are_conversations, first_of, one_row_each, required
from dehusk.io.layouts.system import joined, with_system

_SAID = ("messages", "conversations")
_HISTORY = pl.List(pl.List(pl.String))


class _Asked(OneRow):
    """Base: question, further input, system and history in columns of their own, and both answers as text."""

    questions: tuple[str, ...]
    chosen: tuple[str, ...]
    rejected: str
    input_always = False  # whether rows made from nothing have an (empty) input

    def recognises(self, raw: pl.DataFrame) -> bool:
        names = (first_of(raw, self.questions), first_of(raw, self.chosen), self.rejected)
        return all(name is not None and name in raw.columns and is_text(raw.schema[name]) for name in names)

    def read(self, raw: pl.DataFrame) -> Reading:
        question, chosen = (
            required(first_of(raw, self.questions), "prompt"),
            required(first_of(raw, self.chosen), "answer"),
        )
        text = {name for name, dtype in raw.schema.items() if is_text(dtype)}
        prompt = pl.col(question).cast(pl.String)
        used = [question]
        if "input" in text:
            extra = pl.col("input").cast(pl.String).fill_null("")
            prompt = pl.when(extra.str.len_bytes() > 0).then(prompt.fill_null("") + "\n" + extra).otherwise(prompt)
            used.append("input")
        if raw.schema.get("history") == _HISTORY:
            earlier = pl.col("history").list.len().fill_null(0) > 0
            prompt = pl.when(earlier).then(_past() + "Human: " + prompt).otherwise(prompt)
            used.append("history")
        if "system" in text:
            prompt = with_system(prompt, pl.col("system"))
            used.append("system")
        sides = {"chosen": pl.col(chosen).cast(pl.String), "rejected": pl.col(self.rejected).cast(pl.String)}
        return Reading(one_row_each(raw, prompt=prompt, **sides), (*used, chosen, self.rejected))

    def write(self, pairs: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
        question, chosen = first_of(like, self.questions), first_of(like, self.chosen)
        text = pl.String()
        schema: dict[str, pl.DataType] = {question or self.questions[0]: text, "input": text, "system": text}
        schema["history"] = _HISTORY
        columns = pl.DataFrame([_alpaca(prompt or "") for prompt in pairs["prompt"]], schema=schema, orient="row")
        filled = {
            "input": self.input_always,
            "system": (columns["system"] != "").any(),
            "history": (columns["history"].list.len() > 0).any(),
        }
        columns = columns.drop(name for name, needed in filled.items() if name not in like.columns and not needed)
        answers = pairs.select(
            pl.col("chosen").alias(chosen or self.chosen[0]), pl.col("rejected").alias(self.rejected)
        )
        return columns.hstack(answers)


@layouts.add("llamafactory-alpaca")
class LlamaFactoryAlpaca(_Asked):
    """LLaMA-Factory, alpaca style: instruction, input, chosen, rejected as text; system and history if there."""

    needs = "instruction, chosen, rejected"
    questions = ("instruction",)
    chosen = ("chosen",)
    rejected = "rejected"
    input_always = True


@layouts.add("ms-swift-query")
class SwiftQuery(_Asked):
    """ms-swift's older columns: query, response, rejected_response as text (or instruction, input, output)."""

    needs = "query, response, rejected_response"
    questions = ("query", "instruction")
    chosen = ("response", "output")
    rejected = "rejected_response"


def _past() -> pl.Expr:
    """Earlier turns as a plain conversation that ends where the next question begins."""
    turn = "Human: " + pl.element().list.get(0, null_on_oob=True).fill_null("")
    turn += "\n\nAssistant: " + pl.element().list.get(1, null_on_oob=True).fill_null("") + "\n\n"
    return pl.col("history").list.eval(turn).list.join("").fill_null("")


def _alpaca(prompt: str) -> tuple[str, str, str, list[list[str]]]:
    """Instruction, input, system and history of a plain conversation; odd turn orders stay in the instruction."""
    turns = split_turns(prompt)
    system = turns.pop(0)[1] if turns[0][0] == "System" else ""
    past, last = turns[:-1], turns[-1:]
    speakers = [speaker for speaker, _ in turns]
    if speakers != [*["Human", "Assistant"] * (len(past) // 2), "Human"]:
        return joined(turns), "", system, []
    said = [text for _, text in past]
    return last[0][1], "", system, [list(turn) for turn in zip(said[::2], said[1::2], strict=True)]


@layouts.add("llamafactory-sharegpt")
class LlamaFactorySharegpt(OneRow):
    """LLaMA-Factory, sharegpt style: conversations as a message list, chosen and rejected as one message each."""

    needs = "conversations, chosen, rejected"

    def recognises(self, raw: pl.DataFrame) -> bool:
        """A list of messages, and one message a side."""
        asked = first_of(raw, _SAID[::-1])
        sides = [raw.schema.get(side) for side in ("chosen", "rejected")]
        return asked is not None and is_messages(raw.schema[asked]) and all(map(is_message, sides))

    def read(self, raw: pl.DataFrame) -> Reading:
        """The conversation is the prompt, the two messages are the answers."""
        asked = first_of(raw, _SAID[::-1]) or "conversations"
        columns = {"prompt": asked, "chosen": "chosen", "rejected": "rejected"}
        frame = one_row_each(raw, **{to: plain(name, raw.schema[name]) for to, name in columns.items()})
        return Reading(frame, tuple(columns.values()))

    def write(self, pairs: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
        """Messages under `from` and `value`, or under the keys that the columns already have."""
        asked = first_of(like, _SAID[::-1]) or "conversations"
        columns = [as_prompt(pairs["prompt"].alias(asked), like.schema.get(asked, pl.List(SHAREGPT)))]
        return pl.DataFrame(
            [*columns, *(as_reply(pairs[side], like.schema.get(side, SHAREGPT)) for side in ("chosen", "rejected"))]
        )


class _Swift(OneRow):
    """Base: the chosen answer ends `messages`, the rejected one has a column of its own."""

    rejected: str
    fresh: Any

    def recognises(self, raw: pl.DataFrame) -> bool:
        said = first_of(raw, _SAID)
        return said is not None and is_messages(raw.schema[said]) and are_conversations(raw, self.rejected)

    def read(self, raw: pl.DataFrame) -> Reading:
        said = required(first_of(raw, _SAID), "messages")
        messages = raw.schema[said]
        frame = one_row_each(
            raw,
            prompt=before_reply(said, messages),
            chosen=reply(said, messages),
            rejected=reply(self.rejected, raw.schema[self.rejected]),
        )
        return Reading(frame, (said, self.rejected))

    def write(self, pairs: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
        said = first_of(like, _SAID) or _SAID[0]
        messages = like.schema.get(said, pl.List(OPENAI))
        rejected = like.schema.get(self.rejected, self.fresh)
        return pl.DataFrame(
            [
                as_reply(pairs["chosen"].alias(said), messages, pairs["prompt"]),
                as_reply(pairs["rejected"].alias(self.rejected), rejected, pairs["prompt"]),
            ]
        )


@layouts.add("ms-swift")
class Swift(_Swift):
    """ms-swift: messages that end with the chosen answer, rejected_response as text."""

    needs = "messages, rejected_response"
    rejected = "rejected_response"
    fresh = pl.String()


@layouts.add("ms-swift-messages")
class SwiftMessages(_Swift):
    """ms-swift: messages that end with the chosen answer, rejected_messages that end with the rejected one."""

    needs = "messages, rejected_messages"
    rejected = "rejected_messages"
    fresh = pl.List(OPENAI)
