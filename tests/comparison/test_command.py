"""`dehusk compare` as a user runs it: the table, the page, the JSON, and the usual mistakes."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "rewards" / "models"))

from planted_pairs import planted
from tiny_models import write_language_model

from dehusk.core.comparison import Comparison
from dehusk.core.options import CompareConfig
from dehusk.report import to_html, to_markdown
from dehusk.workflow.comparing import run_compare

HOSTILE = "<script>alert(1)</script>"


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
    (tmp_path / "pool.jsonl").write_text("\n".join(map(json.dumps, answers)))
    return tmp_path


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
    told = {row["method"]: row for row in found["rows"]}
    assert set(told["plain"]["readings"]) == {
        *("accuracy", "accuracy:same", "coefficient:characters", "prompt_gain"),
        *("gold:1", "gold:2", "gold:4", "gold:6", "lift:characters"),
    }
    assert told["residualise"]["refusal"]["text"].startswith(
        "needs at least 500"
    )  # 112 pairs have too few answers for curves
    page = (folder / "out" / "comparison.html").read_text()
    assert "reweight" in page
    assert "<polyline" in page  # gold


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
    ],
)
def test_a_mistake_is_one_line(compare, words, said):
    ran = compare(*words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("dehusk: ")
    assert ran.err.count("\n") == 1
    assert said in ran.err
