"""An audit as one self-contained HTML page: no network, no need of JavaScript, at most one megabyte."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from dehusk.core.findings import STAGES, VERDICTS, Audit, Evidence, Finding
from dehusk.core.messages import Text, catalogue, clause, label, say, visible
from dehusk.report import wording
from dehusk.report.charts import FOREST_ROWS, forests, stage_chart
from dehusk.report.curves import curve_charts
from dehusk.report.details import details_of
from dehusk.report.excerpts import excerpts
from dehusk.report.story import SERIOUS, by_stage, ranked, skipped_by_need, subject, three_sentences
from dehusk.report.trace_view import trace_view

MOST_BYTES = 1_000_000
_LONGEST = 1_500  # characters of any one string that is not evidence
_NAME = 160  # characters of a name


@dataclass(frozen=True)
class Budget:
    """How much of an audit one attempt at the page shows."""

    excerpt: int  # characters of each field of a piece of evidence; 0 leaves evidence out
    rows: int  # of every table
    serious: int  # cards of every probe for what fails or warns
    informing: int  # cards of every probe for what informs; the rest is in a table


_BUDGETS = (
    Budget(900, 600, 60, 12),
    Budget(420, 600, 60, 12),
    Budget(200, 600, 40, 6),
    Budget(120, 300, 16, 3),
    Budget(0, 100, 6, 0),
)


def to_html(audit: Audit, lang: str = "en") -> str:
    """Render the page in `lang`; evidence is cut first, then rows, until it fits `MOST_BYTES`, and the page says so."""
    page = ""
    for budget in _BUDGETS:
        page = _page(audit, lang, budget)
        if len(page.encode()) <= MOST_BYTES:
            break
    return page


def _page(audit: Audit, lang: str, budget: Budget) -> str:
    script, style = _asset("page.js"), _asset("style.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    anchors = {id(finding): f"f{place}" for place, finding in enumerate(audit.findings, 1)}
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            audit=audit,
            lang=lang,
            budget=budget,
            cut=budget is not _BUDGETS[0],
            style=style,
            script=script,
            script_hash=f"sha256-{digest}",
            sentences=three_sentences(audit),
            trace=trace_view(audit.trace, lang, budget.rows),
            stages=by_stage(audit.findings),
            anchor=lambda finding: anchors[id(finding)],
            first_about={one.feature: anchors[id(one)] for one in reversed(ranked(audit.findings))},
            evidence=Shelf(audit.evidence),
            verdicts=VERDICTS[::-1],
            pipeline=STAGES,
            skipped=skipped_by_need(audit.skipped),
            **_words(lang),
        )
    )


def _words(lang: str) -> dict[str, Any]:
    """The functions of the template that depend on the language."""
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
        "label": lambda name: wording.one_line(label(name, lang), _NAME),
        "probe_title": lambda name: wording.probe_title(name, lang),
        "probe_reading": lambda name: wording.probe_reading(name, lang),
        "curve_name": lambda name: wording.curve_name(name, lang),
        "subject": lambda finding: wording.one_line(subject(finding, lang), _NAME),
        "details_of": lambda finding: details_of(finding, lang),
    }


def _with_cards(told: list[Finding], budget: Budget) -> int:
    """How many of a probe's findings, the most serious first, are shown as cards."""
    serious = sum(finding.verdict in SERIOUS for finding in told)
    return min(serious, budget.serious) if serious > budget.serious else min(len(told), serious + budget.informing)


class Shelf:
    """The evidence by id; each piece is shown in full once and linked to afterwards."""

    def __init__(self, evidence: tuple[Evidence, ...]) -> None:
        """Keep the evidence with an anchor for each piece."""
        self._pieces = {piece.id: (piece, f"e{place}") for place, piece in enumerate(evidence, 1)}
        self._shown: set[str] = set()

    def of(self, finding: Finding) -> list[tuple[Evidence, str, bool]]:
        """The pieces behind a finding that exist: the piece, its anchor, whether it was shown before."""
        return list(self._take(finding))

    def _take(self, finding: Finding) -> Iterator[tuple[Evidence, str, bool]]:
        for name in dict.fromkeys(finding.evidence):
            if name in self._pieces:
                yield *self._pieces[name], name in self._shown
                self._shown.add(name)


def _written(value: Any) -> str:
    """An option of the run as it could be written in a file."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _asset(name: str) -> str:
    return resources.files("dehusk.report").joinpath("page", name).read_text("utf-8")


def _template(name: str) -> str:
    """A template without its indentation, which is for its writers and a tenth of the page."""
    return re.sub(r"^[ \t]+", "", _asset(name), flags=re.MULTILINE)


@cache
def _environment() -> Environment:
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
        excerpts=excerpts,
        forests=forests,
        stage_chart=stage_chart,
        curve_charts=curve_charts,
        forest_rows=FOREST_ROWS,
        one_line=wording.one_line,
        tick=wording.tick,
        with_cards=_with_cards,
        written=_written,
    )
    environment.filters["trusted"] = Markup
    return environment
