"""Conversations as message lists and as plain text, both ways.

The plain form of a single question is the question. Of anything longer it is one paragraph a turn,
`System: …`, `Human: …`, `Assistant: …`, separated by blank lines, which is also how HH-RLHF writes dialogues.
"""

from __future__ import annotations

import re
from typing import Any

import polars as pl

ROLE_KEYS = {"role": "content", "from": "value"}  # OpenAI style and sharegpt style
SPEAKERS = {
    "user": "Human",
    "human": "Human",
    "prompter": "Human",
    "assistant": "Assistant",
    "gpt": "Assistant",
    "chatgpt": "Assistant",
    "bot": "Assistant",
    "model": "Assistant",
    "system": "System",
    "tool": "Tool",
    "function": "Tool",
    "observation": "Tool",
    "function_call": "Assistant",
}
OPENAI_ROLES = {"Human": "user", "Assistant": "assistant", "System": "system", "Tool": "tool"}
SHAREGPT_ROLES = {"Human": "human", "Assistant": "gpt", "System": "system", "Tool": "observation"}
OPENAI = pl.Struct({"role": pl.String(), "content": pl.String()})
SHAREGPT = pl.Struct({"from": pl.String(), "value": pl.String()})
_TURN = re.compile(r"(?:^|\n\n)(System|Human|Assistant|Tool): ?")


def is_message(dtype: Any) -> bool:
    """Whether a type is one message: an object with `role`/`content` or `from`/`value`."""
    return isinstance(dtype, pl.Struct) and _keys(dtype) is not None


def is_messages(dtype: Any) -> bool:
    """Whether a type is a list of messages."""
    return isinstance(dtype, pl.List) and is_message(dtype.inner)


def is_text(dtype: Any) -> bool:
    """Whether a type is text (a column without any value counts: there is nothing to contradict it)."""
    return dtype in (pl.String, pl.Null) or isinstance(dtype, pl.Categorical | pl.Enum)


def is_conversation(dtype: Any) -> bool:
    """Whether a type is text, one message or a list of messages."""
    return is_text(dtype) or is_message(dtype) or is_messages(dtype)


def plain(name: str, dtype: Any) -> pl.Expr:
    """The conversation in a column as plain text.

    Args:
        name: The column.
        dtype: Its type, for which `is_conversation` holds.
    """
    if is_messages(dtype):
        return flatten(pl.col(name), dtype)
    if is_message(dtype):
        _, content = _keys(dtype) or ("", "")
        return _content(pl.col(name).struct.field(content), dtype, content)
    return pl.col(name).cast(pl.String)


def reply(name: str, dtype: Any) -> pl.Expr:
    """The last assistant turn of a column: the text itself where it is not a list of messages."""
    if not is_messages(dtype):
        return plain(name, dtype)
    contents = pl.col(name).list.eval(_element_content(dtype.inner))
    return contents.list.get(_last_assistant(name, dtype), null_on_oob=True)


def before_reply(name: str, dtype: Any) -> pl.Expr:
    """Everything before the last assistant turn of a list of messages, as plain text."""
    return flatten(pl.col(name).list.head(_last_assistant(name, dtype)), dtype)


def flatten(messages: pl.Expr, dtype: Any) -> pl.Expr:
    """A list of messages as plain text (see the head of this module)."""
    role, _ = _keys(dtype.inner) or ("", "")
    speaker = _speaker(pl.element().struct.field(role))
    content = _element_content(dtype.inner)
    turns = messages.list.eval(pl.concat_str([speaker, content], separator=": ")).list.join("\n\n")
    alone = (messages.list.len() == 1) & (messages.list.eval(speaker).list.first() == "Human")
    return pl.when(alone).then(messages.list.eval(content).list.first()).otherwise(turns)


