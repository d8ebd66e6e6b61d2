"""Every layout: recognised, read, written back to the byte, converted to every other one."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dehusk.core.errors import InputError, UnknownName
from dehusk.core.kinds import layouts
from dehusk.core.tables import Pairs
from dehusk.io import read_pairs, write_pairs

Row = dict[str, Any]
FIRST = ("What is a husk?", "The dry shell of a seed.", "A kind of dog.")
SECOND = ("为什么天空是蓝色的？", "因为短波长的光散射得更多。", "因为海水是蓝色的。")
TALK = "System: Be brief.\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: Bye?"
THIRD = (TALK, "Goodbye, my friend.", "No.")
ALL = (FIRST, SECOND, THIRD)


def turns(prompt: str) -> list[tuple[str, str]]:
    if prompt != TALK:
        return [("user", prompt)]
    return [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello."), ("user", "Bye?")]


def chat(prompt: str, answer: str | None = None) -> list[Row]:
    said = turns(prompt) + ([("assistant", answer)] if answer else [])
    return [{"role": role, "content": text} for role, text in said]


def sharegpt(prompt: str) -> list[Row]:
    names = {"user": "human", "assistant": "gpt", "system": "system"}
    return [{"from": names[role], "value": text} for role, text in turns(prompt)]


def dialogue(prompt: str, answer: str) -> str:
    asked = prompt if prompt == TALK else f"Human: {prompt}"
    return f"\n\n{asked}\n\nAssistant: {answer}"


def alpaca(prompt: str) -> Row:
    if prompt == TALK:
        return {"instruction": "Bye?", "input": "", "system": "Be brief.", "history": [["Hi", "Hello."]]}
    return {"instruction": prompt, "input": "", "system": "", "history": []}


def axolotl(prompt: str) -> Row:
    if prompt == TALK:
        return {"system": "Be brief.", "input": TALK.removeprefix("System: Be brief.\n\n")}
    return {"system": "", "input": prompt}


def text_rows(*names: str, **more: Any) -> list[Row]:
    return [{**dict(zip(names, row, strict=True)), **more} for row in ALL]


def swapped(number: int, first: str, second: str) -> tuple[str, str]:
    return (second, first) if number % 2 else (first, second)


SAMPLES: dict[str, list[Row]] = {
    "trl-explicit": text_rows("prompt", "chosen", "rejected"),
    "trl-explicit-messages": [
        {"prompt": chat(p), "chosen": chat("", c)[1:], "rejected": chat("", r)[1:]} for p, c, r in ALL
    ],
    "ultrafeedback": text_rows("prompt", "chosen", "rejected", score_chosen=8.5, score_rejected=2),
    "ultrafeedback-messages": [
        {"prompt": p, "chosen": chat(p, c), "rejected": chat(p, r), "score_chosen": 9.0, "score_rejected": 1.0}
        for p, c, r in ALL
    ],
    "openrlhf": text_rows("question", "chosen", "rejected"),
    "axolotl": [{**axolotl(p), "chosen": c, "rejected": r} for p, c, r in ALL],
    "hh-rlhf": [{"chosen": dialogue(p, c), "rejected": dialogue(p, r)} for p, c, r in ALL],
    "trl-implicit": [
        {"chosen": f"{p}{bridge}{c}", "rejected": f"{p}{bridge}{r}"}
        for (p, c, r), bridge in zip(ALL, ("\n\n", "\n\n", "\n\nAssistant: "), strict=True)
    ],
    "trl-implicit-messages": [{"chosen": chat(p, c), "rejected": chat(p, r)} for p, c, r in ALL],
    "llamafactory-alpaca": [{**alpaca(p), "chosen": c, "rejected": r} for p, c, r in ALL],
    "llamafactory-sharegpt": [
        {"conversations": sharegpt(p), "chosen": {"from": "gpt", "value": c}, "rejected": {"from": "gpt", "value": r}}
        for p, c, r in ALL
    ],
    "ms-swift": [{"messages": chat(p, c), "rejected_response": r} for p, c, r in ALL],
    "ms-swift-messages": [{"messages": chat(p, c), "rejected_messages": chat(p, r)} for p, c, r in ALL],
    "ms-swift-query": [
        {
            "query": row["instruction"],
            "response": c,
            "rejected_response": r,
            "system": row["system"],
            "history": row["history"],
        }
        for row, (_, c, r) in zip(map(alpaca, (p for p, _, _ in ALL)), ALL, strict=True)
    ],
    "helpsteer2": [
        {"prompt": p, "response": text, "helpfulness": score, "correctness": 3, "verbosity": 4 - score}
        for p, c, r in ALL
        for text, score in ((r, 1), (c, 4))
    ],
    "helpsteer": [
        dict(zip(("response_1", "response_2"), swapped(n, c, r), strict=True))
        | {"prompt": p, "preference_strength": 2 if n % 2 else -2}
        for n, (p, c, r) in enumerate(ALL)
    ],
    "ab-label": [
        dict(zip(("text_a", "text_b"), swapped(n, c, r), strict=True))
        | {"prompt": p, "preferred_text": "text_b" if n % 2 else "text_a"}
        for n, (p, c, r) in enumerate(ALL)
    ],
    "list-wise": [{"prompt": p, "responses": [r, c], "scores": [1, 7]} for p, c, r in ALL],
    "per-model": [
        dict(zip(("alpha-7b", "beta-13b"), swapped(n, c, r), strict=True))
        | {"prompt": p, "winner": "beta-13b" if n % 2 else "alpha-7b"}
        for n, (p, c, r) in enumerate(ALL)
    ],
    "kto": [
        row
        for p, c, r in ALL
        for row in (
            {"prompt": p, "completion": c, "label": True},
            {"prompt": p, "completion": r, "label": False},
        )
    ],
}
# A value of every kind that a careless writer loses: nested nulls, 1 against 1.0, an absent key, key order.
UNKNOWN: list[Row] = [
    {"z": 1, "note": "first", "meta": {"k": [1, {"deep": None}], "only here": 1.0}},
    {"z": 2, "note": None, "meta": {"k": []}},
    {"z": 3, "meta": {"k": [2.5]}, "id": "0007"},
]


def rows_of(name: str) -> list[Row]:
    """The sample with unknown columns before and after the known ones."""
    rows = SAMPLES[name]
    extra = [UNKNOWN[number * 3 // len(rows)] for number in range(len(rows))]
    return [{"z": more["z"], **row, **more} for row, more in zip(rows, extra, strict=True)]


def lines(rows: list[Row]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def texts(pairs: Pairs) -> list[tuple[str, ...]]:
    return pairs.frame.select("prompt", "chosen", "rejected").rows()


@pytest.fixture(params=SAMPLES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_layout_has_a_sample() -> None:
    assert {entry.name for entry in layouts} == set(SAMPLES)


def test_is_recognised_and_read(name: str, tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_bytes(lines(rows_of(name)))
    loaded = read_pairs(str(file))
    assert loaded.record.layout == name
    assert texts(loaded.pairs) == list(ALL)
    assert name in loaded.record.notes[0]
    assert loaded.pairs.frame["pair_id"].is_unique().all()
    assert loaded.pairs.frame["lang"].to_list() == ["en", "zh", "en"]
    assert "z" in loaded.pairs.frame.columns  # untouched scalar columns stay with the pairs
    assert "meta" not in loaded.pairs.frame.columns  # nested ones only with the origin


def test_jsonl_round_trip_keeps_every_byte(name: str, tmp_path: Path) -> None:
    file, out = tmp_path / "pairs.jsonl", tmp_path / "out.jsonl"
    file.write_bytes(lines(rows_of(name)))
    loaded = read_pairs(str(file))
    write_pairs(out, loaded.pairs, loaded.origin)
    assert out.read_bytes() == file.read_bytes()


def test_parquet_round_trip_keeps_the_table(name: str, tmp_path: Path) -> None:
    file, out = tmp_path / "pairs.parquet", tmp_path / "out.parquet"
    table = pl.read_ndjson(lines(rows_of(name)), infer_schema_length=None)
    table.write_parquet(file)
    loaded = read_pairs(str(file))
    assert texts(loaded.pairs) == list(ALL)
    write_pairs(out, loaded.pairs, loaded.origin)
    assert pl.read_parquet(out).equals(table)
    assert pl.read_parquet(out).schema == table.schema


def test_csv_round_trip_keeps_the_values(name: str, tmp_path: Path) -> None:
    def cell(value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    file, out = tmp_path / "pairs.csv", tmp_path / "out.csv"
    rows = [{"id": "007", **row, "maybe": "1.0"} for row in SAMPLES[name]]
    with file.open("w", encoding="utf-8", newline="") as text:
        table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows({key: cell(value) for key, value in row.items()} for row in rows)
    loaded = read_pairs(str(file))
    assert loaded.record.layout == name
    assert texts(loaded.pairs) == list(ALL)
    write_pairs(out, loaded.pairs, loaded.origin)
    assert list(csv.reader(out.read_text("utf-8").splitlines(True))) == list(
        csv.reader(file.read_text("utf-8").splitlines(True))
    )


def test_left_out_pairs_take_their_rows_with_them(name: str, tmp_path: Path) -> None:
    file, out = tmp_path / "pairs.jsonl", tmp_path / "out.jsonl"
    rows = rows_of(name)
    file.write_bytes(lines(rows))
    loaded = read_pairs(str(file))
    write_pairs(out, Pairs(loaded.pairs.frame.filter(pl.col("z") != 2)), loaded.origin)
    assert out.read_bytes() == lines([row for row in rows if row["z"] != 2])


def test_changed_and_added_pairs_are_read_back(name: str, tmp_path: Path) -> None:
    file, out = tmp_path / "pairs.jsonl", tmp_path / "out.jsonl"
    file.write_bytes(lines(rows_of(name)))
    loaded = read_pairs(str(file))
    frame = loaded.pairs.frame
    changed = frame.with_columns(
        chosen=pl.when(pl.col("z") == 2).then(pl.lit("改过的回答。")).otherwise("chosen"),
        weight=pl.when(pl.col("z") == 3).then(0.25).otherwise("weight"),
    )
    added = frame.head(1).with_columns(
        pair_id=pl.lit("new"), prompt=pl.lit("An added question?"), chosen=pl.lit("Yes!"), rejected=pl.lit("Nope.")
    )
    write_pairs(out, Pairs(pl.concat([changed, added])), loaded.origin)
    again = read_pairs(str(out), layout=name)
    wanted = [FIRST, (SECOND[0], "改过的回答。", SECOND[2]), THIRD, ("An added question?", "Yes!", "Nope.")]
    assert sorted(texts(again.pairs)) == sorted(wanted)
    assert dict(again.pairs.frame.select("chosen", "weight").iter_rows())[THIRD[1]] == 0.25
    kept = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert next(row["meta"] for row in kept if row.get("z") == 3) == UNKNOWN[2]["meta"]
    assert next(row["meta"] for row in kept if row.get("z") == 2) == UNKNOWN[1]["meta"]


@pytest.mark.parametrize("target", SAMPLES)
def test_converts_to_every_other_layout(name: str, target: str, tmp_path: Path) -> None:
    file, out = tmp_path / "pairs.jsonl", tmp_path / "out.jsonl"
    file.write_bytes(lines(rows_of(name)))
    loaded = read_pairs(str(file))
    write_pairs(out, loaded.pairs, loaded.origin, layout=target)
    again = read_pairs(str(out), layout=target)
    assert texts(again.pairs) == list(ALL)
    kept = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert next(row["meta"] for row in kept if row["z"] == 1) == UNKNOWN[0]["meta"]


def test_converts_between_tables(name: str, tmp_path: Path) -> None:
    file, out = tmp_path / "pairs.parquet", tmp_path / "out.parquet"
    pl.read_ndjson(lines(rows_of(name)), infer_schema_length=None).write_parquet(file)
    loaded = read_pairs(str(file))
    for target in ("trl-explicit-messages", "kto", "list-wise"):
        write_pairs(out, loaded.pairs, loaded.origin, layout=target)
        assert texts(read_pairs(str(out), layout=target).pairs) == list(ALL)
        assert pl.read_parquet(out)["z"].unique(maintain_order=True).to_list() == [1, 2, 3]


def test_unknown_layout_names_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_bytes(lines(SAMPLES["trl-explicit"]))
    with pytest.raises(UnknownName, match="trl-explicit"):
        read_pairs(str(file), layout="trl-explict")
    with pytest.raises(InputError, match=r"not laid out as ms-swift; expected messages, rejected_response"):
        read_pairs(str(file), layout="ms-swift")
