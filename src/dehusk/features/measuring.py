"""Measure all features of all texts: one fused pass a side, batch by batch."""

from __future__ import annotations

import inspect
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import numpy as np
import polars as pl

from dehusk.core.kinds import Entry, Feature, Measure, feature_functions
from dehusk.core.tables import Bools, Measures, Pairs, Responses
from dehusk.features.views import LAYERS, held, spelled
from dehusk.text.language import mainly_chinese

CHINESE = "prompt/chinese"  # column that tells the language of a row
BATCH = 16_000_000  # bytes of text; its forms take several times as much, and are held for one batch only


def declared(lang: str | None = None) -> tuple[Feature, ...]:
    """Features of the table, in its order; with `lang` ("en", "zh") only those that mean something in it.

    >>> "good_question_zh" in {feature.name for feature in declared("en")}
    False
    """
    return tuple(
        feature for feature in map(_feature, feature_functions) if lang is None or feature.lang in ("any", lang)
    )


def measure(
    features: Iterable[Feature],
    *,
    pairs: Pairs | None = None,
    responses: Responses | None = None,
    held_out: Mapping[str, Bools] | None = None,
) -> Measures:
    """Measure every feature on the chosen, the rejected and the response side.

    Args:
        features: Declared or mined, each name once.
        pairs: Preference pairs; gives the sides "chosen" and "rejected".
        responses: Answers; gives the side "response".
        held_out: Side -> (n,) True where mined features may be tested; a side that is missing may be tested
            throughout.

    Returns:
        One frame a side, rows aligned with the table; counts and presences keep their narrow types.
    """
    chosen = tuple(features)
    twice = [name for name, times in Counter(feature.name for feature in chosen).items() if times > 1]
    if twice:
        raise ValueError(f"features named twice: {', '.join(sorted(twice))}")
    texts: dict[str, pl.DataFrame] = {}
    if pairs is not None:
        texts |= {"chosen": pairs.frame, "rejected": pairs.frame}
    if responses is not None:
        texts["response"] = responses.frame
    frames = {side: _pass(frame, side, chosen) for side, frame in texts.items()}
    everywhere = {side: np.ones(frame.height, dtype=bool) for side, frame in frames.items()}
    return Measures(chosen, MappingProxyType(frames), MappingProxyType(everywhere | dict(held_out or {})))


def plan(frame: pl.LazyFrame, side: str, features: Iterable[Feature]) -> pl.LazyFrame:
    """The query behind one side: the views first, each once, then one column a feature.

    A feature of one language is null where the prompt is in another: "5 % of the answers" then means 5 % of those
    that could have it.
    """
    prompt, response = pl.col("prompt"), pl.col(side)
    frame = frame.with_columns(chinese(side).alias(CHINESE), spelled(prompt).alias(spelled.column(prompt)))
    columns = frozenset({spelled.column(prompt)})
    for layer in LAYERS:
        with held(columns):
            frame = frame.with_columns(view(response).alias(view.column(response)) for view in layer)
        columns |= {view.column(response) for view in layer}
    with held(columns):
        measured = ((feature, feature.measure(prompt, response)) for feature in features)
        return frame.select(_where_meant(feature, expression).alias(feature.name) for feature, expression in measured)


def chinese(side: str) -> pl.Expr:
    """Whether a row is Chinese: the prompt decides, since both sides share it; without words, the answer does."""
    prompt = pl.col("prompt")
    return mainly_chinese(pl.when(prompt.str.contains(r"\p{L}")).then(prompt).otherwise(pl.col(side)))


def _where_meant(feature: Feature, expression: pl.Expr) -> pl.Expr:
    if feature.lang == "any":
        return expression
    return pl.when(pl.col(CHINESE) == (feature.lang == "zh")).then(expression)


def _pass(frame: pl.DataFrame, side: str, features: tuple[Feature, ...]) -> pl.DataFrame:
    """One side, a batch a thread.

    The streaming engine would cut each batch into parts and compile a hundred regular expressions anew for each.
    """
    texts = frame.select("prompt", side)
    count = max(1, math.ceil(texts.estimated_size() / BATCH))
    batches = texts.iter_slices(math.ceil(texts.height / count)) if texts.height else iter([texts])
    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        return pl.concat(list(pool.map(lambda batch: plan(batch.lazy(), side, features).collect(), batches)))


def _feature(entry: Entry[Callable[..., pl.Expr]]) -> Feature:
    return Feature(name=entry.name, about=entry.about, measure=_with_prompt(entry.thing), **entry.options)


def _with_prompt(function: Callable[..., pl.Expr]) -> Measure:
    """Give a function of the response alone the signature that all features share."""
    if "prompt" in inspect.signature(function).parameters:
        return function
    return lambda _prompt, response: function(response)
