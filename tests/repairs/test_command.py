"""`dehusk repair` from the command line: what it writes, what it prints, what it refuses."""

from __future__ import annotations

import json
import random

import polars as pl
import pytest

from dehusk.core.config import Config
from dehusk.core.errors import InputError, UnknownName
from dehusk.core.keywords import read_options
from dehusk.core.kinds import repairs
from dehusk.core.options import RepairConfig
from dehusk.io import read_pairs
from dehusk.workflow import run_repair

WORDS = ("rain", "road", "house", "river", "stone", "garden", "window", "letter", "market", "bridge", "winter", "water")


def rows(count=400, seed=0):
    """Chosen answers are longer and have more bullets, as a rule."""
    draw = random.Random(seed)

    def answer(good):
        lines = [" ".join(draw.choices(WORDS, k=draw.randint(4, 9))) for _ in range(draw.randint(2, 6) + good)]
        return "\n".join(("- " if draw.random() < 0.3 + 0.15 * good else "") + line for line in lines)

    made = []
    for i in range(count):
        good = draw.random() < 0.6
        made.append({"prompt": f"question {i}", "chosen": answer(good), "rejected": answer(0), "extra": {"深": [i]}})
    return made


@pytest.fixture(scope="module")
def made():
    return rows()


@pytest.fixture
def folder(tmp_path, monkeypatch, made):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prefs.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in made), "utf-8")
    return tmp_path


def lines(path):
    return path.read_text("utf-8").splitlines()


def test_matching_keeps_rows_as_they_were_and_says_what_became_of_each(dehusk, folder):
    ran = dehusk("repair", "--pairs", "prefs.jsonl", "--method", "match", "--target", "characters", "--target",
                 "bullets", "--out", "out.jsonl")  # fmt: skip
    assert ran.code == 0, ran.err
    old, new = lines(folder / "prefs.jsonl"), lines(folder / "out.jsonl")
    told = pl.read_parquet(folder / "out.jsonl.plan.parquet")
    assert new == [line for line, kept in zip(old, told["kept"], strict=True) if kept]
    assert 100 < len(new) < 390
    assert told.filter(~pl.col("kept"))["reason"].null_count() == 0 and told["row"].to_list() == list(range(1, 401))
    assert f"{len(new)} of 400 pairs kept" in ran.out
    assert "length (characters)" in ran.out and "+0.0" in ran.out and "out.jsonl.plan.parquet" in ran.err
    assert "Largest change of another feature: " in ran.out


def test_a_dry_run_writes_nothing_and_says_the_same(dehusk, folder):
    words = ("repair", "--pairs", "prefs.jsonl", "--method", "reweight", "--target", "characters", "--format", "json")
    ran = dehusk(*words, "--dry-run", "--report", "page")
    assert ran.code == 0, ran.err
    assert [path.name for path in folder.iterdir()] == ["prefs.jsonl"]
    again = dehusk(*words, "--out", "out.jsonl")
    assert json.loads(ran.out) == json.loads(again.out)
    result = json.loads(ran.out)
    target = result["targets"][0]
    assert target["before"]["value"] > 0.2 and abs(target["after"]["value"]) < 1e-6
    assert result["kept"] == 400 == result["reweighted"] and result["effective"] < 400
    weights = [json.loads(line)["weight"] for line in lines(folder / "out.jsonl")]
    assert sum(weights) == pytest.approx(400) and sum(weights) ** 2 / sum(w * w for w in weights) == pytest.approx(
        result["effective"]
    )


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_messages_keep_their_layout_and_the_page_shows_before_and_after(dehusk, folder, made, lang):
    chats = [
        {"id": i, "prompt": [{"role": "user", "content": row["prompt"]}],
         **{side: [{"role": "assistant", "content": row[side]}] for side in ("chosen", "rejected")}}
        for i, row in enumerate(made)
    ]  # fmt: skip
    (folder / "chats.jsonl").write_text("\n".join(map(json.dumps, chats)), "utf-8")
    ran = dehusk("repair", "--pairs", "chats.jsonl", "--method", "flip", "--target", "bullets", "--out", "out.jsonl",
                 "--report", "page", "--lang", lang)  # fmt: skip
    assert ran.code == 0, ran.err
    told = pl.read_parquet(folder / "out.jsonl.plan.parquet")
    assert 0 < told["flipped"].sum() < 200
    new = [json.loads(line) for line in lines(folder / "out.jsonl")]
    for old, row, flipped in zip(chats, new, told["flipped"], strict=True):
        sides = ("rejected", "chosen") if flipped else ("chosen", "rejected")
        assert row == {**old, "chosen": old[sides[0]], "rejected": old[sides[1]]}
    page = (folder / "page" / "report.html").read_text("utf-8")
    assert 'id="change"' in page and {"en": "Before and after", "zh": "修复前后"}[lang] in page
    before, after = (json.loads((folder / "page" / f"{name}.json").read_text("utf-8")) for name in ("before", "after"))
    raw = [next(row for row in audit["trace"] if row["feature"] == "bullets")["cells"]["data"]["raw"]["value"]
           for audit in (before, after)]  # fmt: skip
    assert raw[0] > 0.1 and abs(raw[1]) < 0.01
    assert {"en": "points", "zh": "百分点"}[lang] in ran.out


