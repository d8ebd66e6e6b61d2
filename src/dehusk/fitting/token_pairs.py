"""Preference pairs as the tokens that a whole model is trained on, and what became of those that are too long.

TRL's `RewardTrainer` takes a pair out, without a word, as soon as one side is longer than `max_length`. Pairs are made
into tokens here instead, as they are when the model is used, so that the trainer has nothing left to take out: a
text that is too long loses its beginning, and is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from dehusk.core.errors import NotEnoughData
from dehusk.core.messages import Text, say
from dehusk.core.tables import Bools, Ints, Pairs
from dehusk.rewards.rendering import Rendering

Overlong = Literal["truncate", "drop"]


@dataclass(frozen=True, eq=False)
class TokenPairs:
    """n pairs of token lists."""

    rows: Ints  # (n,), rows of the pairs they come from
    chosen: list[list[int]]
    rejected: list[list[int]]
    answers: list[int]  # tokens at the end of each chosen text that are the answer; 0 where nobody asked
    foreign_chosen: list[list[int]] | None = None  # the same answers under another prompt, where one is wanted
    foreign_rejected: list[list[int]] | None = None

    def __len__(self) -> int:
        """Count the pairs."""
        return len(self.chosen)

    def columns(self, keep: Bools, *, foreign: bool) -> dict[str, list[Any]]:
        """Columns for the trainer of the pairs under a mask, shape (n,); `row` counts from 0 within them.

        `foreign` says whether the texts under another prompt, if there are any, are among them.
        """
        index = np.flatnonzero(keep)
        lists: dict[str, list[Any]] = {"chosen_ids": self.chosen, "rejected_ids": self.rejected, "answer": self.answers}
        if foreign and self.foreign_chosen is not None and self.foreign_rejected is not None:
            lists |= {"foreign_chosen_ids": self.foreign_chosen, "foreign_rejected_ids": self.foreign_rejected}
        found = {name: [column[i] for i in index] for name, column in lists.items()}
        return found | {"row": list(range(index.size))}


@dataclass(frozen=True)
class Lengths:
    """What was too long, counted before anything was cut."""

    pairs: int  # that were looked at
    limit: int | None  # tokens
    chosen: int  # answers that were too long, with their prompts
    rejected: int
    either: int  # pairs with one or two of them
    identical: int  # pairs whose sides are the same tokens once they are cut: they teach nothing and are left out
    dropped: bool  # whether the pairs that are too long were left out, and not cut

    def notes(self) -> list[Text]:
        """The same in sentences; none if everything fits."""
        said = []
        if self.either:
            key = "training.overlong_dropped" if self.dropped else "training.overlong_cut"
            values = {name: getattr(self, name) for name in ("pairs", "limit", "chosen", "rejected", "either")}
            said.append(say(key, **values))
        if self.identical:
            said.append(say("training.identical", count=self.identical, pairs=self.pairs))
        return said


def token_pairs(
    pairs: Pairs,
    rendering: Rendering,
    overlong: Overlong = "truncate",
    *,
    stay: Bools | None = None,
    answers: bool = False,
    foreign: Sequence[str | None] | None = None,
) -> tuple[TokenPairs, Lengths]:
    """Make tokens of pairs, exactly as a saved model's texts are rendered when it scores.

    Args:
        pairs: The pairs.
        rendering: How texts look, with the number of tokens that are kept.
        overlong: Whether a text that is too long loses its beginning, or its pair is left out.
        stay: Pairs that are kept whatever they are, shape (n,): held-out ones.
        answers: Find out where the chosen answers begin.
        foreign: Another prompt for each pair, None where none is wanted.

    Raises:
        NotEnoughData: no pair is left.
    """
    prompts, chosen, rejected = (pairs.frame[name].to_list() for name in ("prompt", "chosen", "rejected"))
    whole = replace(rendering, max_length=None)
    starts = [0] * len(prompts)
    if answers:
        good, starts = whole.parts(prompts, chosen)
    else:
        good = whole.ids(_texts(rendering, prompts, chosen))
    bad = whole.ids(_texts(rendering, prompts, rejected))
    limit = rendering.max_length
    long = np.array([[limit is not None and len(ids) > limit for ids in side] for side in (good, bad)]).reshape(2, -1)
    cut_good, cut_bad = ([rendering.cut(ids) for ids in side] for side in (good, bad))
    same = np.array([one == other for one, other in zip(cut_good, cut_bad, strict=True)], dtype=bool)
    kept = ~same & ~long.any(axis=0) if overlong == "drop" else ~same
    kept = kept if stay is None else kept | stay
    counts = (int(long[0].sum()), int(long[1].sum()), int(long.any(axis=0).sum()))
    lengths = Lengths(len(prompts), limit, *counts, int(same.sum()), overlong == "drop")
    index = np.flatnonzero(kept)
    if not index.size:
        raise NotEnoughData(f"at least 1 pair that fits, got 0 of {len(prompts)}")
    tails = [min(len(ids) - start, len(cut) - 1) for ids, cut, start in zip(good, cut_good, starts, strict=True)]
    elsewhere: list[list[list[int]] | None] = [None, None]
    if foreign is not None:
        sides = (rendering.ids(_texts(rendering, foreign, side)) for side in (chosen, rejected))
        elsewhere = [[side[i] for i in index] for side in sides]
    found = TokenPairs(
        rows=index,
        chosen=[cut_good[i] for i in index],
        rejected=[cut_bad[i] for i in index],
        answers=[tails[i] if answers else 0 for i in index],
        foreign_chosen=elsewhere[0],
        foreign_rejected=elsewhere[1],
    )
    return found, lengths


def _texts(rendering: Rendering, prompts: Sequence[str | None], responses: Sequence[str]) -> list[str]:
    """Rendered texts, an empty one where there is no prompt."""
    return [
        "" if asked is None else rendering.text(asked, said) for asked, said in zip(prompts, responses, strict=True)
    ]
