"""`import dehusk` and `dehusk --help` load nothing heavy, in a fresh interpreter."""

import subprocess
import sys

import pytest

HEAVY = {
    "torch", "transformers", "trl", "peft", "ray", "openai", "uvicorn", "starlette",
    "sklearn", "scipy", "pandas", "matplotlib", "datasets",
}  # fmt: skip
TELL = "import sys; sys.stderr.write('|' + ' '.join({name.split('.')[0] for name in sys.modules}))"
HELP = """
import sys
sys.argv = ["dehusk", "--help"]
from dehusk.cli.main import main
try:
    code = main()
except SystemExit as stop:
    code = stop.code
assert not code, code
"""


def loaded(program):
    """Top-level modules in memory after `program` ran in a new interpreter."""
    result = subprocess.run([sys.executable, "-c", f"{program}\n{TELL}"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(result.stderr.rpartition("|")[2].split())


@pytest.mark.parametrize("program", ["import dehusk", HELP], ids=["import", "help"])
def test_nothing_heavy_is_loaded(program):
    assert not loaded(program) & HEAVY


def test_something_heavy_would_be_noticed():
    assert loaded("import scipy") & HEAVY == {"scipy"}
