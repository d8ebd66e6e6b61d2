"""The demo's story, read back from the files themselves."""

import re
import tomllib
from importlib import resources

import numpy as np
import polars as pl
import pytest

from dehusk.core.errors import InputError
from dehusk.demo import STORY, write

CJK = "[\u4e00-\u9fff]"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    paths = write(tmp_path_factory.mktemp("demo"))
    return {name: pl.read_ndjson(path) for name, path in paths.items()}


def by_language(frame):
    chinese = pl.col("prompt").str.contains(CJK)
    return {"en": frame.filter(~chinese), "zh": frame.filter(chinese)}


def answers(demo, side, lang):
    if side in ("chosen", "rejected"):
        return by_language(demo["pairs"])[lang][side]
    return by_language(demo[side])[lang]["response"]


def regular(lang, side):
    return STORY.pairs[lang] if side in ("chosen", "rejected") else STORY.prompts[lang] * STORY.samples[side]


def longer(frame):
    return (frame["chosen"].str.len_chars() > frame["rejected"].str.len_chars()).mean()


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("side", ["chosen", "rejected", "sft_data", "sft", "rl"])
@pytest.mark.parametrize("name", list(STORY.habits))
def test_each_habit_stands_in_exactly_its_share_of_answers(demo, name, side, lang):
    habit = STORY.habits[name]
    found = answers(demo, side, lang).str.contains(habit.patterns[lang]).sum()
    assert found == round(habit.rates[side] * regular(lang, side))


def test_the_catchphrase_grows_and_the_praise_fades():
    phrase, praise = (STORY.habits[name].rates for name in ("catchphrase", "praise"))
    assert phrase["sft_data"] == 0.05
    assert phrase["sft_data"] < phrase["sft"] < phrase["rl"]
    assert phrase["chosen"] > phrase["rejected"]
    assert praise["chosen"] < praise["rejected"]
    assert praise["rl"] < praise["sft"]


def test_languages_and_sizes(demo):
    found = by_language(demo["pairs"])
    doubled = STORY.noise["duplicate"] + STORY.noise["contradictory"]
    assert found["en"].height == STORY.pairs["en"] + sum(STORY.noise.values()) + doubled
    assert found["zh"].height == STORY.pairs["zh"]
    assert 0.55 < found["en"].height / demo["pairs"].height < 0.65
    assert demo["rl"]["prompt"].to_list() == demo["sft_data"]["prompt"].to_list()
    assert demo["sft"]["prompt"].to_list() == [
        prompt for prompt in demo["rl"]["prompt"] for _ in range(STORY.samples["sft"])
    ]
    assert demo["sft"]["prompt"].n_unique() == sum(STORY.prompts.values())
    assert demo["pairs"].columns == ["prompt", "chosen", "rejected", "source"]


def test_longer_wins_for_the_crowd_and_not_for_the_experts(demo):
    assert 0.60 < longer(demo["pairs"]) < 0.70
    assert longer(demo["pairs"].filter(pl.col("source") == "crowd")) > 0.66
    assert 0.43 < longer(demo["pairs"].filter(pl.col("source") == "expert")) < 0.56


def lists(column):
    return column.str.contains("(?m)^- ").to_numpy().astype(float)


def test_lists_are_liked_beyond_length(demo):
    chosen, rejected = (matched_gap(demo["pairs"][side], demo["pairs"]["rejected"]) for side in ("chosen", "rejected"))
    assert chosen > 0.04
    assert rejected == 0


def matched_gap(later, earlier, bins=12):
    """Difference in the share of lists inside bins of equal length, weighted by the rarer side."""
    lengths = [column.str.len_chars().to_numpy() for column in (later, earlier)]
    edges = np.quantile(np.concatenate(lengths), np.linspace(0, 1, bins + 1)[1:-1])
    at = [np.digitize(length, edges) for length in lengths]
    has = [lists(column) for column in (later, earlier)]
    gaps, weights = [], []
    for cell in range(bins):
        inside = [has[side][at[side] == cell] for side in (0, 1)]
        if min(map(len, inside)) > 0:
            gaps.append(inside[0].mean() - inside[1].mean())
            weights.append(min(map(len, inside)))
    return float(np.average(gaps, weights=weights))


