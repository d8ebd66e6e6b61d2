"""`augment`: add pairs in which the label has nothing to do with the surface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
import polars as pl

from dehusk.core.errors import InputError, NotEnoughData, UnknownName
from dehusk.core.kinds import RewardModel, repairs, scores_new_texts
from dehusk.core.messages import say
from dehusk.core.plans import Plan, unchanged
from dehusk.core.tables import Floats, Ints, Measures, Pairs
from dehusk.repairs.additions.counterfactual import counterfactual
from dehusk.repairs.additions.random_negatives import random_negatives
from dehusk.repairs.additions.rrm import neutral, non_contextual
from dehusk.stats.regression import sigmoid

Draw = Callable[[Pairs, Ints, np.random.Generator], pl.DataFrame]
OFF_PROMPT: Mapping[str, Draw] = MappingProxyType(
    {"random_negatives": random_negatives, "rrm_non_contextual": non_contextual, "rrm_neutral": neutral}
)
SURPRISE = 0.2  # least |predicted − wanted| probability at which a pair still teaches the model something
CARRIED = ("prompt", "group", "lang")  # columns that an added pair has from the pair whose prompt it has


@repairs.add("augment")
def augment(
    pairs: Pairs,
    measures: Measures,
    rng: np.random.Generator,
    *,
    targets: tuple[str, ...] = (),
    kinds: tuple[str, ...] = (),
    share: float = 0.25,
    total: float | None = None,
    reward_model: RewardModel | None = None,
) -> Plan:
    """Add pairs in which the label has nothing to do with the surface: edited answers, and answers to other prompts.

    `counterfactual`: the targets added to the chosen and to the rejected answer alike, and ties of an answer with its
    edited self. `random_negatives`: the chosen answer beats another prompt's (arXiv 2310.03716). `rrm_non_contextual`
    and `rrm_neutral`: 8 such pairs and 6 ties a row (arXiv 2409.13156). A tie is two opposite pairs of half the weight.
    Only the first holds a target within its prompt, and only as far as an edit moves it: beside answers that differ by
    a thousand characters a few sentences are little, so length needs `rrm_neutral`. The others teach to read the prompt
    and thin out what the pairs say of everything; where they outweigh the pairs (`total`) accuracy falls.

    Args:
        pairs: The preference pairs.
        measures: Says which targets are phrases.
        rng: Which pairs, edits and other prompts.
        targets: Features that counterfactual pairs change.
        kinds: Kinds of pairs to add; random_negatives when empty, and counterfactual where there are targets.
        share: Share of the pairs that get added ones, drawn anew for each kind.
        total: Weight of all added pairs together, as a multiple of the weight of the pairs there are; when absent, an
            added pair weighs as much as the pair whose prompt it has.
        reward_model: Scores the added pairs: of those it finds plain already, |σ(margin) − wanted| < 0.2 with the
            standard deviation within the given pairs as the unit of margins, none is added (arXiv 2409.13156). One
            that only knows scores it was given cannot judge them; a note says so.

    Raises:
        InputError: an unknown kind, an option that cannot be, a target without an edit.
        BackendError: the model did not answer.
        NotEnoughData: fewer than two prompts, or no pair to add.
    """
    _check(share, total)
    kinds = kinds or ("random_negatives", *(["counterfactual"] if targets else []))
    draws: dict[str, Draw] = {**OFF_PROMPT, "counterfactual": partial(_edited, measures=measures, targets=targets)}
    for kind in kinds:
        if kind not in draws:
            raise UnknownName("kind of added pair", kind, draws, where="--option kinds")
    weight, reason = unchanged(pairs)
    usable = np.flatnonzero((weight > 0) & (pairs.frame["prompt"].str.strip_chars() != "").to_numpy())
    judged, frames, notes = None, [], []
    if reward_model is not None and scores_new_texts(reward_model):
        judged = _Judge(reward_model, pairs)
    elif reward_model is not None:
        notes.append(say("repair.augment.unfiltered", model=reward_model.name))
    for kind in dict.fromkeys(kinds):
        rows = np.sort(rng.permutation(usable)[: int(np.ceil(share * usable.size))])
        found = draws[kind](pairs, rows, rng).filter(pl.col("chosen") != pl.col("rejected"))
        kept = found if judged is None else found.filter(judged.surprised(pairs, found))
        frames.append(kept.with_columns(kind=pl.lit(kind)))
        shown = {"kind": kind, "kept": kept.height, "rows": rows.size}
        notes.append(say("repair.augment.added", **shown) if judged is None else say(
            "repair.augment.filtered", count=found.height, **shown))  # fmt: skip
    added = _pairs(pairs, pl.concat(frames), total)
    return Plan("augment", weight, tuple(reason), added=added, notes=tuple(notes))


def _check(share: float, total: float | None) -> None:
    if not 0 < share <= 1:
        raise InputError(f"share = {share:g}", where="--option", expected="0 to 1", fix="--option share=0.25")
    if total is not None and total <= 0:
        raise InputError(f"total = {total:g}", where="--option", expected="more than 0", fix="--option total=0.5")


def _edited(
    pairs: Pairs, rows: Ints, rng: np.random.Generator, *, measures: Measures, targets: tuple[str, ...]
) -> pl.DataFrame:
    return counterfactual(pairs, measures, rows, rng, targets)


class _Judge:
    """A reward model, and the standard deviation of its scores within the pairs."""

    def __init__(self, model: RewardModel, pairs: Pairs) -> None:
        self.model = model
        margins = self.margins(pairs.frame)
        self.unit = float(np.sqrt(np.nanmean(margins**2) / 2))
        if not self.unit > 0:
            raise NotEnoughData("scores that differ within a prompt")

    def margins(self, frame: pl.DataFrame) -> Floats:
        """Score of the chosen less that of the rejected answer, shape (m,)."""
        prompts, chosen, rejected = (frame[name].to_list() for name in ("prompt", "chosen", "rejected"))
        scores = self.model.score(prompts * 2, chosen + rejected)
        return scores[: len(prompts)] - scores[len(prompts) :]

    def surprised(self, pairs: Pairs, found: pl.DataFrame) -> pl.Series:
        """Whether an added pair tells the model something, shape (m,)."""
        asked = found.with_columns(prompt=pairs.frame["prompt"].gather(found["of"]))
        predicted = sigmoid(self.margins(asked) / self.unit)
        wanted = np.where(found["tie"].to_numpy(), 0.5, 1.0)
        return pl.Series(np.abs(predicted - wanted) >= SURPRISE)


def _pairs(pairs: Pairs, found: pl.DataFrame, total: float | None) -> Pairs:
    """Added pairs as a table; a tie as two opposite pairs of half the weight each."""
    if not found.height:
        raise NotEnoughData("at least 1 pair to add, got 0")
    carried = pairs.frame[found["of"]].select("pair_id", "weight", *(c for c in CARRIED if c in pairs.frame.columns))
    frame = pl.concat([found, carried], how="horizontal").with_row_index("number", offset=1)
    tie = frame.filter("tie").rename({"chosen": "rejected", "rejected": "chosen"}).select(frame.columns)
    turned = pl.concat([frame.with_columns(turned=pl.lit("")), tie.with_columns(turned=pl.lit("b"))])
    frame = turned.sort("number", "turned").select(
        pair_id=pl.format("{}+{}{}{}", "pair_id", "kind", "number", "turned"),
        row=pl.lit(0, dtype=pl.Int64),  # of no row of the file
        chosen="chosen",
        rejected="rejected",
        weight=pl.col("weight") * pl.col("times") * pl.when("tie").then(0.5).otherwise(1.0),
        source=pl.format("augment:{}", "kind"),
        **{name: name for name in CARRIED if name in turned.columns},
    )
    if total is not None:
        whole = total * float(pairs.frame["weight"].sum())
        frame = frame.with_columns(weight=pl.col("weight") * (whole / pl.col("weight").sum()))
    return Pairs(frame)