def split_turns(text: str) -> list[tuple[str, str]]:
    r"""The turns of a plain conversation: (speaker, what was said).

    >>> split_turns("Human: hi\n\nAssistant: hello\n\nHuman: bye")
    [('Human', 'hi'), ('Assistant', 'hello'), ('Human', 'bye')]
    >>> split_turns("just a question")
    [('Human', 'just a question')]
    """
    if not _TURN.match(text):
        return [("Human", text)]
    parts = _TURN.split(text)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def as_prompt(prompts: pl.Series, dtype: Any) -> pl.Series:
    """Plain conversations in the shape of a column: text, or lists of messages."""
    if not is_messages(dtype):
        return prompts
    return _lists(prompts.name, [_turns(prompt) for prompt in prompts], dtype.inner)


def as_reply(replies: pl.Series, dtype: Any, prompts: pl.Series | None = None) -> pl.Series:
    """Replies in the shape of a column: text, one message, or lists of messages that begin with `prompts` if given."""
    if is_messages(dtype):
        asked = [_turns(prompt) for prompt in prompts] if prompts is not None else [[] for _ in replies]
        turns = [[*before, ("Assistant", text or "")] for before, text in zip(asked, replies, strict=True)]
        return _lists(replies.name, turns, dtype.inner)
    if not is_message(dtype):
        return replies
    role, content = _keys(dtype) or ("", "")
    rows = [{role: _roles(role)["Assistant"], content: text} for text in replies]
    return pl.Series(replies.name, rows, dtype=_struct(role, content))


def _turns(prompt: str | None) -> list[tuple[str, str]]:
    return split_turns(prompt) if prompt else []


def _lists(name: str, conversations: list[list[tuple[str, str]]], dtype: Any) -> pl.Series:
    role, content = _keys(dtype) or ("", "")
    rows = [[{role: _roles(role)[speaker], content: said} for speaker, said in turns] for turns in conversations]
    return pl.Series(name, rows, dtype=pl.List(_struct(role, content)))


def _roles(role: str) -> dict[str, str]:
    return OPENAI_ROLES if role == "role" else SHAREGPT_ROLES


def _struct(role: str, content: str) -> pl.Struct:
    return pl.Struct({role: pl.String(), content: pl.String()})


def _keys(dtype: pl.Struct) -> tuple[str, str] | None:
    names = {item.name for item in dtype.fields}
    return next(((role, said) for role, said in ROLE_KEYS.items() if {role, said} <= names), None)


def _speaker(role: pl.Expr) -> pl.Expr:
    return (
        role.cast(pl.String)
        .str.to_lowercase()
        .replace_strict(SPEAKERS, default=role.cast(pl.String))
        .fill_null("Human")
    )


def _element_content(dtype: pl.Struct) -> pl.Expr:
    _, content = _keys(dtype) or ("", "")
    return _content(pl.element().struct.field(content), dtype, content)


def _content(said: pl.Expr, dtype: pl.Struct, name: str) -> pl.Expr:
    """What was said, as text: multimodal content is a list of parts, of which the text ones are joined."""
    inner = next(item.dtype for item in dtype.fields if item.name == name)
    if isinstance(inner, pl.List) and isinstance(inner.inner, pl.Struct):
        if "text" in {item.name for item in inner.inner.fields}:
            said = said.list.eval(pl.element().struct.field("text").drop_nulls()).list.join("")
        else:
            said = pl.lit("")
    elif inner.is_nested():
        said = pl.lit("")
    return said.cast(pl.String).fill_null("")


def _last_assistant(name: str, dtype: Any) -> pl.Expr:
    """Index of the last assistant turn; the last turn where there is none; shape (n,)."""
    role, _ = _keys(dtype.inner) or ("", "")
    spoke = _speaker(pl.element().struct.field(role)) == "Assistant"
    found = pl.col(name).list.eval(pl.when(spoke).then(pl.int_range(pl.len())).max()).list.first()
    return found.fill_null(pl.col(name).list.len().cast(pl.Int64) - 1).clip(0)
