"""The public surface is what `dehusk.__all__` says, no more and no less."""

import __future__

import types

import dehusk


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
    for name in ("audit", "read_pairs"):
        assert name in dehusk.__all__
        assert callable(getattr(dehusk, name)), f"{name} is hidden by the package of that name"
