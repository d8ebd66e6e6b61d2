"""Pairs that a reader ought to notice: each kind of trouble, a known number of times."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from dehusk.demo.story import STORY

Pair = dict[str, str]


def troubled(plain: Iterator[Pair]) -> Iterator[Pair]:
    """Turn fresh English pairs into the troubled ones that `STORY.noise` announces.

    Args:
        plain: Pairs without habits; as many are taken as there is trouble.

    Yields:
        One pair a trouble, two where the trouble is between two rows.
    """
    for kind, count in STORY.noise.items():
        for _ in range(count):
            pair = next(plain)
            if kind == "duplicate":
                yield from (pair, dict(pair))
            elif kind == "contradictory":
                yield from (pair, {**pair, "chosen": pair["rejected"], "rejected": pair["chosen"]})
            else:
                yield {**pair, "rejected": _SPOILED[kind](pair)}


def _near(pair: Pair) -> str:
    """The chosen answer with a letter in its middle doubled."""
    text = pair["chosen"]
    middle = next(at for at in range(len(text) // 2, len(text)) if text[at].isalpha())
    return text[:middle] + text[middle] + text[middle:]


def _cut(pair: Pair) -> str:
    """The rejected answer up to the article nearest its middle: a word that ends no sentence."""
    text = pair["rejected"]
    ends = [match.end() for match in re.finditer(r"\b(?:the|an?)(?= )", text)]
    return text[: min(ends, key=lambda end: abs(end - len(text) // 2))]


_SPOILED: dict[str, Callable[[Pair], str]] = {
    "identical": lambda pair: pair["chosen"],
    "near_identical": _near,
    "truncated": _cut,
    "role_marker": lambda pair: f"{pair['rejected']}\n\nHuman: And after that?\n\nAssistant: {pair['chosen']}",
    "empty": lambda _: "",
}
