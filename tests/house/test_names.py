"""Everything public is documented, and no module has a name that says nothing."""

import ast

import pytest
from source import PACKAGE, modules

EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc", "manager"}


def promised(package):
    """Names of the methods that a protocol of the package documents: whoever implements them need not repeat it."""
    protocols = [
        node
        for _, _, tree in modules(package)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).startswith("Protocol") for base in node.bases)
    ]
    return {
        child.name
        for protocol in protocols
        for child in protocol.body
        if isinstance(child, ast.FunctionDef) and ast.get_docstring(child)
    }


def undocumented(package):
    """Dotted names of public modules, classes, functions and methods without a docstring."""
    found, known = [], promised(package)
    for name, _, tree in modules(package):
        pending = [(name, tree)]
        while pending:
            where, node = pending.pop()
            if ast.get_docstring(node) is None:
                found.append(where)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue  # what is inside a function is nobody else's business
            pending += [
                (f"{where}.{child.name}", child)
                for child in node.body
                if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                and not child.name.startswith("_")
                and not (isinstance(node, ast.ClassDef) and child.name in known and not ast.get_docstring(child))
            ]
    return sorted(found)


def test_everything_public_is_documented():
    assert not undocumented(PACKAGE)


def test_a_missing_docstring_is_caught(tmp_path):
    (tmp_path / "a.py").write_text(
        '"""Doc."""\nclass A:\n    """Doc."""\n    def f(self): ...\n    def _g(self): ...\n'
    )
    (tmp_path / "b.py").write_text("def f():\n    '''Doc.'''\n    def inner(): ...\n")
    assert undocumented(tmp_path) == ["dehusk.a.A.f", "dehusk.b"]


def test_module_names_say_something():
    names = {part.strip("_") for name, _, _ in modules() for part in name.split(".")}
    assert not names & EMPTY_NAMES


@pytest.mark.parametrize("banned", ["debias", "unbias", "unbiased", "smart", "fair"])
def test_nothing_is_named_after_a_promise(banned):
    names = {
        node.name
        for _, _, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    }
    assert not [name for name in names if banned in name.lower().split("_")]
