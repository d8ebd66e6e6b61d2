"""System prompts that sit in a column of their own."""

from __future__ import annotations

import polars as pl

from dehusk.io.layouts.messages import split_turns

_STARTS_WITH_SPEAKER = r"^(?:Human|Assistant|System|Tool): "


def with_system(prompt: pl.Expr | pl.Series, system: pl.Expr) -> pl.Expr:
    """A plain conversation headed by its system prompt, where there is one."""
    text = pl.lit(prompt) if isinstance(prompt, pl.Series) else prompt
    system = system.cast(pl.String).fill_null("")
    dialogue = pl.when(text.str.contains(_STARTS_WITH_SPEAKER)).then(text).otherwise("Human: " + text)
    return pl.when(system.str.len_bytes() > 0).then("System: " + system + "\n\n" + dialogue).otherwise(text)


def split_system(prompts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """System prompts ("" where there is none) and what remains of the conversations; shapes (n,)."""
    systems, rest = [], []
    for prompt in prompts:
        turns = split_turns(prompt or "")
        systems.append(turns.pop(0)[1] if turns[0][0] == "System" else "")
        rest.append(joined(turns))
    return pl.Series("system", systems, dtype=pl.String), pl.Series("prompt", rest, dtype=pl.String)


def joined(turns: list[tuple[str, str]]) -> str:
    """Turns as a plain conversation; a single question stands without its speaker.

    >>> joined([("Human", "hi")])
    'hi'
    """
    if len(turns) == 1 and turns[0][0] == "Human":
        return turns[0][1]
    return "\n\n".join(f"{speaker}: {said}" for speaker, said in turns)
