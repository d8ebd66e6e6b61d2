"""`cmd:`, a command of the user's."""

import shlex
import sys

import pytest

from dehusk.core.errors import BackendError, InputError

SCRIPT = """
import json, sys
how = sys.argv[1]
rows = [json.loads(line) for line in sys.stdin]
with open("runs", "a") as file:
    file.write(f"{len(rows)}\\n")
if how == "dies":
    print("loading", file=sys.stderr)
    sys.exit("CUDA out of\\tmemory")
if how == "quiet":
    sys.exit(3)
for row in rows[how == "short":]:
    value = len(row["prompt"]) + 10 * len(row["response"])
    print({"plain": value, "objects": json.dumps({"score": value, "why": "…"}), "null": '{"score": null}',
           "nan": "NaN", "chatty": "scoring…", "other": '{"reward": 1}', "short": value}[how])
"""


@pytest.fixture
def run(opened, folder):
    (folder / "rm script.py").write_text(SCRIPT)

    def command(how, settings="", name=""):
        return opened(f"{name}cmd:{shlex.join([sys.executable, 'rm script.py', how])}{settings}")

    return command


def runs(folder):
    return [int(line) for line in (folder / "runs").read_text().split()]


@pytest.mark.parametrize("how", ["plain", "objects"])
def test_numbers_and_objects(run, how):
    prompts, responses = ["问\n\n题", "b", "b"], ['答 😀\u2028 "quoted"', "", "xyz"]
    assert run(how).score(prompts, responses).tolist() == [
        len(p) + 10 * len(r) for p, r in zip(prompts, responses, strict=True)
    ]


def test_one_run_for_all_texts_or_one_for_every_batch(run, folder):
    texts = [f"answer {i}" for i in range(200)]
    run("plain").score(texts, texts)
    run("plain", "?batch=150").score(texts, texts)
    assert runs(folder) == [200, 150, 50]


def test_with_a_version_scores_are_kept(run, folder):
    for _ in range(2):
        run("plain", "?version=1").score(["a", "b"], ["a", "b"])
    assert runs(folder) == [2]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("dies", "ended with code 1: CUDA out of memory"),
        ("quiet", "ended with code 3"),
        ("short", "answered 1 scores for 2 texts"),
        ("null", "no score for text 1 of 2, but None"),
        ("nan", "no score for text 1 of 2, but nan"),
        ("chatty", "line 1: 'scoring…'; expected a number or {\"score\": number}"),
        ("other", 'line 1: \'{"reward": 1}\'; expected a number or {"score": number}'),
    ],
)
def test_a_failure_is_one_line(run, how, said):
    with pytest.raises(BackendError) as failure:
        run(how, name="mine=").score(["a", "b"], ["a", "b"])
    assert str(failure.value) == f"cmd:{sys.executable}: {said}"


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("no-such-command --x", "no command 'no-such-command'"),
        ("echo 'open", '"echo \'open": no closing quotation'),
        ("echo?batch=0", "batch=0; expected texts a run"),
        ("echo?batch=all", "batch=all; expected texts a run"),
        ("?version=1", "no command ''"),
    ],
)
def test_a_mistake_is_one_line(opened, where, said):
    with pytest.raises(InputError) as mistake:
        opened(f"cmd:{where}")
    assert str(mistake.value).startswith(f"--reward-model: {said}")
    assert "\n" not in str(mistake.value)


def test_there_is_no_shell(opened, folder):
    (folder / "show.py").write_text("import json, sys\nfor _ in sys.stdin: print(len(sys.argv))\n")
    words = f"{shlex.quote(sys.executable)} show.py a; touch made > b $(x)"
    assert opened(f"cmd:{words}").score(["a"], ["b"]).tolist() == [7.0]
    assert not (folder / "made").exists()


def test_a_question_mark_may_belong_to_the_command(run, opened, folder):
    (folder / "show.py").write_text("import sys\nfor _ in sys.stdin: print(len(sys.argv[1]))\n")
    assert opened(f"cmd:{shlex.quote(sys.executable)} show.py a?b=c").score(["a"], ["b"]).tolist() == [5.0]
