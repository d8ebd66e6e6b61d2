"""Imports point down, or stay inside their own package."""

import ast
import sys

import pytest
from source import PACKAGE, at_import, modules, targets

ROWS = (
    {"core"},
    {"io", "text", "stats"},
    {"features", "rewards", "demo"},
    {
        "probes",
        "repairs",
        "fitting",
        "certification",
        "inputs",
    },  # fitting makes reward models: on `rewards`
    {"comparison"},  # fits and looks at everything below
    {"workflow", "align", "report", "scale", "server"},
    {"cli", "experiments"},
    {"__main__"},
)
ROW_OF = {name: row for row, names in enumerate(ROWS) for name in names}
ONLY = {  # narrower than the row allows
    "stats": ("dehusk.core.errors",),
    "report": ("dehusk.core",),
    "probes": ("dehusk.core", "dehusk.stats", "dehusk.text"),
    "repairs": ("dehusk.core", "dehusk.stats", "dehusk.text"),
    "certification": ("dehusk.core", "dehusk.stats", "dehusk.text"),
}
CORE_INSTALL = {
    "polars",
    "numpy",
    "jinja2",
    "rich",
    "cyclopts",
    "markupsafe",
    "dehusk",
}  # markupsafe is a part of jinja2


def layer_faults(package):
    """Sentences naming each import that points up, sideways, or where its package must not look."""
    found = []
    for name, path, tree in modules(package):
        if name == "dehusk":
            continue  # the public surface may look everywhere, and nothing may look at it
        own = name.split(".")[1]
        if own not in ROW_OF:
            found.append(f"{name}: package {own} has no row")
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            for target in targets(name, path.stem == "__init__", node):
                parts = target.split(".")
                if parts[0] != "dehusk" or (len(parts) > 1 and parts[1] == own):
                    continue
                asked = parts[1] if len(parts) > 1 else ""
                below = ROW_OF.get(asked, len(ROWS)) < ROW_OF[own]
                allowed = any(f"{target}.".startswith(f"{prefix}.") for prefix in ONLY.get(own, ("dehusk",)))
                if not (below and allowed):
                    found.append(f"{name}:{node.lineno} imports {target}")
    return found


def heavy_faults(package):
    """Sentences naming each module that, merely imported, loads more than the core install has."""
    return [
        f"{name}:{node.lineno} imports {target}"
        for name, path, tree in modules(package)
        for node in at_import(tree)
        for target in targets(name, path.stem == "__init__", node)
        if target.split(".")[0] not in CORE_INSTALL | sys.stdlib_module_names
    ]


def test_imports_point_down():
    assert not layer_faults(PACKAGE)


def test_heavy_libraries_are_imported_inside_functions():
    assert not heavy_faults(PACKAGE)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("core/a.py", "from dehusk.io import reading"),
        ("io/a.py", "import dehusk.text.canonical"),
        ("io/a.py", "from dehusk import text"),
        ("io/a.py", "from ..text import canonical"),
        ("stats/a.py", "from dehusk.core.tables import Pairs"),
        ("probes/data/a.py", "from dehusk.features.measuring import measure"),
        ("report/a.py", "from dehusk.stats.effects import wilson"),
        ("features/a.py", "def late():\n    import dehusk.probes"),
        ("features/a.py", "import dehusk"),
        ("novelty/a.py", "from dehusk.core import run"),
        ("core/__init__.py", "from ..cli import main"),
    ],
)
def test_a_forbidden_import_is_caught(tmp_path, path, line):
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(line, "utf-8")
    assert len(layer_faults(tmp_path)) == 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("io/a.py", "from dehusk.core.tables import Pairs"),
        ("io/layouts/a.py", "from dehusk.io.reading import rows"),
        ("io/a.py", "from . import reading"),
        ("stats/a.py", "from dehusk.core.errors import NotEnoughData"),
        ("probes/data/a.py", "from dehusk.text import canonical"),
        ("cli/a.py", "from dehusk import workflow"),
        ("__init__.py", "from dehusk.workflow import audit"),
        ("rewards/a.py", "def load():\n    import torch"),
    ],
)
def test_an_allowed_import_is_left_alone(tmp_path, path, line):
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(line, "utf-8")
    assert not layer_faults(tmp_path)
    assert not heavy_faults(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "import torch",
        "if True:\n    from scipy import stats",
        "try:\n    import ray\nexcept ImportError:\n    ray = None",
    ],
)
def test_a_heavy_import_is_caught(tmp_path, line):
    (tmp_path / "a.py").write_text(line, "utf-8")
    assert len(heavy_faults(tmp_path)) == 1
