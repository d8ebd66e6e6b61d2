"""`dehusk score`: files, standard output, exit codes, and what other verbs make of them."""

import json
import sys

import polars as pl
import pytest

from dehusk.cli import output

PAIRS = [{"prompt": f"q {i}", "chosen": f"answer {'a' * i}", "rejected": f"{'b' * (i % 7)} no"} for i in range(30)]
ANSWERS = [{"prompt": f"q {i}", "response": f"answer {'c' * i}"} for i in range(30)]
MODELS = """
def length(prompts, responses):
    with open("calls", "a") as file:
        file.write("".join(text + "\\n" for text in responses))
    return [float(len(text)) for text in responses]
def shorter(prompts, responses): return [-float(len(text)) for text in responses]
def none(prompts, responses): return [None] * len(responses)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.delitem(sys.modules, "rm_models", raising=False)
    (tmp_path / "rm_models.py").write_text(MODELS)
    for name, rows in (("pairs", PAIRS), ("answers", ANSWERS)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def read(path):
    return {"parquet": pl.read_parquet, "jsonl": pl.read_ndjson, "csv": pl.read_csv}[path.suffix[1:]](path)


@pytest.mark.parametrize("name", ["scores.parquet", "scores.jsonl", "scores.csv"])
def test_a_row_a_text_and_model(dehusk, folder, name):
    models = ("--reward-model", "early=py:rm_models:length", "late=py:rm_models:shorter")
    ran = dehusk("score", "--pairs", "pairs.jsonl", *models, "--out", name)
    assert (ran.code, ran.out) == (0, ""), ran.err
    assert ran.err == f"120 scores written to {name}\n"
    table = read(folder / name)
    assert table.columns == ["pair_id", "side", "prompt", "response", "model", "score"]
    assert table.height == 2 * 2 * len(PAIRS)
    chosen = table.filter(pl.col("side") == "chosen", pl.col("model") == "late")
    assert chosen["pair_id"].to_list() == [f"p{i}" for i in range(1, 31)]
    assert chosen["response"].to_list() == [row["chosen"] for row in PAIRS]
    assert chosen["score"].to_list() == [-float(len(row["chosen"])) for row in PAIRS]


def test_pairs_and_responses_go_to_standard_output_as_json_lines(dehusk):
    model = ("--reward-model", "py:rm_models:length")
    ran = dehusk("score", "--pairs", "pairs.jsonl", "--responses", "answers.jsonl", *model)
    assert (ran.code, ran.err) == (0, "")
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert [row["side"] for row in rows] == ["chosen"] * 30 + ["rejected"] * 30 + ["response"] * 30
    assert all(row["score"] == len(row["response"]) for row in rows)
    assert {row["model"] for row in rows} == {"rm_models:length"}
    assert rows[0]["pair_id"] == "p1"
    assert rows[60]["response_id"] == "1-1.1"
    assert rows[60]["pair_id"] is None


def test_a_sample(dehusk):
    ran = dehusk("score", "--pairs", "pairs.jsonl", "--reward-model", "py:rm_models:length", "--sample", 5)
    assert len(ran.out.splitlines()) == 10


def test_what_was_written_can_be_read_as_scores(dehusk, folder):
    """Score where the model is, audit elsewhere."""
    score = ("score", "--pairs", "pairs.jsonl", "--reward-model")
    assert dehusk(*score, "a=py:rm_models:length", "b=py:rm_models:shorter", "--out", "scores.parquet").code == 0
    again = dehusk(*score, "scores:scores.parquet?model=b")
    assert again.code == 0, again.err
    assert [json.loads(line)["score"] for line in again.out.splitlines()] == read(folder / "scores.parquet").filter(
        pl.col("model") == "b"
    )["score"].to_list()
    whole = dehusk(*score, "scores:scores.parquet")
    assert whole.code == 2
    assert "scores:scores.parquet?model=a" in whole.err


def test_with_a_version_nothing_is_scored_twice(dehusk, folder):
    words = ("score", "--pairs", "pairs.jsonl", "--reward-model", "py:rm_models:length?version=1", "--store", "kept")
    first = dehusk(*words)
    assert (first.code, first.err) == (0, "")
    calls = (folder / "calls").read_text()
    assert len(calls.splitlines()) == len(
        {(row["prompt"], row[side]) for row in PAIRS for side in ("chosen", "rejected")}
    )
    assert dehusk(*words).out == first.out
    assert (folder / "calls").read_text() == calls


def test_texts_without_a_score_are_counted(dehusk, folder):
    (folder / "some.jsonl").write_text("\n".join(json.dumps(row | {"score": 1.5}) for row in ANSWERS[:20]))
    words = ("score", "--responses", "answers.jsonl", "--reward-model", "scores:some.jsonl", "--out", "scores.csv")
    ran = dehusk(*words)
    assert ran.err == "10 of 30 texts have no score\n30 scores written to scores.csv\n"
    assert read(folder / "scores.csv")["score"].to_list() == [1.5] * 20 + [None] * 10
    assert dehusk(*words, "--lang", "zh").err == "30 条文本中有 10 条没有分数\n已将 30 个分数写入 scores.csv\n"


def test_a_backend_that_fails_is_one_line_and_exit_code_3(dehusk, folder):
    words = ("score", "--pairs", "pairs.jsonl", "--reward-model", "py:rm_models:none", "--out", "scores.csv")
    ran = dehusk(*words)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == "dehusk: py:rm_models:none: no score for text 1 of 58, but None\n".replace("58", _asked())
    assert not (folder / "scores.csv").exists()


def _asked():
    return str(len({(row["prompt"], row[side]) for row in PAIRS for side in ("chosen", "rejected")}))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--pairs pairs.jsonl", "no reward model. Try: --reward-model hf:FOLDER (dehusk list reward_models)"),
        ("--reward-model py:rm_models:length", "nothing to score. Try: --pairs FILE"),
        ("pairs.jsonl --reward-model py:rm_models:length", "Try: --pairs pairs.jsonl"),
        ("--pairs pairs.jsonl --reward-model rm_models:length", "unknown kind of reward model 'rm_models'"),
        ("--pairs pairs.jsonl --reward-model py:rm_model:length", "no module 'rm_model'"),
        ("--pairs pairs.jsonl --reward-model scores:answers.jsonl", "answers.jsonl: no texts beside scores in columns"),
        ("--pairs nowhere.jsonl --reward-model py:rm_models:length", "nowhere.jsonl: no such file"),
        ("--pairs pairs.jsonl --reward-model py:rm_models:length --out x.txt", "x.txt: cannot write a table as .txt"),
        ("--pairs pairs.jsonl --reward-model py:rm_models:length --out no/x.csv", "no/x.csv: cannot be written"),
        (
            "--pairs pairs.jsonl --reward-model py:rm_models:length?version=1 --store pairs.jsonl",
            "file is not a database",
        ),
        ("--pairs pairs.jsonl --reward-model py:rm_models:length --max-length 0", "--max-length: max_length = 0"),
        ("--pairs pairs.jsonl --reward-model py:rm_models:length py:rm_models:length", "'rm_models:length' twice"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(dehusk, folder, words, said):
    ran = dehusk("score", *words.split())
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("dehusk: ")
    assert ran.err.count("\n") == 1
    assert said in ran.err
    assert not (folder / "calls").exists()  # found before anything was scored


@pytest.mark.parametrize(("lang", "said"), [("en", "A Python function"), ("zh", "打分服务")])
def test_the_kinds_are_listed(dehusk, lang, said):
    ran = dehusk("list", "reward_models", "--lang", lang)
    assert ran.code == 0
    assert {"py", "cmd", "http", "https", "scores"} <= {line.split(" ")[0] for line in ran.out.splitlines()}
    assert said in ran.out


def test_an_audit_names_the_file_of_scores_among_its_inputs(dehusk, folder):
    (folder / "scored.jsonl").write_text(
        "\n".join(json.dumps(row | {"score_chosen": float(i), "score_rejected": -1.0}) for i, row in enumerate(PAIRS))
    )
    words = ("audit", "--pairs", "pairs.jsonl", "--reward-model", "scores:scored.jsonl", "--fail-on", "never")
    ran = dehusk(*words, "--format", "json")
    assert ran.code == 0, ran.err
    inputs = {item["role"]: item for item in json.loads(ran.out)["inputs"]}
    assert (inputs["reward_model"]["name"], inputs["reward_model"]["rows"]) == ("scored.jsonl", 60)


def test_the_bar_tells_the_rate(monkeypatch):
    """Only a terminal gets a bar, so the bar is looked at where it is fed."""
    shown = []
    real = output.Progress.update
    monkeypatch.setattr(
        output.Progress, "update", lambda *given, **fields: (shown.append(fields), real(*given, **fields))
    )
    with output.watching("en") as watch:
        for done in range(5):
            watch("scoring", done, 5)
        watch("probing", 4, 6)
    assert any(fields.get("rate", "").endswith("texts/s") for fields in shown)
    assert [fields["rate"] for fields in shown if "rate" in fields][-1] == ""
