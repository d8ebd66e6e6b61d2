"""What `reward_model.counterfactual` tries: which answers, which edits and phrases, in which doses and places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import polars as pl

from dehusk.core.errors import NotEnoughData
from dehusk.core.kinds import Entry, Feature, edits
from dehusk.core.messages import Text, say
from dehusk.core.tables import Measures, Pairs
from dehusk.text.edits import FILLER, Edit, edits_of_phrase
from dehusk.text.language import mainly_chinese

FEWEST = 20  # prompts of a language
MOST_PHRASES = 20  # mined phrases tried, the strongest first
YARDSTICK = (1, 2, 4, 8)  # doses of neutral sentences, all of them on every answer


@dataclass(frozen=True)
class Treatment:
    """Something to do to answers, in doses: an edit, or a phrase at several places in turn."""

    name: str  # of the edit, or of the feature that a phrase is
    subject: Text | str  # what one dose is, as a sentence calls it
    feature: Feature | None  # what it changes, if that is measured
    lang: str
    versions: tuple[tuple[str, Edit], ...]  # (place, edit)
    doses: tuple[int, ...]
    sign: int = 1  # −1 where a dose takes the feature away
    content_free: bool = True
    control: bool = False
    forbidden: bool = False
    yardstick: bool = False  # neutral sentences: every dose is tried on every answer

    @property
    def is_phrase(self) -> bool:
        """Whether it is a phrase of the data or of the user's, rather than an edit of the table."""
        return self.feature is not None and self.feature.family == "phrase"

    @property
    def is_mined(self) -> bool:
        """Whether it is a phrase found in the data at hand."""
        return self.is_phrase and self.feature is not None and self.feature.mined


def base_texts(pairs: Pairs, measures: Measures, most: int, rng: np.random.Generator) -> pl.DataFrame:
    """Answers to edit: one a prompt, the chosen or the rejected one at random, up to `most` a language.

    Prompts on which mined phrases may be tested go first.

    Returns:
        Columns prompt, text, group (integer), lang ("en" or "zh", by the prompt) and held_out; of a language with at
        least 20 prompts only.

    Raises:
        NotEnoughData: when there is no such language.
    """
    held = np.asarray(measures.held_out.get("chosen", np.ones(len(pairs), dtype=bool)))
    order = rng.permutation(len(pairs))
    order = order[np.argsort(~held[order], kind="stable")]
    first = np.sort(np.unique(pairs.groups[order], return_index=True)[1])
    rows = order[first]
    side = pl.when(pl.Series(rng.random(rows.size) < 0.5)).then("chosen").otherwise("rejected")
    found = (
        pairs.frame[rows]
        .select("prompt", "chosen", "rejected", lang=mainly_chinese(pl.col("prompt")))
        .with_columns(group=pl.Series(pairs.groups[rows]), held_out=pl.Series(held[rows]))
        .with_columns(lang=pl.when("lang").then(pl.lit("zh")).otherwise(pl.lit("en")), text=side)
        .filter(pl.int_range(pl.len()).over("lang") < most)
    )
    largest = max(found.group_by("lang").len()["len"].to_list(), default=0)
    if largest < FEWEST:
        raise NotEnoughData(f"at least {FEWEST} prompts of one language, got {largest}")
    return found.filter(pl.len().over("lang") >= FEWEST).select("prompt", "text", "group", "lang", "held_out")


def treatments(measures: Measures, doses: int) -> list[Treatment]:
    """Every edit of the table, every phrase the user named, and the strongest mined phrases."""
    known = {feature.name: feature for feature in measures.on("chosen")}
    phrases = [feature for feature in known.values() if edits_of_phrase(feature)]
    mined = [feature for feature in phrases if feature.mined][:MOST_PHRASES]
    named = [feature for feature in phrases if not feature.mined]
    return [_of_edit(entry, known, doses) for entry in edits] + [_of_phrase(f, doses) for f in (*named, *mined)]


def _of_edit(entry: Entry[Edit], known: dict[str, Feature], doses: int) -> Treatment:
    options: dict[str, Any] = dict(entry.options)
    place, most, changes = options.pop("place"), options.pop("doses"), options.pop("changes")
    yardstick = entry.name in FILLER.values()
    return Treatment(
        name=entry.name,
        subject=say(f"edits.{entry.name}.label"),
        feature=known.get(changes),
        versions=((place, entry.thing),),
        doses=YARDSTICK if yardstick else tuple(range(1, min(most, doses) + 1)),
        yardstick=yardstick,
        **{"content_free": False, **options},
    )


def _of_phrase(feature: Feature, doses: int) -> Treatment:
    versions = edits_of_phrase(feature)
    return Treatment(feature.name, feature.name, feature, feature.lang, versions, tuple(range(1, doses + 1)))


def trials(base: pl.DataFrame, tried: Sequence[Treatment]) -> pl.DataFrame:
    """The edited answers.

    Every answer gets one place and dose of each treatment, in rotation: for the same number of texts to score, more
    prompts tell more than more doses of one. Neutral sentences are tried in every dose, because each answer is compared
    with itself made longer. Where a dose does not apply, the next smaller one is taken.

    Returns:
        Columns treatment and base (row numbers), place, dose, text.
    """
    rows = [
        (number, index, place, dose, text)
        for number, treatment in enumerate(tried)
        for index, place, dose, text in _edited(base, treatment, number)
    ]
    schema = {"treatment": pl.Int64, "base": pl.Int64, "place": pl.String, "dose": pl.Int64, "text": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def applicable(base: pl.DataFrame, treatment: Treatment) -> pl.DataFrame:
    """The answers a treatment may be tried on, with their row number as `index`."""
    fits = pl.col("lang").is_in([treatment.lang] if treatment.lang != "any" else ["en", "zh"])
    mined = treatment.is_mined and treatment.feature is not None and treatment.feature.discovered == "pairs"
    return base.with_row_index("index").filter(fits & (pl.col("held_out") if mined else True))


def _edited(base: pl.DataFrame, treatment: Treatment, number: int) -> Iterator[tuple[int, str, int, str]]:
    choices = list(product(treatment.versions, treatment.doses))
    asked = applicable(base, treatment).select("index", "prompt", "text")
    for turn, (index, prompt, text) in enumerate(asked.iter_rows(), number):
        for (place, edit), dose in choices if treatment.yardstick else [choices[turn % len(choices)]]:
            smaller = (dose,) if treatment.yardstick else range(dose, 0, -1)
            found = ((less, edit(prompt, text, less)) for less in smaller)
            less, edited = next(((d, new) for d, new in found if new is not None), (0, None))
            if edited is not None:
                yield index, place, less, edited
