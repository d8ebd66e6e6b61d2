"""Every declared feature: total on any text, named in both languages, and its highlight marks what it counts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dehusk.core.kinds import Feature, feature_functions
from dehusk.core.messages import LANGUAGES, catalogue
from dehusk.features import declared
from dehusk.features.measuring import plan

FEATURES = declared()
DATA = Path(__file__).parents[3] / "shared" / "data"
FAMILIES = {"length", "layout", "tone", "formula", "rhetoric", "repetition", "language"}
NASTY = [
    "",
    " ",
    "\n\n\n",
    "\x00",
    "a\x00b",
    "😀" * 50,
    "👨‍👩‍👧‍👦🇫🇷",
    "مرحبا بالعالم؟",
    "\u202eabc\u202c",
    "<script>alert(1)</script>",
    "$$$$ \\( \\[ \\begin{",
    "\ufffd\ufffd",
    "```",
    "``` ``` ```",
    "````` `` `",
    "**" * 30,
    "|" * 30,
    "a" * 1_000_000,
    "好" * 300_000,
    "- x\n" * 20_000,
    "İİ ſ K ﬁ",
    "e\u0301" * 100,
    "\r\n\r\n- a\r\n",
    "----\n***\n___",
    "？！。，——…",
]


def measured(texts: list[str], features: tuple[Feature, ...] = FEATURES, prompt: str = "What?") -> pl.DataFrame:
    everywhere = [replace(feature, lang="any") for feature in features]  # whatever the language of the prompt
    frame = pl.LazyFrame(
        {"prompt": [prompt] * len(texts), "response": texts}, schema={"prompt": pl.String, "response": pl.String}
    )
    return plan(frame, "response", everywhere).collect(engine="streaming")


def spans(feature: Feature, text: str) -> list[tuple[int, int]]:
    """The spans the report would highlight, as `audit.evidence` finds them."""
    assert feature.highlight is not None
    found = [match.span(match.re.groups) for match in re.finditer(feature.highlight, text)]
    return [span for span in found if span[1] > span[0]]


def finite(frame: pl.DataFrame, rows: int) -> None:
    assert frame.height == rows
    for name in frame.columns:
        column = frame[name]
        assert column.dtype.is_numeric() or column.dtype == pl.Boolean, name
        values = column.cast(pl.Float64)
        assert values.null_count() == 0, name
        assert np.isfinite(values.to_numpy()).all(), name
        assert (values >= 0).all(), name


def test_the_table_is_rich_enough() -> None:
    assert len(FEATURES) >= 45
    assert len({feature.name for feature in FEATURES}) == len(FEATURES)
    assert {feature.family for feature in FEATURES} == FAMILIES
    assert {feature.lang for feature in FEATURES} == {"any", "en", "zh"}
    assert not any(feature.mined for feature in FEATURES)


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_tells_its_name_and_meaning(feature: Feature) -> None:
    for lang in LANGUAGES:
        assert catalogue(lang)[f"features.{feature.name}.label"]
    assert len(catalogue("en")[f"features.{feature.name}.label"]) <= 40
    assert catalogue("zh")[f"features.{feature.name}.about"].endswith("。")
    assert feature.about.endswith(".")
    assert re.fullmatch(r"[a-z][a-z_]*", feature.name)


def test_no_words_without_a_feature() -> None:
    named = {key.split(".")[1] for lang in LANGUAGES for key in catalogue(lang) if key.startswith("features.")}
    assert named == {entry.name for entry in feature_functions}


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_units_say_what_is_measured(feature: Feature) -> None:
    values = measured(NASTY, (feature,))[feature.name]
    assert (values.dtype == pl.Boolean) == (feature.unit == "presence")
    if feature.unit == "share":
        assert values.is_between(0, 1).all()


def test_total_on_nasty_texts() -> None:
    finite(measured(NASTY), len(NASTY))


def test_total_on_no_texts() -> None:
    finite(measured([]), 0)


@pytest.mark.parametrize("text", ["", "\x00", "好", "a\n"])
def test_total_on_a_single_text(text: str) -> None:
    finite(measured([text]), 1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=80), min_size=1, max_size=30))
def test_total_on_any_text(texts: list[str]) -> None:
    finite(measured(texts), len(texts))


PRINTABLE = st.characters(exclude_categories=("C", "Zl", "Zp"))
MARKUP = st.text(st.sampled_from("-*#`|>$\\([])!?.,:;\"'’“”—…、。，！？：（）\n\r\t 1a一好不是而是i"), max_size=60)


@settings(max_examples=60, deadline=None)
@given(st.lists(MARKUP, min_size=1, max_size=30))
def test_total_and_highlighted_on_any_markup(texts: list[str]) -> None:
    frame = measured(texts)
    finite(frame, len(texts))
    for feature in FEATURES:
        if feature.highlight is not None and feature.family != "layout":
            for text, value in zip(texts, frame[feature.name].to_list(), strict=True):
                assert bool(spans(feature, text)) >= bool(value), (feature.name, text)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(PRINTABLE, max_size=40), min_size=2, max_size=12), st.randoms())
def test_rows_do_not_see_each_other(texts: list[str], random: object) -> None:
    frame = measured(texts)
    order = list(range(len(texts)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert measured([texts[place] for place in order]).equals(frame[order])


@pytest.mark.parametrize("feature", [feature for feature in FEATURES if feature.highlight], ids=lambda item: item.name)
def test_highlights_are_safe_for_python_and_rust(feature: Feature) -> None:
    assert feature.highlight is not None
    compiled = re.compile(feature.highlight)
    assert compiled.groups <= 1  # the group is the span
    assert pl.Series(["x"]).str.contains(feature.highlight).to_list() in ([True], [False])
    assert "(?=" not in feature.highlight
    assert "(?<" not in feature.highlight


@pytest.mark.skipif(not DATA.exists(), reason="needs the real texts in ../shared/data")
@pytest.mark.parametrize(
    ("file", "column"),
    [
        ("preference/dpo_zh_500.parquet", "chosen"),
        ("preference/ultrafeedback_sample.parquet", "chosen"),
        ("outputs/llama3_8b_instruct_to_po.parquet", "response"),
    ],
)
def test_highlights_mark_what_counts_on_real_texts(file: str, column: str) -> None:
    texts = pl.read_parquet(DATA / file)[column].sample(400, seed=0).to_list()
    frame = measured(texts)
    for feature in FEATURES:
        if feature.highlight is None:
            continue
        counted = frame[feature.name].cast(pl.Float64).to_numpy()
        shown = np.array([len(spans(feature, text)) for text in texts])
        assert np.array_equal(shown > 0, counted > 0), (
            feature.name,
            [texts[i] for i in np.flatnonzero((shown > 0) != (counted > 0))[:2]],
        )
        if feature.unit != "presence":
            assert np.abs(shown - counted).sum() <= 0.01 * max(counted.sum(), 100), feature.name
