"""Measuring: all features, mined ones included, on every side, each form of a text made once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from dehusk.core.kinds import Feature
from dehusk.core.tables import Pairs, Responses
from dehusk.features import declared, measure, measuring
from dehusk.features.measuring import plan


def pairs(n: int = 6) -> Pairs:
    rows = range(n)
    frame = pl.DataFrame(
        {
            "pair_id": [str(row) for row in rows],
            "row": list(rows),
            "prompt": ["Why?"] * n,
            "chosen": ["- Sure thing.\n" * row for row in rows],
            "rejected": ["好问题。" * row for row in rows],
            "weight": [1.0] * n,
            "group": [str(row) for row in rows],
        }
    )
    return Pairs(frame)


def responses() -> Responses:
    frame = pl.DataFrame(
        {
            "response_id": ["a", "b"],
            "row": [1, 2],
            "prompt": ["Why?", "为什么？"],
            "response": ["Sure.", "Sure."],
            "stage": ["sft", "rl"],
            "group": ["1", "2"],
        }
    )
    return Responses(frame)


def mined(name: str, phrase: str) -> Feature:
    return Feature(
        name=name,
        unit="presence",
        family="phrase",
        about="Mined.",
        measure=lambda _, response: response.str.to_lowercase().str.contains(phrase, literal=True),
        discovered="pairs",
    )


def test_all_sides_are_measured_row_by_row() -> None:
    features = declared()
    measures = measure(features, pairs=pairs(), responses=responses())
    assert set(measures.frames) == {"chosen", "rejected", "response"}
    assert measures.on("chosen") == features
    assert measures.values("chosen", "bullets").tolist() == [0, 1, 2, 3, 4, 5]
    assert measures.values("rejected", "exclamations").tolist() == [0] * 6
    assert measures.values("response", "off_language").tolist() == [0, 1]


def test_only_the_sides_given() -> None:
    assert set(measure(declared(), responses=responses()).frames) == {"response"}
    assert set(measure(declared()).frames) == set()


def test_languages() -> None:
    english, chinese = ({feature.name for feature in declared(lang)} for lang in ("en", "zh"))
    assert "closer_hope" in english - chinese
    assert "closer_hope_zh" in chinese - english
    assert english | chinese == {feature.name for feature in declared()}


def test_mined_features_just_work_and_stay_on_their_half() -> None:
    held_out = np.array([True, False] * 3)
    features = (*declared(), mined("sure thing", "sure thing"))
    measures = measure(features, pairs=pairs(), held_out={"chosen": held_out, "rejected": held_out})
    values = measures.values("chosen", "sure thing")
    assert np.isnan(values[~held_out]).all()
    assert values[held_out].tolist() == [0, 1, 1]
    assert measures.all_values("chosen", "sure thing").tolist() == [0, 1, 1, 1, 1, 1]
    assert not np.isnan(measures.values("chosen", "bullets")).any()


def test_two_features_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="named twice: list"):
        measure((*declared(), mined("list", "list")), pairs=pairs())


def test_a_feature_of_one_language_is_undefined_in_prompts_of_another() -> None:
    prompts = ["Why?", "为什么？", "写 Python", "Say 你好 in French", "", "1 + 1"]
    answers = ["Sure.", "好问题。", "好", "Bonjour", "好问题。", "Two."]
    frame = pl.LazyFrame({"prompt": prompts, "response": answers})
    found = plan(frame, "response", declared()).collect()
    assert found["good_question_zh"].to_list() == [None, 1, 0, None, 1, None]
    assert found["opener_sure"].to_list() == [1, None, None, 0, None, 0]
    assert found["bullets"].null_count() == 0


def test_batches_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = measure(declared(), pairs=pairs(23))
    monkeypatch.setattr(measuring, "BATCH", 300)
    parts = measure(declared(), pairs=pairs(23))
    for side, frame in whole.frames.items():
        assert parts.frames[side].equals(frame)


def test_a_feature_measures_the_same_alone_and_outside_the_plan() -> None:
    frame = pl.DataFrame({"prompt": ["Why?", "为什么"], "response": ["- It may.\n```\n- x\n```", "好的，a、b"]})
    everywhere = [replace(feature, lang="any") for feature in declared()]
    fused = plan(frame.lazy(), "response", everywhere).collect(engine="streaming")
    for feature in everywhere:
        alone = frame.select(feature.measure(pl.col("prompt"), pl.col("response")).alias(feature.name))
        assert alone[feature.name].equals(fused[feature.name]), feature.name


def test_each_form_of_a_text_is_made_once() -> None:
    """Polars shares sub-expressions only one level deep; the plan must not make lower-case text twice."""
    query = plan(pl.LazyFrame({"prompt": ["a"], "response": ["b"]}), "response", declared())
    shown = query.explain()
    for form in ('col("response").str.to_lowercase()', 'col("response").str.replace('):
        assert shown.count(form) == 1, form
    assert shown.count("python_udf") == 3  # words, lines, compressed size: no phrase is looked for


def test_views_nobody_reads_are_not_made() -> None:
    only = tuple(feature for feature in declared() if feature.name == "em_dashes")
    shown = plan(pl.LazyFrame({"prompt": ["a"], "response": ["b"]}), "response", only).explain()
    assert "python_udf" not in shown
    assert "to_lowercase" not in shown
