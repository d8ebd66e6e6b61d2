"""Numbers, units and names in words a reader of the report can use; hostile characters made visible."""

from __future__ import annotations

import math
import re
from numbers import Real

from dehusk.core.findings import Estimate, Finding
from dehusk.core.messages import catalogue, label, visible

ABSENT = "—"
_PERCENT = frozenset({"presence", "share", "rate", "probability", "accuracy", "fraction", "coverage"})
_SIGNED = frozenset(
    {"difference", "gap", "correlation", "shift", "change", "lift", "gain", "sd", "log", "odds", "nats", "excess"}
)
_HALF = frozenset({"auc", "accuracy", "pairs", "win"})  # a rule that guesses is right half the time
# Probes whose estimates are differences in the unit of the feature, so that the unit alone does not say so.
_CHANGES = frozenset(
    {
        *("data.catchphrases", "policy.amplification", "policy.diversity", "policy.hygiene", "policy.provenance"),
        *("selection.best_of_n", "forecast.amplification"),
    }
)


def one_line(text: str, longest: int = 400) -> str:
    """The text as one visible line of at most `longest` characters."""
    return shorten(" ".join(visible(text).split()), longest)


def shorten(text: str, longest: int) -> str:
    """Cut at the end, with an ellipsis."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def words_of(unit: str) -> frozenset[str]:
    """The lower-case words of a unit."""
    return frozenset(re.findall(r"[a-z]+", unit.lower()))


def is_percent(unit: str) -> bool:
    """Whether values in this unit are parts of one."""
    return bool(words_of(unit) & _PERCENT)


def is_signed(unit: str) -> bool:
    """Whether values in this unit are differences, whose sign is always shown."""
    words = words_of(unit)
    return bool(words & _SIGNED) and "ratio" not in words


def is_change(finding: Finding, unit: str) -> bool:
    """Whether a finding's estimates in this unit are differences, so that their sign is shown."""
    return unit != "rate" and (finding.probe in _CHANGES or is_signed(unit))


def reference_of(unit: str, *, signed: bool = False) -> float | None:
    """The value that means "nothing": 0 for differences, one half for a rule that guesses, 1 for ratios.

    >>> reference_of("win-rate shift"), reference_of("share of pairs"), reference_of("AUC"), reference_of("words")
    (0.0, 0.5, 0.5, None)
    """
    words = words_of(unit)
    if "ratio" in words:
        return 1.0
    if signed or is_signed(unit):
        return 0.0
    return 0.5 if words & _HALF else None


def number(value: float | None, unit: str = "", *, signed: bool | None = None) -> str:
    """A value with the digits a reader needs.

    Args:
        value: The number; None and what is not finite are shown as such.
        unit: Decides percent and sign.
        signed: Overrides what the unit says about showing a plus sign; signed shares are percentage points.

    >>> number(0.0512, "share"), number(-0.0512, "share difference"), number(1234.5, "characters")
    ('5.1%', '−5.1 pp', '1,234')
    """
    if value is None or math.isnan(value):
        return ABSENT
    signed = is_signed(unit) if signed is None else signed
    sign = "−" if value < 0 else "+" if signed and value > 0 else ""
    size = abs(value)
    if math.isinf(size):
        return f"{sign}∞"
    if is_percent(unit):
        return f"{sign}{100 * size:.{2 if 0 < size < 0.001 else 1}f}{' pp' if signed else '%'}"
    if size >= 100 or size == int(size):
        return f"{sign}{size:,.0f}"
    if size < 0.0005:
        return f"{sign}{size:.1e}"
    return f"{sign}{size:.{1 if size >= 10 else 2 if size >= 0.1 else 3}f}"


def tick(value: float, unit: str, *, signed: bool | None = None) -> str:
    """A round number on an axis.

    >>> tick(0.1, "share"), tick(0.0, "share", signed=True)
    ('10%', '0 pp')
    """
    return re.sub(r"\.0+(?=\D|$)", "", number(value, unit, signed=signed))


def interval(estimate: Estimate, *, signed: bool | None = None) -> str:
    """The interval in brackets, units left to the value beside it.

    >>> interval(Estimate(0.1, 0.05, 0.15, 100, "share", "Wilson"))
    '[5.0, 15.0]'
    """
    ends = (number(end, estimate.unit, signed=signed) for end in (estimate.low, estimate.high))
    return f"[{', '.join(end.removesuffix('%').removesuffix(' pp') for end in ends)}]"


def chance(name: str, value: float | None) -> str:
    """A p- or q-value, e.g. `q < 0.001`, that no line break splits."""
    if value is None or math.isnan(value):
        return ""
    return f"{name}\u00a0<\u00a00.001" if value < 0.001 else f"{name}\u00a0=\u00a0{value:.3f}"


def decided(estimate: Estimate, *, signed: bool = False) -> bool:
    """Whether the interval leaves out what would mean "nothing"."""
    reference = reference_of(estimate.unit, signed=signed) or 0.0
    low, high = finite(estimate.low), finite(estimate.high)
    return (low is not None and low > reference) or (high is not None and high < reference)


def finite(value: object) -> float | None:
    """The value as a float, or None when it is not a finite number (JSON has null for those)."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    return float(value) if math.isfinite(value) else None


def word(area: str, name: str, lang: str) -> str:
    """The report's word for a name (a unit, a family, a key of `details`); unknown names are spelled out.

    >>> word("verdict", "fail", "en"), word("detail", "my_own_key", "en")
    ('fail', 'my own key')
    """
    return catalogue(lang).get(f"report.{area}.{name}", name.replace("_", " "))


def curve_name(name: str, lang: str) -> str:
    """What a curve is of: the report's word for it, an edit's or a feature's label, or a model's own name."""
    known = catalogue(lang)
    if f"report.curve.{name}" in known:
        return word("curve", name, lang)
    return known.get(f"edits.{name}.label") or label(name, lang)


def word_or_itself(value: str, lang: str) -> str:
    """The report's word for a value it knows, such as `opening`; anything else is the user's own text."""
    return catalogue(lang).get(f"report.value.{value}", value)


def unit_word(unit: str, lang: str, *, signed: bool = False) -> str:
    """The unit in words; a difference of shares is in percentage points."""
    points = signed and is_percent(unit) and not is_signed(unit)
    said = word("unit", unit, lang)
    return catalogue(lang)["report.unit.points"].format(unit=said) if points else said


def probe_title(probe: str, lang: str) -> str:
    """A heading for a probe; its name when the catalogue has no words for it."""
    return catalogue(lang).get(f"report.probe.{probe}.title", probe)


def probe_reading(probe: str, lang: str) -> str:
    """One line on how to read a probe's findings."""
    words = catalogue(lang)
    return words.get(f"report.probe.{probe}.read", words["report.probe.any.read"])