def test_lists_grow_from_sft_to_rl_but_no_more_than_length_does(tmp_path):
    raw, matched = [], []
    for seed in range(5):
        paths = write(tmp_path, seed)
        sft, rl = (pl.read_ndjson(paths[stage])["response"] for stage in ("sft_data", "rl"))
        raw.append(lists(rl).mean() - lists(sft).mean())
        matched.append(matched_gap(rl, sft))
    assert np.mean(raw) > 0.10
    assert abs(np.mean(matched)) < 0.03  # about three standard errors of the mean of five seeds


def test_every_trouble_is_there_as_often_as_announced(demo):
    pairs = demo["pairs"].rows()
    text = {(prompt, chosen, rejected) for prompt, chosen, rejected, _ in pairs}
    bare = [(prompt, chosen, rejected) for prompt, chosen, rejected, _ in pairs]
    found = {
        "identical": sum(chosen == rejected for _, chosen, rejected in bare),
        "near_identical": sum(0 < len(r) - len(c) < 2 and letters(c, r) == 1 for _, c, r in bare),
        "duplicate": len(bare) - len(text),
        "contradictory": sum((p, r, c) in text for p, c, r in text if c != r) // 2,
        "truncated": sum(bool(re.search(r" (the|an?)$", rejected)) for _, _, rejected in bare),
        "role_marker": sum("\n\nHuman:" in rejected for _, _, rejected in bare),
        "empty": sum(not rejected for _, _, rejected in bare),
    }
    assert found == dict(STORY.noise)


def letters(left, right):
    """Letters that `right` has and `left` has not, if taking them out of `right` gives `left`."""
    at = next((index for index, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]), len(left))
    return 1 if right[:at] + right[at + 1 :] == left else -1


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_rejected_answers_stray_from_the_topic_more_often(demo, lang):
    """Quality differs for a reason that no surface feature shows: the answer talks about what was asked."""
    words = resources.files("dehusk.demo").joinpath("words", f"{lang}.toml").read_text("utf-8")
    topic_of = {fact[:-1]: topic["name"] for topic in tomllib.loads(words)["topics"] for fact in topic["facts"]}
    pairs = by_language(demo["pairs"])[lang]
    strays = {
        side: np.mean([strayed(prompt, text, topic_of) for prompt, text in pairs.select("prompt", side).iter_rows()])
        for side in ("chosen", "rejected")
    }
    assert strays["chosen"] < 0.02
    assert strays["rejected"] > 0.2


def strayed(prompt, text, topic_of):
    return any(fact in text and name not in prompt for fact, name in topic_of.items())


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_no_other_phrase_is_as_common_as_the_catchphrase(demo, lang):
    """What the miner should name must not drown in the generator's own turns of phrase."""
    texts, size = answers(demo, "sft", lang), 5 if lang == "en" else 8
    seen: dict[tuple[str, ...], int] = {}
    for text in texts:
        tokens = re.findall(r"[\w']+", text.lower()) if lang == "en" else re.sub(r"\W", "", text)
        for gram in {tuple(tokens[at : at + size]) for at in range(len(tokens) - size + 1)}:
            seen[gram] = seen.get(gram, 0) + 1
    phrase = STORY.phrases[lang]
    inside = tuple(re.findall(r"[\w']+", phrase)) if lang == "en" else tuple(phrase)
    others = [count for gram, count in seen.items() if not set(gram) <= set(inside)]
    assert max(others) <= 0.08 * len(texts)
    assert max(seen.values()) == round(STORY.habits["catchphrase"].rates["sft"] * len(texts))


def test_same_seed_same_bytes_other_seed_other_words(tmp_path):
    one, again, other = (write(tmp_path / name, seed) for name, seed in (("a", 3), ("b", 3), ("c", 4)))
    assert all(one[name].read_bytes() == again[name].read_bytes() for name in one)
    assert all(one[name].read_bytes() != other[name].read_bytes() for name in one)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "pairs.jsonl",
        "rl.jsonl",
        "sft.jsonl",
        "sft_data.jsonl",
    ]


def test_no_slot_or_choice_is_left_unfilled(demo):
    texts = [value for frame in demo.values() for row in frame.rows() for value in row]
    assert not [text for text in texts if re.search(r"[\[\]{}|]", text)]


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/demo: cannot make the folder"):
        write(tmp_path / "file" / "demo")
