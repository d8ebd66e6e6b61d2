"""Every edit: total on any text, nothing at dose 0, and more of its feature with every dose."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dehusk.core.kinds import Entry, edits
from dehusk.core.messages import LANGUAGES, catalogue
from dehusk.features.measuring import declared, plan
from dehusk.text.edits import FILLER, phrase_edit
from dehusk.text.edits.places import sentences

EDITS = tuple(edits)
FEATURES = {feature.name: feature for feature in declared()}
OPTIONS = {"changes", "lang", "place", "doses", "sign", "content_free", "control", "forbidden"}
PROMPTS = {"en": "How do I make tea?", "zh": "怎么泡茶？"}
TEXTS = {
    "en": (
        "Boil the water first. Then add the leaves, because they need heat.\n\nWait for a while! It may take time. "
        "Use a lid.\n\nEnjoy it.\n\n- a **small** cup\n- 2. milk\n1. sugar\n"
    ),
    "zh": (
        "先把水烧开。然后放入茶叶，因为需要热水。\n\n等几分钟！如果太浓，可以加水。\n\n请慢用。\n\n- **小**杯子\n- 牛奶"
    ),
}
NASTY = [
    *("", " ", "\n\n", "\x00", "a\x00b", "```", "``` x", "``` ```", "a ```b``` - c", "**" * 9, "****a****"),
    *(
        "- - 1. x",
        "- ",
        "#",
        "\u202eabc",
        "😀",
        "a.b.c",
        "...",
        "。。。",
        "3.5 1. 2.",
        "ſhow ſhow",
        "\r\n\r\nx\r\n",
        "a" * 5000,
    ),
    *("x. " * 500, "ﬁ straße. İ", "|a|b|\n|-|-|", "> q\n\nw.", "1、一\n2、二", "a.\n\n\n\n\nb."),
]
# What the edits look for is rare in arbitrary text, so half of the texts are made of it.
PIECES = st.lists(
    st.sampled_from([*"aZ中文.。!?*`_#>|-1 \n", "```", "**", "\n\n", "- ", "1. ", "word", "because ", "因为", "Then "])
).map("".join)
ANY = st.one_of(st.text(max_size=60), PIECES)


def doses(entry: Entry, text: str, prompt: str) -> dict[int, str]:
    """The edited text at every dose that applies."""
    found = {dose: entry.thing(prompt, text, dose) for dose in range(1, entry.options["doses"] + 1)}
    return {dose: edited for dose, edited in found.items() if edited is not None}


def moved_wrongly(texts: list[str], lang: str) -> list[tuple[str, int, str]]:
    """(edit, dose, text) wherever an edit did not move its feature from one dose to the next as it declares."""
    rows = []
    for entry in EDITS:
        if entry.options["changes"] is None or entry.options["lang"] not in ("any", lang):
            continue
        for text in texts:
            rows += [(entry, dose, text, new) for dose, new in {0: text, **doses(entry, text, PROMPTS[lang])}.items()]
    named = [replace(FEATURES[name], lang="any") for name in {entry.options["changes"] for entry, *_ in rows}]
    frame = pl.LazyFrame({"prompt": [PROMPTS[lang]] * len(rows), "response": [row[3] for row in rows]})
    measured = plan(frame, "response", named).collect(engine="streaming").cast(pl.Float64)
    wrong = []
    for at, (entry, dose, text, _) in enumerate(rows):
        if dose == 0:
            continue
        feature = FEATURES[entry.options["changes"]]
        step = entry.options.get("sign", 1) * (measured[feature.name][at] - measured[feature.name][at - 1])
        whole = feature.unit == "presence" and entry.options.get("sign", 1) == 1 and measured[feature.name][at] == 1
        if step < 0 or (step == 0 and not whole):
            wrong.append((entry.name, dose, text))
    return wrong


def test_there_are_enough_in_both_languages() -> None:
    for lang in ("en", "zh"):
        assert sum(entry.options["lang"] in ("any", lang) for entry in EDITS) >= 18
        assert sum(entry.options.get("control", False) and entry.options["lang"] == lang for entry in EDITS) == 1
        assert {edits[FILLER[lang, place]].options["place"] for place in ("start", "middle", "end")} == {
            "start",
            "middle",
            "end",
        }


@pytest.mark.parametrize("entry", EDITS, ids=lambda entry: entry.name)
def test_an_edit_says_what_it_is(entry: Entry) -> None:
    options = entry.options
    assert {"changes", "lang", "place", "doses"} <= set(options) <= OPTIONS
    assert options["lang"] in ("en", "zh", "any")
    assert options["place"] in ("start", "middle", "end", "throughout")
    assert options["changes"] is None or FEATURES[options["changes"]].lang in ("any", options["lang"])
    assert entry.about.endswith(".")
    for lang in LANGUAGES:
        assert catalogue(lang)[f"edits.{entry.name}.label"]


@pytest.mark.parametrize("entry", EDITS, ids=lambda entry: entry.name)
def test_it_applies_to_an_ordinary_answer_and_leaves_it_alone_at_dose_0(entry: Entry) -> None:
    lang = "zh" if entry.options["lang"] == "zh" else "en"
    found = doses(entry, TEXTS[lang], PROMPTS[lang])
    assert 1 in found
    assert len({TEXTS[lang], *found.values()}) == len(found) + 1
    assert entry.thing(PROMPTS[lang], TEXTS[lang], 0) == TEXTS[lang]


@settings(max_examples=100, deadline=None)
@given(ANY, ANY)
def test_every_edit_is_total_and_the_identity_at_dose_0(prompt: str, text: str) -> None:
    for entry in EDITS:
        assert entry.thing(prompt, text, 0) == text
        for edited in doses(entry, text, prompt).values():
            assert isinstance(edited, str)
            assert edited != text


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_edit_moves_its_feature_with_every_dose(lang: str) -> None:
    assert not moved_wrongly([TEXTS[lang], *NASTY], lang)


@settings(max_examples=25, deadline=None)
@given(st.lists(ANY, min_size=1, max_size=8), st.sampled_from(["en", "zh"]))
def test_every_edit_moves_its_feature_on_any_text(texts: list[str], lang: str) -> None:
    assert not moved_wrongly(texts, lang)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_neutral_sentences_and_controls_move_no_feature_but_length(lang: str) -> None:
    text = TEXTS[lang].split("\n\n- ")[0]
    names = [*(FILLER[lang, place] for place in ("start", "middle", "end")), "reword" + "_zh" * (lang == "zh")]
    texts = [text] + [edits[name].thing(PROMPTS[lang], text, dose) for name in names for dose in (1, 2)]
    frame = pl.LazyFrame({"prompt": [PROMPTS[lang]] * len(texts), "response": texts})
    kept = [
        f
        for f in FEATURES.values()
        if f.family not in ("length", "repetition") and f.name not in ("line_length", "longest_line")
    ]
    values = plan(frame, "response", kept).collect(engine="streaming").cast(pl.Float64)
    assert not [name for name in values.columns if values[name].is_not_null().all() and values[name].n_unique() > 1]


def test_plain_sentences_leave_out_code_and_markup() -> None:
    text = "# Head\nOne is 3.5 g. Two more!\n```\nx = 1. y\n```\n- item.\n\n> quoted.\nLast line"
    assert [text[s.start : s.end] for s in sentences(text)] == ["One is 3.5 g.", "Two more!", "Last line"]
    assert [s.closed for s in sentences(text)] == [True, True, False]


@pytest.mark.parametrize(
    ("phrase", "place", "text", "edited"),
    [
        ("it's essential to", "start", "Go on.", "It's essential to. It's essential to. Go on."),
        ("说白了", "end", "好。", "好。说白了。说白了。"),
        ("thanks", "middle", "One. Two. Three. Four.", "One. Two. Thanks. Thanks. Three. Four."),
        ("thanks", "end", "- a", "- a\n\nThanks. Thanks."),
        ("thanks", "start", "# a", "Thanks. Thanks.\n\n# a"),
        ("thanks!", "end", "", "Thanks! Thanks!"),
        ("thanks", "middle", "No sentence ends here", None),
        ("thanks", "end", "```\ncode", None),
    ],
)
def test_a_phrase_goes_where_it_is_told(phrase: str, place: str, text: str, edited: str | None) -> None:
    assert phrase_edit(phrase, place)("", text, 2) == edited
    assert phrase_edit(phrase, place)("", text, 0) == text


def test_rewording_goes_both_ways_and_keeps_capitals() -> None:
    reword = edits["reword"].thing
    assert reword("", "Each of many.", 2) == "Every of numerous."
    assert reword("", "Every of numerous.", 2) == "Each of many."
    assert reword("", "`many` ```many```", 2) is None  # code is left alone
