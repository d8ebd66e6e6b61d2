"""What every page is made in: style, script, policy, words and the escape of all that is shown."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache, partial
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from dehusk.core.messages import Text, catalogue, clause, label, say, visible
from dehusk.report import wording
from dehusk.report.curves import curve_charts

_LONGEST = 1_500  # characters of any one string that is not evidence
NAME = 160  # characters of a name


def shell(lang: str) -> dict[str, Any]:
    """What `shell.html.j2`, and with it every page, asks for: language, style, script and its hash, words."""
    script = _asset("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    style = _asset("style.css")
    return {"lang": lang, "style": style, "script": script, "script_hash": f"sha256-{digest}", **_words(lang)}


def _words(lang: str) -> dict[str, Any]:
    """The functions of a template that depend on the language."""
    words = catalogue(lang)

    def t(key: str, **values: Any) -> str:
        return say(f"report.{key}", **values).render(lang)

    def about(name: str, otherwise: str) -> str:
        return words.get(f"features.{name}.about") or wording.word_or_itself(otherwise, lang)

    return {
        "t": t,
        "about": about,
        "said": lambda text: text.render(lang) if isinstance(text, Text) else text,
        "word": lambda area, name: wording.word(area, name, lang),
        "method_words": lambda method: clause("method", method, lang),
        "unit_word": lambda unit, signed: wording.unit_word(unit, lang, signed=signed),
        "label": lambda name: wording.one_line(label(name, lang), NAME),
        "probe_title": lambda name: wording.probe_title(name, lang),
        "probe_reading": lambda name: wording.probe_reading(name, lang),
        "curve_name": lambda name: wording.curve_name(name, lang),
    }


def _asset(name: str) -> str:
    return resources.files("dehusk.report").joinpath("page", name).read_text("utf-8")


def _template(name: str) -> str:
    """A template without its indentation, which is for its writers and a tenth of the page."""
    return re.sub(r"^[ \t]+", "", _asset(name), flags=re.MULTILINE)


@cache
def environment() -> Environment:
    """Where templates are found, what they may call, and the escape that everything they print goes through."""

    def finalize(value: Any) -> Any:
        """Last step of everything the template prints: nothing hostile or endless gets past it."""
        if isinstance(value, Markup) or not isinstance(value, str):
            return value
        return wording.shorten(visible(value), _LONGEST)

    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
    )
    environment.globals.update(
        number=wording.number,
        signed_number=partial(wording.number, signed=True),
        interval=wording.interval,
        chance=wording.chance,
        decided=wording.decided,
        is_change=wording.is_change,
        curve_charts=curve_charts,
        one_line=wording.one_line,
        tick=wording.tick,
    )
    environment.filters["trusted"] = Markup
    return environment
