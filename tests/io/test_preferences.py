"""The many ways to say which answer won: labels, ties, scores, ranks, winners, thumbs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dehusk.core.errors import InputError
from dehusk.core.tables import Pairs
from dehusk.io import LoadedPairs, read_pairs, write_pairs

Row = dict[str, Any]


def load(tmp_path: Path, rows: list[Row], **options: Any) -> LoadedPairs:
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_pairs(str(file), **options)


def two(first: str, second: str, label: str, values: list[Any]) -> list[Row]:
    return [{"prompt": f"q{n}", first: f"first {n}", second: f"second {n}", label: v} for n, v in enumerate(values)]


LABELLED = [
    (("response_A", "response_B", "label"), ["A", "B", "tie", "A"], "ab.a"),
    (("response_a", "response_b", "winner"), ["model_a", "model_b", "tie (bothbad)", None], "ab.."),
    (("text_a", "text_b", "preferred_text"), ["text_a", "text_b", "both", "text_b"], "ab.b"),
    (("response_1", "response_2", "label"), [1, 2, 0, 2], "ab.b"),
    (("output_1", "output_2", "preference"), [1.02, 1.98, 1.5, 1.7], "ab.b"),
    (("response_0", "response_1", "better_response_id"), [0, 1, 1, 0], "abba"),
    (("answer_A", "answer_B", "label"), [0, 1, 1, 0], "abba"),
    (("human_ref_A", "human_ref_B", "labels"), [0, 1, 1, 0], "baab"),  # SHP: 1 is A
    (("response1", "response2", "overall_preference"), [-3, 2, 0, 1], "ab.b"),
    (("response_A", "response_B", "label"), ["[[A]]", "[[B]]", "tie", "[[B]]"], "ab.b"),
]


@pytest.mark.parametrize(("names", "values", "won"), LABELLED)
def test_labels(names: tuple[str, str, str], values: list[Any], won: str, tmp_path: Path) -> None:
    loaded = load(tmp_path, two(*names, values))
    wanted = {n + 1: "first" if side == "a" else "second" for n, side in enumerate(won) if side != "."}
    found = {row: chosen.split()[0] for row, chosen in loaded.pairs.frame.select("row", "chosen").iter_rows()}
    assert found == wanted
    ties = loaded.checks.frame.filter(pl.col("check") == "tie")
    assert ties["row"].to_list() == [n + 1 for n, side in enumerate(won) if side == "."]
    assert not ties["kept"].any()
    if "." in won:
        assert any(f"{won.count('.')} rows left out: no preference" in note for note in loaded.record.notes)


def test_swapping_answers_and_labels_swaps_nothing(tmp_path: Path) -> None:
    rows = two("response_A", "response_B", "label", ["A", "B", "tie", "A"])
    other = [
        {
            **row,
            "response_A": row["response_B"],
            "response_B": row["response_A"],
            "label": {"A": "B", "B": "A"}.get(row["label"], "tie"),
        }
        for row in rows
    ]
    assert load(tmp_path, rows).pairs.frame.equals(load(tmp_path, other).pairs.frame)


def test_soft_labels_give_a_margin_and_models_follow_the_winner(tmp_path: Path) -> None:
    rows = two("output_1", "output_2", "preference", [1.1, 1.75])
    rows = [{**row, "generator_1": "small", "generator_2": "large"} for row in rows]
    frame = load(tmp_path, rows).pairs.frame
    assert frame["margin"].to_list() == pytest.approx([0.8, 0.5])
    assert frame["chosen_model"].to_list() == ["small", "large"]
    assert frame["rejected_model"].to_list() == ["large", "small"]


def test_one_hot_winner(tmp_path: Path) -> None:
    rows = two("response_a", "response_b", "x", [0, 0, 0])
    for row, hot in zip(rows, [(1, 0, 0), (0, 1, 0), (0, 0, 1)], strict=True):
        row |= dict(zip(("winner_model_a", "winner_model_b", "winner_tie"), hot, strict=True))
    assert load(tmp_path, rows).pairs.frame["chosen"].to_list() == ["first 0", "second 1"]


@pytest.mark.parametrize("values", [[True, False], [-1, 1], ["yes", "no"], [0.2, 0.9]])
def test_labels_that_could_mean_either_are_refused(values: list[Any], tmp_path: Path) -> None:
    with pytest.raises(InputError):
        load(tmp_path, two("response_A", "response_B", "label", values))


def test_all_ties_is_an_error_that_counts_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no usable pair \(no preference \(a tie or no label\) in 2\)"):
        load(tmp_path, two("response_A", "response_B", "label", ["tie", "tie"]))


def test_list_wise_gives_every_ordered_pair(tmp_path: Path) -> None:
    rows = [
        {"prompt": "p", "responses": ["worst", "best", "middle", "also middle"], "scores": [1, 9, 5, 5]},
        {"prompt": "q", "responses": ["a", "b"], "scores": [3, 3]},
    ]
    loaded = load(tmp_path, rows)
    won = set(loaded.pairs.frame.select("chosen", "rejected").iter_rows())
    assert won == {
        ("best", "worst"), ("best", "middle"), ("best", "also middle"), ("middle", "worst"), ("also middle", "worst"),
    }  # fmt: skip
    assert loaded.pairs.frame["margin"].to_list() == [8, 4, 4, 4, 4]
    assert loaded.pairs.frame["pair_id"].to_list()[0] == "p1.2-1"
    assert loaded.pairs.frame["group"].n_unique() == 1
    assert loaded.checks.frame.rows() == [(2, "tie", "pair", False)]


def test_ranks_and_objects(tmp_path: Path) -> None:
    ranked = [
        {
            "prompt": "p",
            "answers": [
                {"answer": "second", "rank": 2.0, "model": "m2"},
                {"answer": "first", "rank": 1.0, "model": "m1"},
            ],
        }
    ]
    frame = load(tmp_path, ranked).pairs.frame
    assert frame.select("chosen", "rejected", "chosen_model").rows() == [("first", "second", "m1")]
    ultra = [
        {
            "instruction": "p",
            "completions": [
                {"response": "x", "overall_score": 2.5, "model": "a"},
                {"response": "y", "overall_score": 7.0, "model": "b"},
            ],
        }
    ]
    frame = load(tmp_path, ultra).pairs.frame
    assert frame.select("chosen", "chosen_score", "rejected_model").rows() == [("y", 7.0, "a")]


def test_uneven_lists_name_the_row(tmp_path: Path) -> None:
    rows = [
        {"prompt": "p", "responses": ["a", "b"], "scores": [1, 2]},
        {"prompt": "p", "responses": ["a", "b"], "scores": [1]},
    ]
    with pytest.raises(InputError, match=r"pairs.jsonl, row 2: 'scores' and 'responses' differ in length"):
        load(tmp_path, rows)


def test_list_wise_is_pruned_and_says_what_stays_implied(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "responses": ["c", "a", "b"], "scores": [1, 9, 5], "tags": ["x", "y", "z"], "n": 1}]
    loaded = load(tmp_path, rows)
    out = tmp_path / "out.jsonl"
    without_c = Pairs(loaded.pairs.frame.filter(pl.col("rejected") != "c"))
    assert write_pairs(out, without_c, loaded.origin) == ()
    assert json.loads(out.read_text()) == {
        "prompt": "p", "responses": ["a", "b"], "scores": [9, 5], "tags": ["y", "z"], "n": 1,
    }  # fmt: skip
    without_one = Pairs(loaded.pairs.frame.filter(~((pl.col("chosen") == "a") & (pl.col("rejected") == "c"))))
    notes = write_pairs(out, without_one, loaded.origin)
    assert [note.key for note in notes] == ["io.implied"]
    assert json.loads(out.read_text()) == rows[0]


def test_nan_decides_nothing(tmp_path: Path) -> None:
    nan, file = float("nan"), tmp_path / "pairs.parquet"
    two_answers = {"prompt": ["p", "q"], "response_1": ["x", "x"], "response_2": ["y", "y"]}
    tables = [
        {**two_answers, "preference_strength": [nan, -1.0]},
        {**two_answers, "label": [nan, 1.0]},
        {"prompt": ["p", "q"], "responses": [["x", "y"]] * 2, "scores": [[1.0, nan], [2.0, 1.0]]},
        {"prompt": ["p", "p", "q", "q"], "response": ["x", "y"] * 2, "helpfulness": [1.0, nan, 2.0, 1.0]},
    ]
    for table in tables:
        pl.DataFrame(table).write_parquet(file)
        assert read_pairs(str(file)).pairs.frame.select("prompt", "chosen").rows() == [("q", "x")]
    scored = {"prompt": ["p"], "chosen": ["x"], "rejected": ["y"], "score_chosen": [nan], "score_rejected": [1.0]}
    pl.DataFrame(scored).write_parquet(file)
    assert read_pairs(str(file)).pairs.frame["chosen_score"].to_list() == [None]


def test_best_first_lists_are_said(tmp_path: Path) -> None:
    loaded = load(tmp_path, [{"instruction": "p", "input": "", "output": ["best", "middle", "worst"]}])
    assert loaded.pairs.frame.select("chosen", "rejected").rows()[0] == ("best", "middle")
    assert "The answers in output were taken to stand best first" in " ".join(loaded.record.notes)


def rated(prompt: str, *scores: tuple[float | None, float | None]) -> list[Row]:
    names = ("helpfulness", "correctness")
    return [
        {"prompt": prompt, "response": f"{prompt}{place}", "verbosity": place, **dict(zip(names, both, strict=True))}
        for place, both in enumerate(scores)
    ]


RATED = [*rated("a", (4, 1), (2, 3)), *rated("b", (3, 0), (3, 4)), *rated("c", (0, 2), (1, 2)), *rated("d", (4, 4))]


def test_helpsteer2_pairs_the_two_rows_of_a_prompt(tmp_path: Path) -> None:
    loaded = load(tmp_path, RATED)
    assert loaded.record.layout == "helpsteer2"
    assert loaded.pairs.frame.select("pair_id", "chosen", "rejected", "margin", "chosen_score").rows() == [
        ("p1-2", "a0", "a1", 2.0, 4.0),
        ("p6-5", "c1", "c0", 1.0, 1.0),
    ]
    assert loaded.pairs.frame["chosen_verbosity"].to_list() == [0.0, 1.0]  # of the chosen answer, not of the first
    assert loaded.pairs.frame["rejected_correctness"].to_list() == [3.0, 2.0]
    lost = loaded.checks.frame.filter(~pl.col("kept")).select("row", "check").rows()
    assert lost == [(3, "tie"), (4, "tie"), (7, "unpaired")]
    notes = " ".join(loaded.record.notes)
    assert "the one with the higher helpfulness is chosen" in notes
    assert "2 rows left out: no preference" in notes and "1 rows left out: no other answer" in notes


def test_helpsteer2_lets_another_rating_decide(tmp_path: Path) -> None:
    loaded = load(tmp_path, RATED, columns={"score": "correctness"})
    assert loaded.pairs.frame.select("chosen", "rejected").rows() == [("a1", "a0"), ("b1", "b0")]
    assert loaded.pairs.frame["chosen_helpfulness"].to_list() == [2.0, 3.0]
    out = tmp_path / "out.jsonl"
    write_pairs(out, loaded.pairs, loaded.origin)
    assert [json.loads(line) for line in out.read_text().splitlines()] == RATED[:4]
    write_pairs(out, loaded.pairs, loaded.origin, layout="trl-explicit")
    row = json.loads(out.read_text().splitlines()[0])
    assert (row["chosen"], row["chosen_helpfulness"], row["rejected_helpfulness"]) == ("a1", 2.0, 4.0)
    assert not {"helpfulness", "correctness", "response"} & {*row}  # they were of one answer


def test_helpsteer2_does_not_need_its_rows_side_by_side(tmp_path: Path) -> None:
    def pairs(rows: list[Row]) -> set[tuple[Any, ...]]:
        return set(load(tmp_path, rows).pairs.frame.select("prompt", "chosen", "rejected", "margin").rows())

    assert pairs(RATED) == pairs(RATED[::2] + RATED[1::2]) == pairs(RATED[::-1])
    higher = [{**row, "helpfulness": row["helpfulness"] * 2 + 7} for row in RATED]
    assert {row[:3] for row in pairs(higher)} == {row[:3] for row in pairs(RATED)}


def test_helpsteer2_with_nothing_to_compare(tmp_path: Path) -> None:
    rows = [*rated("a", (1, 1)), *rated("b", (2, 1), (2, 0)), *rated("c", (None, 1), (3, 1))]
    with pytest.raises(InputError, match=r"no prompt has two answers of different helpfulness; expected two rows"):
        load(tmp_path, rows)


def test_arena_conversations_hold_the_prompt(tmp_path: Path) -> None:
    def talk(*said: str) -> list[Row]:
        return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said)]

    rows = [
        {"conversation_a": talk("q", "first"), "conversation_b": talk("q", "second"), "winner": "model_b"},
        {
            "conversation_a": talk("q", "x", "r", "one"),
            "conversation_b": talk("q", "y", "r", "two"),
            "winner": "model_a",
        },
    ]
    loaded = load(tmp_path, rows)
    assert loaded.pairs.frame.select("prompt", "chosen", "rejected").rows() == [
        ("q", "second", "first"),
        ("Human: q\n\nAssistant: x\n\nHuman: r", "one", "two"),
    ]
    out = tmp_path / "out.jsonl"
    write_pairs(out, loaded.pairs, loaded.origin)
    assert [json.loads(line) for line in out.read_text().splitlines()] == rows
    write_pairs(out, Pairs(loaded.pairs.frame.with_columns(chosen=pl.lit("new"))), loaded.origin)
    again = read_pairs(str(out))
    assert again.pairs.frame["prompt"].to_list() == loaded.pairs.frame["prompt"].to_list()
    assert again.pairs.frame["chosen"].to_list() == ["new", "new"]
    assert "prompt" not in out.read_text()


def test_swift_reads_sharegpt_conversations_too(tmp_path: Path) -> None:
    talk = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "good"}]
    loaded = load(tmp_path, [{"conversations": talk, "rejected_response": "bad"}])
    assert loaded.record.layout == "ms-swift"
    assert loaded.pairs.frame.select("prompt", "chosen", "rejected").rows() == [("q", "good", "bad")]
    out = tmp_path / "out.jsonl"
    write_pairs(out, Pairs(loaded.pairs.frame.with_columns(chosen=pl.lit("better"))), loaded.origin)
    assert json.loads(out.read_text())["conversations"] == [talk[0], {"from": "gpt", "value": "better"}]


def test_shp_s_prompt_is_its_history(tmp_path: Path) -> None:
    row = {"history": "q", "human_ref_A": "x", "human_ref_B": "y", "labels": 0}
    assert load(tmp_path, [row]).pairs.frame.select("prompt", "chosen").rows() == [("q", "y")]


def test_a_label_that_never_names_one_of_the_answers_is_said(tmp_path: Path) -> None:
    for values in (["b", "b", "tie"], [2, 2, 0]):
        notes = " ".join(load(tmp_path, two("response_a", "response_b", "label", values)).record.notes)
        assert "means that response_b won; response_a never wins." in notes


def test_texts_without_a_prompt_get_no_prompt_column(tmp_path: Path) -> None:
    loaded = load(tmp_path, [{"text_a": "x", "text_b": "y", "preferred_text": "text_a"}])
    out = tmp_path / "out.jsonl"
    write_pairs(out, Pairs(loaded.pairs.frame.with_columns(chosen=pl.lit("z"))), loaded.origin)
    assert json.loads(out.read_text()) == {"text_a": "z", "text_b": "y", "preferred_text": "text_a"}


def test_language_is_that_of_the_question(tmp_path: Path) -> None:
    system = "You are a helpful assistant. " * 20
    rows = [
        {"messages": [{"role": "system", "content": system}, {"role": "user", "content": "为什么天空是蓝色的？"},
                      {"role": "assistant", "content": "因为散射。"}], "rejected_response": "不知道。"},
    ]  # fmt: skip
    assert load(tmp_path, rows).pairs.frame["lang"].to_list() == ["zh"]
    steer = {"context": "Please write a loop", "response1": "for", "response2": "while", "overall_preference": 1}
    found = load(
        tmp_path, [{**steer, "language": name} for name in ("python", "javascript_typescript", "english", "de")]
    )
    assert found.pairs.frame["lang"].to_list() == ["en", "en", "en", "de"]  # HelpSteer3 names what the code is in


def test_per_model_winner_beats_each_of_the_others(tmp_path: Path) -> None:
    rows = [
        {"prompt": "p", "gpt": "G", "claude": "C", "llama": "L", "winner": "claude"},
        {"prompt": "q", "gpt": "g", "claude": "c", "llama": "l", "winner": "llama"},
        {"prompt": "r", "gpt": "1", "claude": "2", "llama": "3", "winner": "gpt"},
        {"prompt": "s", "gpt": "1", "claude": "2", "llama": "3", "winner": "tie"},
    ]
    loaded = load(tmp_path, rows)
    frame = loaded.pairs.frame
    assert set(frame.filter(pl.col("row") == 1).select("chosen", "rejected_model").rows()) == {
        ("C", "gpt"),
        ("C", "llama"),
    }
    assert loaded.checks.frame.rows() == [(4, "tie", "pair", False)]
    out = tmp_path / "out.jsonl"
    write_pairs(out, Pairs(frame.filter(pl.col("rejected_model") != "gpt")), loaded.origin)
    kept = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["gpt"] for row in kept] == [None, None, "1"]
    assert kept[0]["claude"] == "C" and kept[0]["llama"] == "L"


def test_kto_pairs_up_and_counts_the_rest(tmp_path: Path) -> None:
    rows = [
        {"prompt": "p", "completion": "bad 1", "label": False},
        {"prompt": "p", "completion": "good 1", "label": True},
        {"prompt": "p", "completion": "bad 2", "label": False},
        {"prompt": "q", "completion": "lonely", "label": True},
    ]
    loaded = load(tmp_path, rows)
    assert loaded.pairs.frame.select("pair_id", "chosen", "rejected").rows() == [("p2-1", "good 1", "bad 1")]
    assert loaded.checks.frame.filter(pl.col("check") == "unpaired")["row"].to_list() == [3, 4]
    with pytest.raises(InputError, match="no prompt has both a wanted and an unwanted answer"):
        load(tmp_path, rows[3:])


def test_mapped_columns_keep_their_names_when_written(tmp_path: Path) -> None:
    rows = [{"q": "p", "win": "yes, surely", "chosen": "a remark", "lose": "no", "prompt": "another remark"}]
    loaded = load(tmp_path, rows, columns={"prompt": "q", "chosen": "win", "rejected": "lose"})
    assert loaded.pairs.frame.select("prompt", "chosen", "rejected").rows() == [("p", "yes, surely", "no")]
    out = tmp_path / "out.jsonl"
    write_pairs(out, Pairs(loaded.pairs.frame.with_columns(chosen=pl.lit("yes!"))), loaded.origin)
    assert json.loads(out.read_text()) == {**rows[0], "win": "yes!"}
    write_pairs(out, loaded.pairs, loaded.origin, layout="openrlhf")
    assert json.loads(out.read_text())["question"] == "p"


def test_weights_are_read_and_written_where_they_were(tmp_path: Path) -> None:
    rows = [{"prompt": str(n), "chosen": "a", "rejected": "b", "sample_weight": n / 4} for n in range(1, 4)]
    loaded = load(tmp_path, rows)
    assert loaded.pairs.frame["weight"].to_list() == [0.25, 0.5, 0.75]
    out = tmp_path / "out.jsonl"
    write_pairs(out, Pairs(loaded.pairs.frame.with_columns(pl.col("weight") * 2)), loaded.origin)
    assert [json.loads(line)["sample_weight"] for line in out.read_text().splitlines()] == [0.5, 1.0, 1.5]


def test_source_is_the_column_that_tells_rows_apart(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "chosen": "a", "rejected": "b", "source": "all", "subset": name} for name in "xyx"]
    assert load(tmp_path, rows).pairs.frame["source"].to_list() == ["x", "y", "x"]


def test_groups_join_prompts_that_differ_in_case_and_space(tmp_path: Path) -> None:
    rows = [{"prompt": p, "chosen": "a", "rejected": "b"} for p in ("Hello  you", "hello you\n", "other", "", "")]
    groups = load(tmp_path, rows).pairs.frame["group"].to_list()
    assert groups[0] == groups[1] != groups[2]
    assert len(set(groups)) == 4  # without a prompt, each row is a cluster of its own
    assert groups[2] == "d650ce50380593af"  # the same on every machine and in every version
