"""Ctrl-C and kill -9 at any moment: every file is whole, old or new; ctrl-C is one line and exit code 130."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

GONE = 130
PAIRS = [
    {"prompt": f"q {i}", "chosen": f"{'mark my words, ' * (i % 3)}yes to {i}", "rejected": f"perhaps {i}"}
    for i in range(60)
]
# Say "ready" when a function of dehusk's is reached, then wait there to be interrupted.
HELD = """
import importlib, sys, time
module, name = {place!r}.rsplit(".", 1)
where = importlib.import_module(module)
true = getattr(where, name)
def held(*given, **named):
    print("ready", file=sys.stderr, flush=True)
    time.sleep({seconds})
    return true(*given, **named)
setattr(where, name, held)
from dehusk.cli.main import main
main()
"""
# Write two versions of three files over and over.
WRITER = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell makes what it runs in the background deaf to it
from dehusk.io import write_atomic
versions = [letter * 3_000_000 for letter in "ab"]
print("ready", file=sys.stderr, flush=True)
while True:
    for version in versions:
        for name in ("x.html", "y.json", "z.md"):
            write_atomic(sys.argv[1] + "/" + name, version)
"""


def started(code: str, *words: object) -> subprocess.Popen[str]:
    """A process of its own that has said it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUTF8": "1"},
        encoding="utf-8",
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "ready\n"
    return process


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, PAIRS)))
    return path


@pytest.mark.parametrize(
    "place",
    [
        "dehusk.inputs.read_pairs",
        "dehusk.workflow.auditing.mine",
        "dehusk.workflow.auditing.measure",
        "dehusk.workflow.auditing.run_probes",
        "dehusk.cli.output.to_html",
        "os.fsync",
    ],
)
def test_ctrl_c_is_one_line_in_every_phase(pairs, tmp_path, place):
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("old")
    process = started(HELD.format(place=place, seconds=30), "audit", "--pairs", pairs, "--out", out)
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate(timeout=20)
    assert (process.returncode, printed) == (GONE, "")
    assert said == "dehusk: interrupted; nothing was left half written\n"
    assert (out / "report.html").read_text() == "old"
    assert {path.name for path in out.iterdir()} <= {"report.html", "audit.json"}  # what was done is whole
    for path in out.glob("*.json"):
        json.loads(path.read_bytes())


def test_ctrl_c_at_any_moment(pairs, tmp_path):
    """Compiled code that is interrupted may come back with an error of its own; it must not become a traceback."""
    draw = random.Random(0)
    for _ in range(4):
        process = started(
            HELD.format(place="dehusk.workflow.auditing.read", seconds=0), "audit", "--pairs", pairs, "--out", tmp_path
        )
        time.sleep(draw.uniform(0, 0.6))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        # After the last line there is nothing to clean up, and Python leaves the signal to the system.
        assert process.returncode in (GONE, 0, 1, -signal.SIGINT)
        assert "Traceback" not in said
        assert process.returncode != GONE or "dehusk: interrupted" in said.splitlines()[-1]
        assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL])
def test_files_are_whole_whenever_the_writer_dies(tmp_path, kill):
    draw = random.Random(kill)
    for _ in range(5):
        process = started(WRITER, tmp_path)
        time.sleep(draw.uniform(0, 0.15))
        process.send_signal(kill)
        process.communicate(timeout=20)
        assert process.returncode == -kill or kill == signal.SIGINT
        for name in ("x.html", "y.json", "z.md"):
            path = tmp_path / name
            if path.exists():
                text = path.read_text()
                assert len(text) == 3_000_000
                assert set(text) in ({"a"}, {"b"})
        if kill == signal.SIGINT:
            assert not list(tmp_path.glob(".*.part"))