def lists(kind, count=40, answers=4):
    """List-wise rows in which longer answers rank higher, as a rule."""
    draw, made = random.Random(1), []
    for i in range(count):
        texts = [" ".join(draw.choices(WORDS, k=draw.randint(3, 30))) + f" {i}.{j}" for j in range(answers)]
        scores = [round(len(text) / 10 + draw.gauss(0, 4), 2) for text in texts]
        models = [f"model of {text[-4:]}" for text in texts]
        best = sorted(scores, reverse=True)
        row = {"id": i, "prompt": f"question {i}"}
        made.append({
            "scores": row | {"responses": texts, "scores": scores, "models": models, "tags": models},
            "ranks": row | {"responses": texts, "ranks": [best.index(score) + 1 for score in scores]},
            "objects": row | {"completions": [{"model": m, "text": text, "score": score, "tag": m}
                                              for m, text, score in zip(models, texts, scores, strict=True)]},
            "best first": {"instruction": f"question {i}", "input": "", "output": [
                text for _, text in sorted(zip(scores, texts, strict=True), reverse=True)]},
        }[kind])  # fmt: skip
    return made


@pytest.mark.parametrize("kind", ["scores", "ranks", "objects", "best first"])
@pytest.mark.parametrize(("method", "suffix"), [("flip", "jsonl"), ("flip", "parquet"), ("augment", "jsonl")])
def test_what_is_written_of_lists_of_answers_reads_as_the_plan_says(dehusk, folder, kind, method, suffix):
    given = lists(kind)
    (folder / "lists.jsonl").write_text("\n".join(map(json.dumps, given)), "utf-8")
    words = ("--target", "characters") if method == "flip" else ()
    ran = dehusk("repair", "--pairs", "lists.jsonl", "--method", method, *words, "--out", f"out.{suffix}")
    assert ran.code == 0, ran.err
    sides = ("prompt", "chosen", "rejected")
    before, after = (read_pairs(name).pairs.frame.select(sides) for name in ("lists.jsonl", f"out.{suffix}"))
    told = pl.read_parquet(folder / f"out.{suffix}.plan.parquet")
    if method == "flip":
        turned = told["flipped"]
        assert 30 < turned.sum() < 120 and before.height == 240
        swapped = before.rename({"chosen": "rejected", "rejected": "chosen"}).select(sides).filter(turned)
        assert after.sort(sides).equals(pl.concat([before.filter(~turned), swapped]).sort(sides))
    else:
        assert after.height > 240 and set(before.iter_rows()) <= set(after.iter_rows())
    new = pl.read_parquet(folder / "out.parquet").to_dicts() if suffix == "parquet" else None
    new = new or [json.loads(line) for line in lines(folder / "out.jsonl")]
    whole = [row for row in new if len(row.get("responses") or row.get("completions") or row.get("output")) == 4]
    assert suffix == "parquet" or (whole and all(row in given for row in whole))  # as it was, where nothing turned
    for row in new:
        if kind == "objects":
            answers = [(one["text"], one["model"], one["tag"]) for one in row["completions"]]
        elif kind == "scores":
            answers = list(zip(row["responses"], row["models"] or [None] * 2, row["tags"] or [None] * 2, strict=True))
        else:
            continue
        for text, *names in answers:
            assert names in ([f"model of {text[-4:]}"] * 2, [None] * 2)
            assert names[0] or method == "augment"


