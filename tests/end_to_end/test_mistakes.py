"""The likely mistakes of a first afternoon: one line that says what, where, what was expected and what to try."""

from __future__ import annotations

import gzip
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tables import Speaker, answers, pairs, write

SAY = Speaker().english
TABLE = pairs(30, SAY)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the files that people have."""
    monkeypatch.chdir(tmp_path)
    lines = "\n".join(map(json.dumps, TABLE))
    cells = ["prompt;chosen;rejected", *(";".join(row.values()) for row in TABLE)]
    write(tmp_path / "prefs.jsonl", TABLE)
    write(
        tmp_path / "other.jsonl", [{"question": r["prompt"], "win": r["chosen"], "lose": r["rejected"]} for r in TABLE]
    )
    for name in ("sft", "rl"):
        write(tmp_path / f"{name}.jsonl", answers(30, SAY))
        (tmp_path / name).mkdir()
        write(tmp_path / name / "out.jsonl", answers(30, SAY))
    (tmp_path / "array.jsonl").write_text(json.dumps(TABLE))
    (tmp_path / "lines.json").write_text(lines)
    (tmp_path / "pretty.json").write_text("\n".join(json.dumps(row, indent=2) for row in TABLE))
    (tmp_path / "semicolon.csv").write_text("\n".join(cells))
    (tmp_path / "spaces.csv").write_text("\n".join(cells).replace(";", ", "))
    (tmp_path / "plain.jsonl.gz").write_text(lines)
    (tmp_path / "squeezed.jsonl").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "a file").write_text("x")
    for name, text in {
        "key": "[audit]\npears = 'prefs.jsonl'", "list": "[audit]\nunwanted = 'bold'", "type": "[audit]\nsample = true",
        "shared": "pairs = 'prefs.jsonl'\n[validate]\nrepeats = 3", "out": "pairs = 'prefs.jsonl'\nout = \"a\\u0000b\"",
    }.items():  # fmt: skip
        (tmp_path / f"{name}.toml").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("audit --pairs pref.jsonl", "pref.jsonl: no such file. Try: prefs.jsonl"),
        ("audit --pairs .", ".: a folder; expected a file, or a folder saved by datasets. Try: array.jsonl"),
        ("audit prefs.jsonl", "'prefs.jsonl' belongs to no option. Try: --pairs prefs.jsonl"),
        ("audit --pairs pretty.json", "pretty.json, row 6: broken JSON: Extra data; expected one list of objects"),
        ("audit --pairs other.jsonl", "no known layout in columns question, win, lose; expected chosen and rejected"),
        ("audit --pairs other.jsonl", "Try: --map chosen=win,rejected=lose"),
        ("audit --pairs spaces.csv", "Try: --map 'chosen= chosen,rejected= rejected'"),
        ("audit --pairs prefs.jsonl --map chosen=wining", "no column 'wining'; expected one of prompt, chosen"),
        ("audit --pairs prefs.jsonl --map promt=prompt", "--map: 'promt' is no name of dehusk's; expected prompt=…"),
        ("audit --pairs prefs.jsonl --map promt=prompt", "Try: --map prompt=prompt"),
        ("audit --pairs prefs.jsonl --unwanted bulets", "unknown feature or family 'bulets'; did you mean bullets"),
        ("audit --pairs not_even_there.jsonl --wanted bulets", "--wanted: unknown feature or family 'bulets'; did you"),
        ("audit --pairs prefs.jsonl --unwanted delve", "Try: '\"delve\"' if it is a phrase"),
        ("audit --pairs prefs.jsonl --unwanted …", "--unwanted: no word in '…'; expected a phrase with letters"),
        ("audit --pairs sft.jsonl", "Try: --responses NAME=sft.jsonl, if these are answers of one stage"),
        ("audit --responses sft=prefs.jsonl", "Try: --pairs prefs.jsonl"),
        ("audit --responses a=sft.jsonl --responses a=rl.jsonl", "rl.jsonl: stage 'a' again, after sft.jsonl;"),
        ("audit --responses sft/out.jsonl rl/out.jsonl", "rl/out.jsonl: stage 'out' again, after sft/out.jsonl"),
        ("audit --responses sft/out.jsonl rl/out.jsonl", "sft/out.jsonl --responses out-2=rl/out.jsonl"),
        ("audit --responses meta/llama=sft.jsonl", "no such file. Try: NAME=FILE with no slash in NAME"),
        ("audit --responses a=sft.jsonl b=rl.jsonl --stages a c", "--stages: unknown stage 'c'"),
        ("audit --responses a=sft.jsonl b=rl.jsonl --stages a a", "--stages: stage 'a' twice; expected each once"),
        ("audit --pairs prefs.jsonl --out 'a file'", "a file: cannot be made: a file is a file; expected a folder"),
        ("demo --out 'a file/x'", "cannot be made"),
        ("audit --config key.toml", "key.toml: unknown option 'pears'; did you mean pairs"),
        ("audit --config list.toml", "list.toml: unwanted = 'bold'; expected a list in square brackets"),
        ("audit --config type.toml", "type.toml: sample = True; expected int"),
        ("audit --config out.toml", "cannot be made"),
        ("audit --config .", ".: cannot be read: is a directory; expected a TOML file"),
        ("audit --pairs prefs.jsonl --seed -1", "--seed: a negative seed; expected 0 or more"),
        ("validate --pairs prefs.jsonl --rates 5", "--rates: rate 5; expected shares in (0, 1]. Try: --rates 0.03"),
        ("validate --pairs prefs.jsonl --repeats 0", "--repeats: repeats = 0; expected at least 1"),
        ("validate --pairs prefs.jsonl --phrase '...'", "--phrase: no word in '...'; expected a phrase with letters"),
        ("validate --pairs prefs.jsonl --format sarif", 'Choose from: "text", "json"'),
        ("convert prefs.jsonl", "Try: dehusk convert --help"),
        ("convert prefs.jsonl x.jsonl --to openrlfh", "unknown layout 'openrlfh'; did you mean openrlhf"),
        ("list", "Try: dehusk list --help"),
        ("check prefs.jsonl", "unknown verb 'check'; one of adjust, audit, certify, compare"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(dehusk, folder, line, said):
    before = sorted(path.name for path in folder.rglob("*"))
    ran = dehusk(*shlex.split(line))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("dehusk: ")
    assert ran.err.count("\n") == 1
    assert said in ran.err
    assert sorted(path.name for path in folder.rglob("*")) == before


@pytest.mark.parametrize(
    "line",
    [
        "audit --pairs semicolon.csv",
        "audit --pairs spaces.csv --map 'chosen= chosen,rejected= rejected'",
        "audit --pairs other.jsonl --map prompt=question,chosen=win,rejected=lose",
        "audit --pairs array.jsonl",
        "audit --pairs lines.json",
        "audit --pairs plain.jsonl.gz",
        "audit --pairs squeezed.jsonl",
        "audit --responses sft.jsonl rl.jsonl",
        "audit --responses 'sft = sft.jsonl' 'rl = rl.jsonl'",
        "audit --config shared.toml",
        "audit --pairs prefs.jsonl --unwanted phrase,template",
    ],
)
def test_what_is_no_mistake_works(dehusk, folder, line):
    ran = dehusk(*shlex.split(line), "--fail-on", "never", "--format", "json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["inputs"][0]["rows"] == 30


def test_a_tilde_after_an_equals_sign_is_the_home_folder(dehusk, folder, monkeypatch):
    """No shell writes it out there, and a folder called ~ is not what anybody wants."""
    monkeypatch.setenv("HOME", str(folder))
    ran = dehusk(
        "audit", "--pairs=~/prefs.jsonl", "--responses", "sft=~/sft.jsonl", "--out=~/out", "--fail-on", "never"
    )
    assert ran.code == 0, ran.err
    assert (folder / "out" / "report.html").exists()
    assert not (folder / "~").exists()


def process(*words, **named):
    """`dehusk` with these words as a process of its own."""
    return subprocess.run([sys.executable, "-m", "dehusk", *words], check=False, stderr=subprocess.PIPE, **named)


def test_a_terminal_that_knows_ascii_only_gets_question_marks(folder):
    words = ("audit", "--pairs", "prefs.jsonl", "--lang", "zh", "--format", "json", "--fail-on", "never")
    done = process(*words, stdout=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["run"]["lang"] == "zh"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which refuses every byte")
def test_output_that_cannot_be_written_is_one_line(folder):
    with Path("/dev/full").open("wb") as full:
        done = process("audit", "--pairs", "prefs.jsonl", "--format", "json", stdout=full)
    assert done.returncode == 2
    assert done.stderr.startswith(b"dehusk: cannot write: ") and done.stderr.count(b"\n") == 1


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="needs /dev/stdin")
def test_a_pipe_is_one_line(folder):
    done = process("audit", "--pairs", "/dev/stdin", input=b"{}")
    assert done.returncode == 2
    assert done.stderr == b"dehusk: /dev/stdin: a pipe; expected a file. Try: write it to a file first\n"
