"""Every word the templates ask for exists in both languages; features and units have words."""

from __future__ import annotations

import re
import tomllib
from importlib import resources

import pytest

from dehusk.features import declared

ASKED = re.compile(r"\bt\(\"([a-z_.]+)\"")
HAN = re.compile("[\u4e00-\u9fff]")


def words(lang):
    file = resources.files("dehusk.core").joinpath("texts", lang, "report.toml")
    found = {}

    def flatten(prefix, tree):
        for key, value in tree.items():
            if isinstance(value, dict):
                flatten(f"{prefix}{key}.", value)
            else:
                found[f"{prefix}{key}"] = value

    flatten("", tomllib.loads(file.read_text("utf-8")))
    return found


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_templates_ask_for_words_that_exist(lang):
    page = resources.files("dehusk.report").joinpath("page")
    asked = {
        key for file in page.iterdir() if file.name.endswith(".j2") for key in ASKED.findall(file.read_text("utf-8"))
    }
    assert len(asked) > 30
    assert not asked - set(words(lang))


def test_chinese_words_are_chinese():
    english, chinese = words("en"), words("zh")
    terms = {"prompt", "chosen", "rejected", "AUC", "zh-Hans", "#"}  # what a Chinese engineer writes in Latin letters
    assert not [key for key, said in chinese.items() if said == english[key] and said not in terms]
    assert not [key for key, said in chinese.items() if not HAN.search(said) and said not in {*terms, *"，、；："}]
    half_width = re.compile("[\u4e00-\u9fff][,:;()]|[,:;(][\u4e00-\u9fff]")
    assert not [key for key, said in chinese.items() if half_width.search(re.sub(r"\{[^}]*\}", "", said))]


def test_every_unit_and_family_of_a_feature_has_a_word():
    known = words("en")
    assert not {feature.unit for feature in declared()} - {key[5:] for key in known if key.startswith("unit.")}
    assert not {feature.family for feature in declared()} - {key[7:] for key in known if key.startswith("family.")}
