"""Modules under 300 lines, functions under 50 (docstrings not counted)."""

import ast

from source import PACKAGE, modules

MODULE_LINES, FUNCTION_LINES = 300, 50


def size_faults(package):
    """Sentences naming each module and function that is too long."""
    found = []
    for name, path, tree in modules(package):
        lines = len(path.read_text("utf-8").splitlines())
        if lines >= MODULE_LINES:
            found.append(f"{name} has {lines} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = node.end_lineno - node.lineno + 1
                if ast.get_docstring(node) is not None:
                    lines -= node.body[0].end_lineno - node.body[0].lineno + 1
                if lines >= FUNCTION_LINES:
                    found.append(f"{name}.{node.name} has {lines} lines")
    return found


def test_nothing_is_too_long():
    assert not size_faults(PACKAGE)


def test_what_is_too_long_is_caught(tmp_path):
    (tmp_path / "long.py").write_text("x = 1\n" * 300)
    (tmp_path / "deep.py").write_text("def f():\n" + "    x = 1\n" * 49)
    (tmp_path / "told.py").write_text('def f():\n    """Say.\n' + "\n" * 40 + '    """\n' + "    x = 1\n" * 20)
    assert size_faults(tmp_path) == ["dehusk.deep.f has 50 lines", "dehusk.long has 300 lines"]
