"""The wheel, alone in an empty environment, does everything the README promises of the core install."""

import json
import shutil
import subprocess
import sys
import venv

import pytest
from console import dehusk
from source import ROOT

from dehusk.cli.verbs import VERBS

LIMIT = 350 * 2**20  # bytes of the core install
UNREACHABLE = ("No matching distribution", "ConnectionError", "Temporary failure in name resolution", "Max retries")


def run(*command, cwd=None):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The built wheel; sources are copied so that nothing is written into the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    built = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "dist", folder)
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = (folder / "dist").glob("*.whl")
    return found


@pytest.fixture(scope="module")
def alone(wheel, tmp_path_factory):
    """Python of an environment that holds the wheel and what it needs, not even pip."""
    folder = tmp_path_factory.mktemp("alone")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    put = run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", wheel)
    if put.returncode and any(sign in put.stderr for sign in UNREACHABLE):
        pytest.skip(f"pip cannot reach a package registry: {put.stderr.strip().splitlines()[-1]}")
    assert put.returncode == 0, put.stderr
    return python


@pytest.fixture(scope="module")
def demo(alone, tmp_path_factory):
    """Folder that `dehusk demo` filled."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    works(alone, "demo", "--out", folder)
    return folder


def works(python, *arguments):
    process = dehusk(*arguments, python=python)
    assert process.returncode == 0, process.stderr + process.stdout
    assert process.stdout.strip()
    return process.stdout


def test_the_core_install_is_small(alone):
    (site,) = alone.parents[1].glob("lib/python*/site-packages")
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) <= LIMIT


def test_the_script_is_installed(alone):
    shown = run(alone.with_name("dehusk"), "--help")
    assert shown.returncode == 0, shown.stderr
    assert all(verb in shown.stdout for verb in [row.name for row in VERBS])


@pytest.mark.parametrize("what", ["features", "probes", "layouts", "edits", "reward_models"])
def test_list(alone, what):
    assert len(works(alone, "list", what).splitlines()) >= 5


def test_demo(demo):
    assert list(demo.rglob("report.html"))


def test_audit_of_pairs_and_stages(alone, demo, tmp_path):
    at = {name: next(demo.rglob(f"{name}.jsonl")) for name in ("pairs", "sft", "rl")}
    shown = works(
        alone, "audit", "--pairs", at["pairs"], "--responses", f"sft={at['sft']}", "--responses", f"rl={at['rl']}",
        "--out", tmp_path, "--format", "json", "--lang", "zh", "--fail-on", "never", "--sample", 400,
    )  # fmt: skip
    assert json.loads(shown)["schema"] == 1
    assert {"audit.json", "report.html", "report.md"} <= {path.name for path in tmp_path.iterdir()}


def test_validate(alone, demo):
    pairs = next(demo.rglob("pairs.jsonl"))
    works(alone, "validate", "--pairs", pairs, "--sample", 200, "--repeats", 2, "--rates", 0.05)


def test_score(alone, demo, tmp_path):
    target = tmp_path / "scores.jsonl"
    pairs = next(demo.rglob("pairs.jsonl"))
    model = "py:dehusk.demo.reward:score"
    process = dehusk(
        "score", "--pairs", pairs, "--reward-model", model, "--store", ":memory:", "--out", target, python=alone
    )
    assert process.returncode == 0, process.stderr
    assert len(target.read_text("utf-8").splitlines()) > 2_000


def test_models(alone):
    assert "smollm2" in works(alone, "models")


def test_convert(alone, demo, tmp_path):
    pairs, target = next(demo.rglob("pairs.jsonl")), tmp_path / "out.parquet"
    process = dehusk("convert", "--source", pairs, "--target", target, python=alone)
    assert process.returncode == 0, process.stderr
    assert target.stat().st_size > 0


def test_bad_input_is_one_line_and_exit_code_two(alone, tmp_path):
    process = dehusk("audit", "--pairs", tmp_path / "absent.jsonl", python=alone)
    assert process.returncode == 2
    assert "absent.jsonl" in process.stderr
    assert "Traceback" not in process.stderr
