"""The public surface is what `dehusk.__all__` says, no more and no less."""

import __future__

import dataclasses
import inspect
import pkgutil
import types

import pytest

import dehusk
from dehusk.cli import verbs

VERBS = ("adjust", "audit", "certify", "compare", "convert", "fit", "repair", "score", "validate")


def test_all_names_everything_visible_in_order():
    visible = {
        name
        for name, value in vars(dehusk).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType | __future__._Feature)
    }
    assert list(dehusk.__all__) == sorted(dehusk.__all__)
    assert visible <= set(dehusk.__all__)


def test_every_name_resolves_and_is_documented():
    assert dehusk.__all__
    for name in dehusk.__all__:
        thing = getattr(dehusk, name)
        assert getattr(thing, "__doc__", None), name


def test_the_verbs_are_there():
    for name in VERBS:
        assert name in dehusk.__all__
        assert callable(getattr(dehusk, name)), f"{name} is hidden by the package of that name"


def test_no_public_name_is_the_name_of_a_package():
    """Importing `dehusk.NAME` would put the package in the function's place."""
    packages = {module.name for module in pkgutil.iter_modules(dehusk.__path__)}
    assert not packages & set(dehusk.__all__)


def test_every_verb_of_the_command_line_is_a_function_too():
    aside = {"demo", "list", "models"}  # they print, or fetch
    assert {verb.name for verb in verbs.VERBS} - aside == set(VERBS)


@pytest.mark.parametrize("name", VERBS)
def test_every_keyword_of_a_function_is_an_option_of_its_verb(name):
    config = next(verb.config for verb in verbs.VERBS if verb.name == name)
    named = [one.name for one in inspect.signature(getattr(dehusk, name)).parameters.values()]
    assert set(named) - {"options"} <= {field.name for field in dataclasses.fields(config)}
