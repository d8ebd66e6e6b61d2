"""The catalogue of sentences: the same in both languages, nothing missing, nothing left over."""

import ast
import re
import string

from source import PACKAGE, modules

import dehusk.workflow  # noqa: F401 - fills the tables
from dehusk.core.kinds import (
    adjustments,
    combinations,
    edits,
    feature_functions,
    layouts,
    objectives,
    probes,
    repairs,
    reward_models,
)
from dehusk.core.messages import catalogue
from dehusk.features import declared

SAY = {"say", "Text"}  # calls whose first argument is a key
QUOTED = re.compile(r"""["']([a-z][a-z0-9_.]*)["']""")


def fields(sentence):
    """Names of the format fields of a sentence."""
    return {
        name.split(".")[0].split("[")[0] for _, name, _, _ in string.Formatter().parse(sentence) if name is not None
    }


def pattern(node):
    """What an f-string can become, as a regular expression; None if any key of some area would fit."""
    parts = [re.escape(part.value) if isinstance(part, ast.Constant) else "[a-z0-9_.]+" for part in node.values]
    fixed = "".join(part.value for part in node.values if isinstance(part, ast.Constant))
    return None if fixed.count(".") < 1 or re.fullmatch(r"\w*\.+", fixed) else "".join(parts)


def constants(node):
    """Strings an expression may be, those inside f-strings and other calls left out."""
    if isinstance(node, ast.JoinedStr | ast.Call):
        return []
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    return [value for child in ast.iter_child_nodes(node) for value in constants(child)]


def said():
    """(place, key) of each literal key, and (place, expression) of the keys put together at run time."""
    literal, composed = [], []
    for name, _, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) in SAY and node.args:
                keys = [key for key in constants(node.args[0]) if re.fullmatch(r"[a-z]\w*(\.\w+)+", key)]
                literal += [(f"{name}:{node.lineno}", key) for key in keys]
            if isinstance(node, ast.JoinedStr) and (expression := pattern(node)):
                composed.append((f"{name}:{node.lineno}", expression))
    return literal, composed


def quoted():
    """Every quoted word or dotted name in modules and page templates."""
    files = [path for suffix in ("*.py", "*.j2") for path in PACKAGE.rglob(suffix)]
    return {match for path in files for match in QUOTED.findall(path.read_text("utf-8"))}


def test_the_languages_have_the_same_keys():
    chinese = set(catalogue("zh"))
    assert translated_docstrings() <= chinese
    assert set(catalogue("en")) == chinese - translated_docstrings()


def translated_docstrings():
    """Keys that Chinese alone has: what a feature, layout or probe means is told in English by its docstring."""
    tables = {
        "features": feature_functions,
        "layouts": layouts,
        "probes": probes,
        "edits": edits,
        "reward_models": reward_models,
        "repairs": repairs,
        "objectives": objectives,
        "combinations": combinations,
        "adjustments": adjustments,
    }
    return {f"{name}.{entry.name}.about" for name, table in tables.items() for entry in table}


def test_the_languages_mention_the_same_values():
    english, chinese = catalogue("en"), catalogue("zh")
    assert not [key for key in english if fields(english[key]) != fields(chinese.get(key, ""))]


def test_fields_are_read_with_their_formats():
    assert fields("{rate:.1%} of {n:,}, {0}, {{not}} {feature.name}") == {"rate", "n", "0", "feature"}


def test_every_key_that_is_said_exists():
    literal, _ = said()
    missing = [(place, key) for place, key in literal if key not in catalogue("en")]
    assert not missing


def test_every_key_put_together_at_run_time_can_exist():
    areas = {key.split(".")[0] for key in catalogue("en")}
    _, composed = said()
    missing = [
        (place, expression)
        for place, expression in composed
        if re.split(r"\W", expression)[0] in areas and not any(re.fullmatch(expression, key) for key in catalogue("zh"))
    ]
    assert not missing


def test_every_sentence_is_said_somewhere():
    literal, composed = said()
    keys = {key for _, key in literal}
    expressions = re.compile("|".join(f"(?:{expression})" for _, expression in composed) or r"(?!)")
    words = quoted()
    known = {f"features.{feature.name}.label" for feature in declared()}
    left_over = []
    for key in catalogue("en"):
        area, _, rest = key.partition(".")
        # the page asks for `t("nav.label")` and `word("unit", name)` inside the area "report"
        asked = rest in words or (area == "report" and rest.split(".")[0] in words and "." in rest)
        if not (key in keys or key in words or key in known or asked or expressions.fullmatch(key)):
            left_over.append(key)
    assert not left_over
