"""Responses: stage files, stage columns, several samples, rollout dumps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dehusk.core.errors import InputError, UnknownName
from dehusk.io import read_responses


def jsonl(file: Path, rows: list[dict[str, Any]]) -> str:
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def test_one_file_a_stage(tmp_path: Path) -> None:
    sft = jsonl(tmp_path / "a.jsonl", [{"prompt": "p", "response": "x", "reward": 1}, {"prompt": "q", "response": "y"}])
    rl = jsonl(tmp_path / "rl.jsonl", [{"instruction": "p", "input": "", "output": "z", "reward": "high"}])
    loaded = read_responses([("sft", sft), (None, rl)])
    table = loaded.responses
    assert table.stages == ("sft", "rl")
    assert table.frame.select("stage", "prompt", "response", "score").rows() == [
        ("sft", "p", "x", 1.0), ("sft", "q", "y", None), ("rl", "p", "z", None),
    ]  # fmt: skip
    assert table.frame["response_id"].is_unique().all()
    assert table.frame["group"][0] == table.frame["group"][2] != table.frame["group"][1]
    assert [record.role for record in loaded.records] == ["responses", "responses"]
    assert "stage sft" in loaded.records[0].notes[0]


def test_stage_column_order_and_choice(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "response": f"from {name}", "generator": name} for name in ("rl", "sft", "other")]
    file = jsonl(tmp_path / "all.jsonl", rows)
    assert read_responses([(None, file)]).responses.stages == ("sft", "rl", "other")  # nobody trains RL first
    chosen = read_responses([(None, file)], stages=("sft", "rl")).responses
    assert chosen.stages == ("sft", "rl")
    assert sorted(chosen.frame["response"]) == ["from rl", "from sft"]
    with pytest.raises(UnknownName, match="unknown stage 'stf'; did you mean sft"):
        read_responses([(None, file)], stages=("stf", "rl"))


def test_files_named_by_the_user_keep_their_order(tmp_path: Path) -> None:
    files = [jsonl(tmp_path / f"{name}.jsonl", [{"prompt": "p", "response": name}]) for name in ("dpo", "sft")]
    assert read_responses([("dpo", files[0]), ("sft", files[1])]).responses.stages == ("dpo", "sft")


def test_numbered_stages_go_by_their_number(tmp_path: Path) -> None:
    def order(*names: str) -> tuple[str, ...]:
        rows = [{"prompt": "p", "response": name, "checkpoint": name} for name in names]
        return read_responses([(None, jsonl(tmp_path / "x.jsonl", rows))]).responses.stages

    assert order("ckpt-10", "ckpt-9", "ckpt-100") == ("ckpt-9", "ckpt-10", "ckpt-100")
    assert order("b-2", "a-1") == ("b-2", "a-1")  # two things: as met
    assert order("ppo", "SFT", "base", "dpo") == ("base", "SFT", "ppo", "dpo")


def test_mapping_picks_the_stage_column(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "response": "x", "stage": "dpo", "model": name} for name in ("m1", "m2")]
    file = jsonl(tmp_path / "all.jsonl", rows)
    assert read_responses([(None, file)]).responses.stages == ("dpo",)
    assert read_responses([(None, file)], columns={"stage": "model"}).responses.stages == ("m1", "m2")


def test_several_samples_a_prompt(tmp_path: Path) -> None:
    rows = [
        {"prompt": "p", "responses": ["a", "b"], "rewards": [0.5, 1]},
        {"prompt": "q", "responses": ["c"], "rewards": [2]},
    ]
    frame = read_responses([("s", jsonl(tmp_path / "x.jsonl", rows))]).responses.frame
    assert frame.select("prompt", "response", "score", "row").rows() == [
        ("p", "a", 0.5, 1), ("p", "b", 1.0, 1), ("q", "c", 2.0, 2),
    ]  # fmt: skip
    assert frame["response_id"].is_unique().all()


def test_messages(tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "p"}, {"role": "assistant", "content": "a"}]
    shared = [{"from": "human", "value": "p"}, {"from": "gpt", "value": "a"}]
    for row in ({"messages": chat}, {"conversations": shared}, {"response": chat}, {"prompt": "p", "predict": "a"}):
        frame = read_responses([("s", jsonl(tmp_path / "x.jsonl", [row]))]).responses.frame
        assert frame.select("prompt", "response").rows() == [("p", "a")]


def trl_dump(folder: Path) -> None:
    folder.mkdir()
    for step in (10, 5):
        chat = [[{"role": "user", "content": f"q{n}"}] for n in range(2)]
        answers = [[{"role": "assistant", "content": f"step {step} answer {n}"}] for n in range(2)]
        pl.DataFrame(
            {
                "step": [step] * 2,
                "prompt": chat,
                "completion": answers,
                "format_reward": [1.0, 0.0],
                "accuracy_reward": [0.5, 0.5],
                "advantage": [9.0, -9.0],
            }
        ).write_parquet(folder / f"completions_{step:05d}.parquet")


def test_trl_dump(tmp_path: Path) -> None:
    trl_dump(tmp_path / "completions")
    loaded = read_responses([(None, str(tmp_path / "completions"))])
    frame = loaded.responses.frame
    assert loaded.responses.stages == ("step 5", "step 10")
    assert frame.select("prompt", "response", "step", "score").rows()[0] == ("q0", "step 5 answer 0", 5, 1.5)
    notes = " ".join(loaded.records[0].notes)
    assert "Rollouts of 2 steps, from 5 to 10." in notes
    assert "sum of format_reward, accuracy_reward" in notes
    whole = read_responses([(None, str(tmp_path))])  # the output folder of the run
    assert whole.responses.frame.equals(loaded.responses.frame)
    named = read_responses([("rl", str(tmp_path / "completions"))]).responses
    assert named.stages == ("rl",)
    assert named.frame["step"].to_list() == [5, 5, 10, 10]


def test_verl_dump(tmp_path: Path) -> None:
    for step in (2, 10, 1):
        rows = [{"input": f"q{n}", "output": f"a{n}", "gts": "g", "score": n / 2, "step": step} for n in range(2)]
        jsonl(tmp_path / "rollouts" / f"{step}.jsonl", rows)
    loaded = read_responses([(None, str(tmp_path / "rollouts"))])
    assert loaded.responses.stages == ("step 1", "step 2", "step 10")
    assert loaded.responses.frame.select("prompt", "response", "score").rows()[:2] == [
        ("q0", "a0", 0.0),
        ("q1", "a1", 0.5),
    ]


def test_swift_completions(tmp_path: Path) -> None:
    event = {
        "step": ["1", "1"],
        "prompt": ["q0", "q1"],
        "completion": ["a0", "a1"],
        "Fun": [1.0, 0.0],
        "advantages": [1, -1],
    }
    later = {**event, "step": ["2", "2"]}
    for rows in ([event], [event, later]):
        loaded = read_responses([(None, jsonl(tmp_path / "completions.jsonl", rows))])
        assert loaded.responses.stages == ("step 1", "step 2")[: len(rows)]
        assert loaded.responses.frame.select("prompt", "response", "score").rows()[:2] == [
            ("q0", "a0", 1.0),
            ("q1", "a1", 0.0),
        ]


def test_empty_responses_are_left_out_and_noticed(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "x.jsonl", [{"prompt": "p", "response": " "}, {"prompt": "p", "response": "ok"}])
    loaded = read_responses([(None, file)])
    assert loaded.responses.frame["row"].to_list() == [2]
    assert loaded.checks.frame.select("row", "check", "side", "kept").rows() == [(1, "empty", "response", False)]


def test_a_check_names_its_response(tmp_path: Path) -> None:
    fine, broken = {"prompt": "p", "response": "ok"}, {"prompt": "p", "response": "User: hello"}
    files = [jsonl(tmp_path / f"{name}.jsonl", rows) for name, rows in (("a", [broken, fine]), ("b", [fine, broken]))]
    loaded = read_responses([("a", files[0]), ("b", files[1])])
    told = loaded.checks.frame.join(loaded.responses.frame, on="response_id")
    assert told.select("row", "stage", "response").rows() == [(1, "a", "User: hello"), (2, "b", "User: hello")]
    assert told["group"].equals(told["group_right"])


def test_one_line_for_what_is_not_responses(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "x.jsonl", [{"prompt": "p", "respons": "y"}])
    with pytest.raises(InputError, match=r"no response in columns prompt, respons; .* Try: --map response=respons"):
        read_responses([(None, file)])
    with pytest.raises(InputError, match="column 'response' is an object with body; expected text or messages"):
        read_responses([(None, jsonl(tmp_path / "z.jsonl", [{"response": {"body": 1}}]))])
    with pytest.raises(InputError, match="every response is empty"):
        read_responses([(None, jsonl(tmp_path / "y.jsonl", [{"prompt": "p", "response": None, "text": ""}]))])
    with pytest.raises(InputError, match="no such file"):
        read_responses([("a", str(tmp_path / "none.jsonl"))])
    with pytest.raises(InputError, match="no responses"):
        read_responses([])


def test_a_gold_score_stands_beside_the_score(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "response": "x", "score": 1, "gold": "0.5"}, {"prompt": "q", "response": "y", "score": 2}]
    frame = read_responses([("s", jsonl(tmp_path / "a.jsonl", rows))]).responses.frame
    assert frame.select("score", "gold").rows() == [(1.0, 0.5), (2.0, None)]
    mapped = [{"prompt": "p", "response": "x", "accuracy": 1, "gold": "not this"}]
    frame = read_responses([("s", jsonl(tmp_path / "b.jsonl", mapped))], columns={"gold": "accuracy"}).responses.frame
    assert frame["gold"].to_list() == [1.0]


def test_a_gold_score_is_no_part_of_the_reward_of_a_dump(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "completion": "x", "advantage": 0.1, "step": 1, "f1": 1.0, "f2": 2.0, "gold": 7.0}]
    frame = read_responses([("s", jsonl(tmp_path / "a.jsonl", rows))]).responses.frame
    assert frame.select("score", "gold").rows() == [(3.0, 7.0)]
