"""`dehusk compare` as a user runs it: the table, the page, the JSON, and the usual mistakes."""

import json
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

sys.path.insert(0, str(Path(__file__).parents[1] / "rewards" / "models"))

from made_up import made_up
from planted_pairs import planted
from tiny_models import write_language_model

from dehusk.core.comparison import Comparison
from dehusk.core.options import CompareConfig
from dehusk.report import to_html, to_markdown
from dehusk.workflow.comparing import run_compare

HOSTILE = "<script>alert(1)</script>"
DOCS = Path(__file__).parents[2] / "docs"
AUDIT, SCHEMA = (json.loads((DOCS / f"{name}.schema.json").read_text("utf-8")) for name in ("audit", "comparison"))
VALIDATOR = Draft202012Validator(
    SCHEMA, registry=Registry().with_resource("https://dehusk.example/audit.schema.json", Resource.from_contents(AUDIT))
)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return str(write_language_model(tmp_path_factory.mktemp("base")))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rows = planted(80, 0.3).frame.select("prompt", "chosen", "rejected")
    rows.write_ndjson(tmp_path / "pairs.jsonl")
    answers = [{"prompt": f"question {i % 12}?", "response": f"answer {i} {'filler ' * (i % 7)}", "gold": float(i % 5)}
               for i in range(72)]  # fmt: skip
    rows.head(1).write_ndjson(tmp_path / "one.jsonl")
    (tmp_path / "pool.jsonl").write_text("\n".join(map(json.dumps, answers)))
    return tmp_path


@pytest.fixture(scope="module")
def comparison():
    """Two targets and a row of each kind, by numbers made up here."""
    return made_up(("characters", "exclamations"), ("bench", "other"), gold=True)


@pytest.fixture
def compare(dehusk, base):
    def run(*words):
        usual = {"--pairs": "pairs.jsonl", "--target": "characters", "--embedder": base, "--splits": "2"}
        usual |= {"--device": "cpu", "--dtype": "float32"}
        return dehusk(
            "compare", *(word for flag, value in usual.items() if flag not in words for word in (flag, value)), *words
        )

    return run


def test_everything_at_once(compare, folder):
    ran = compare("--methods", "reweight", "residualise", "ensemble-vote", "--pool", "pool.jsonl", "--elsewhere",
                  "same=pairs.jsonl", "--out", "out")  # fmt: skip
    assert ran.code == 0, ran.err
    assert ran.err.endswith("out/comparison.html\n")
    found = json.loads((folder / "out" / "comparison.json").read_text())
    assert [row["method"] for row in found["rows"]] == ["plain", "reweight", "ensemble-vote", "residualise"]
    assert not list(VALIDATOR.iter_errors(found))
    told = {row["method"]: row for row in found["rows"]}
    assert set(told["plain"]["readings"]) == {
        *("accuracy", "accuracy:same", "coefficient:characters", "prompt_gain"),
        *("gold:1", "gold:2", "gold:4", "gold:6", "lift:characters"),
    }
    assert told["residualise"]["refusal"]["text"].startswith(
        "needs at least 500"
    )  # 112 pairs have too few answers for curves
    page = (folder / "out" / "comparison.html").read_text()
    assert "<polyline" in page  # gold
    gold = page[page.index('<section id="gold">') :]
    for said in ("n = 1<", "n = 2<", "n = 4<", "n = 6<", ">plain<", ">reweight<", ">ensemble-vote<"):
        assert said in gold
    assert "gold, best of 6" in page[: page.index('<section id="gold">')]
    assert "gold, best of 4" not in page
    notes = [note["key"] for note in found["notes"]]
    assert notes == ["compare.monotone", "compare.shared"]  # the pool has questions of its own


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), 2),
        (("rows", 0, "kind"), "?"),
        (("rows", 1, "moved"), ["bold"]),
        (("rows", 1, "against", "cost"), None),
        (("columns", 0), "speed"),
        (("unknown",), 1),
    ],
)
def test_what_is_not_a_comparison_does_not_fit_the_schema(comparison, path, value):
    body = json.loads(comparison.to_json())
    assert not list(VALIDATOR.iter_errors(body))
    place = body
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert list(VALIDATOR.iter_errors(body))


def test_answers_without_gold_are_not_picked_from(base, folder):
    rows = [json.loads(line) for line in (folder / "pool.jsonl").read_text().splitlines()]
    for row in rows[:12]:
        del row["gold"]  # one of six answers to every question
    (folder / "pool.jsonl").write_text("\n".join(map(json.dumps, rows)))
    options = {"pairs": "pairs.jsonl", "target": ("characters",), "splits": 2, "methods": ("match",)}
    found = run_compare(CompareConfig(**options, pool="pool.jsonl", embedder=(base,), device="cpu", dtype="float32"))
    assert found.best_of == 5
    assert "12 answers" in next(note.render("en") for note in found.notes if note.key == "compare.no_gold")


def test_the_other_formats_and_languages(compare):
    assert json.loads(compare("--methods", "reweight", "--format", "json").out)["splits"] == 2
    assert compare("--methods", "reweight", "--format", "markdown").out.startswith("## dehusk compare")
    assert "朴素模型" in compare("--methods", "reweight", "--lang", "zh").out


def test_two_embedders_stand_side_by_side(base):
    options = {"pairs": "pairs.jsonl", "target": ("characters",), "splits": 2, "methods": ("ensemble-mean",)}
    found = run_compare(CompareConfig(**options, embedder=(base, base), device="cpu", dtype="float32"))
    assert isinstance(found, Comparison)
    assert found.rows[1].readings["accuracy"].value > 0.4


def test_what_models_and_users_write_is_escaped(base, folder):
    (folder / "pairs.jsonl").rename(folder / "a&b.jsonl")
    options = {"target": (f"say {HOSTILE}",), "splits": 2, "methods": ("match",), "pairs": "a&b.jsonl"}
    found = run_compare(CompareConfig(**options, embedder=(base,), device="cpu", dtype="float32"))
    for lang in ("en", "zh"):
        assert HOSTILE not in to_html(found, lang)
        assert HOSTILE not in to_markdown(found, lang)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--target", "charcters"), "did you mean characters"),
        (("--methods", "reweigt"), "did you mean reweight"),
        (("--splits", "1"), "at least 2 for an interval"),
        (("--pairs", "nowhere.jsonl"), "nowhere.jsonl: "),
        (("--sample", "20"), "not enough data: it needs at least"),
        (("--pool", "pairs.jsonl"), "pairs.jsonl: "),
        (("--held-out", "1.5"), "a share between 0 and 1"),
        (("--elsewhere", "one.jsonl"), "one.jsonl: too few prompts"),
    ],
)
def test_a_mistake_is_one_line(compare, words, said):
    ran = compare(*words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("dehusk: ")
    assert ran.err.count("\n") == 1
    assert said in ran.err