def test_what_a_file_says_of_an_answer_stays_with_it_when_a_pair_is_turned(dehusk, folder, made):
    rows = [
        {"prompt": row["prompt"], "completion": row[side], "label": side == "chosen", "who": f"{side} {i}"}
        for i, row in enumerate(made)
        for side in ("chosen", "rejected")
    ]
    (folder / "kto.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    ran = dehusk("repair", "--pairs", "kto.jsonl", "--method", "flip", "--target", "bullets", "--out", "out.jsonl")
    assert ran.code == 0, ran.err
    new = [json.loads(line) for line in lines(folder / "out.jsonl")]
    assert [row | {"label": None} for row in new] == [row | {"label": None} for row in rows]
    assert 20 < sum(one["label"] != other["label"] for one, other in zip(new, rows, strict=True)) < 400


def test_columns_of_a_plan_do_not_hide_those_of_the_file(dehusk, folder, made):
    (folder / "named.jsonl").write_text("\n".join(json.dumps({**row, "confidence": "high"}) for row in made), "utf-8")
    ran = dehusk("repair", "--pairs", "named.jsonl", "--method", "cartography", "--target", "characters", "--out",
                 "out.jsonl")  # fmt: skip
    assert ran.code == 0, ran.err
    row = json.loads(lines(folder / "out.jsonl")[0])
    assert row["confidence"] == "high" and isinstance(row["confidence_cartography"], float)


def test_a_reward_model_gives_margins_where_they_are_asked_for(dehusk, folder):
    model = "demo=py:dehusk.demo.reward:score"
    ran = dehusk("repair", "--pairs", "prefs.jsonl", "--method", "cartography", "--reward-model", model, "--out",
                 "out.csv", "--store", "store.sqlite", "--format", "json")  # fmt: skip
    assert ran.code == 0, ran.err
    told = pl.read_parquet(folder / "out.csv.plan.parquet")
    assert {"confidence", "variability"} <= set(told.columns) and 190 <= json.loads(ran.out)["kept"] <= 400


@pytest.mark.parametrize(("lang", "said"), [("en", "none was filtered out"), ("zh", "一对都没有过滤")])
def test_a_file_of_scores_filters_no_added_pairs_and_that_is_said(dehusk, folder, made, lang, said):
    known = [{"prompt": row["prompt"], "response": row[side], "score": len(row[side])}
             for row in made for side in ("chosen", "rejected")]  # fmt: skip
    (folder / "known.jsonl").write_text("\n".join(map(json.dumps, known)), "utf-8")
    ran = dehusk("repair", "--pairs", "prefs.jsonl", "--method", "augment", "--reward-model", "scores:known.jsonl",
                 "--dry-run", "--lang", lang)  # fmt: skip
    assert ran.code == 0, ran.err
    assert said in " ".join(ran.out.split())


BASE = "repair --pairs prefs.jsonl --dry-run "


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("repair --method match --target bullets", "nothing to repair. Try: --pairs FILE"),
        ("repair --pairs prefs.jsonl --method match --target bullets", "nowhere to write. Try: --out repaired.jsonl"),
        (BASE + "--target bullets", "--method: no method; expected one of aflite"),
        (BASE + "--method mach --target bullets", "unknown repair 'mach'; did you mean match"),
        (BASE + "--method match", "--target: no target; expected a feature, a family or a phrase. Try: --target chara"),
        (BASE + "--method match --target bulets", "--target: unknown feature or family 'bulets'; did you mean bullets"),
        (BASE + "--method match --target bullets --option calliper=1", "unknown option 'calliper'; did you mean calip"),
        (BASE + "--method match --target bullets --option caliper=low", "caliper = 'low'; expected a number"),
        (BASE + "--method match --target bullets --option how=best", "expected one of auto, mirrored, nearest"),
        (BASE + "--method match --target bullets --option caliper", "'caliper'; expected NAME=VALUE"),
        (BASE + "--method match --target bullets --option rng=3", "unknown option 'rng'"),
        (BASE + "--method flip --target characters,bullets", "flip takes one target, got 2"),
        (BASE + "--method reweight --target praise_opener", "it needs pairs that differ in the target, praise"),
        (BASE + "--method match --target bullets --reward-model demo=py:dehusk.demo.reward:score", "leave it out"),
        (BASE + "--method match --target bullets --embedder minilm", "--embedder: match does not ask for one"),
        (BASE + "--method select --option rule=bullets", "rule 'bullets'; expected [PLACE:]NAME<=NUMBER"),
        (BASE + "--method select --option rule=bullets>99", "--method select: no pair would be left"),
        ("repair --pairs prefs.jsonl --method match --target bullets --out out.docx", "cannot write a table as .docx"),
        ("repair --pairs prefs.jsonl --method match --target bullets --out no/out.jsonl", "no such folder"),
        ("repair prefs.jsonl --method match", "belongs to no option. Try: --pairs prefs.jsonl"),
    ],
)
def test_a_likely_mistake_is_one_line(dehusk, folder, line, said, lang):
    ran = dehusk(*line.split(), "--lang", lang)
    assert ran.code == 2 and ran.out == ""
    assert said in ran.err and ran.err.count("\n") == 1, ran.err
    assert [path.name for path in folder.iterdir()] == ["prefs.jsonl"]


def test_options_of_a_repair_may_stand_in_a_file(folder):
    text = '[repair]\npairs = "prefs.jsonl"\nmethod = "match"\ntarget = ["bullets"]\ndry-run = true'
    result = run_repair(RepairConfig.from_toml(text, "x.toml"))
    assert result.plan.repair == "match" and isinstance(RepairConfig(), Config)


def test_the_same_seed_gives_the_same_file(dehusk, folder):
    for name in ("one", "two"):
        dehusk("repair", "--pairs", "prefs.jsonl", "--method", "match", "--target", "layout", "--out", f"{name}.jsonl")
    assert lines(folder / "one.jsonl") == lines(folder / "two.jsonl")


@pytest.mark.parametrize(
    ("entries", "read"),
    [
        (["tau=0.8", "models=8"], {"tau": 0.8, "models": 8}),
        (["see = all"], {"see": "all"}),
        ([], {}),
    ],
)
def test_options_get_the_types_of_their_parameters(entries, read):
    assert read_options(repairs["aflite"].thing, entries, handed=()) == read


def test_a_parameter_of_several_takes_several_entries():
    entries = ["rule=bullets<=3,bold<2", "rule=characters>5"]
    read = read_options(repairs["select"].thing, entries, handed=("targets",))
    assert read == {"rule": ("bullets<=3", "bold<2", "characters>5")}
    with pytest.raises(InputError, match="NAME=VALUE"):
        read_options(repairs["select"].thing, ["rule"], handed=())
    with pytest.raises(UnknownName, match="did you mean rule"):
        read_options(repairs["select"].thing, ["rules=x"], handed=())
