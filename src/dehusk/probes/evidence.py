"""The texts behind a finding: the most telling examples, and the counter-examples."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl

from dehusk.core.findings import Evidence, Finding
from dehusk.core.tables import Floats, Ints, Measures, Pairs, Responses

SHOWN = 3  # examples, and as many counter-examples
EXCERPT = 420  # characters of a text that are kept
LEAD = 120  # of them before the first span
_MARKS = re.compile("[\ufdd0-\ufdd2]")  # code points that Unicode promises never to use


def attach(
    findings: Iterable[Finding], measures: Measures, *, pairs: Pairs | None = None, responses: Responses | None = None
) -> tuple[list[Finding], list[Evidence]]:
    """Give every finding about a feature its examples and counter-examples.

    Findings that pass are left alone: nobody asks for proof of nothing.

    Returns:
        The findings with evidence ids, and the evidence, each text once.
    """
    known = {feature.name for feature in measures.features}
    ratios = None if pairs is None else _length_ratios(pairs)
    lengths = None if responses is None else responses.frame["response"].str.len_chars().to_numpy().astype(np.float64)

    @cache
    def texts(stage: str, feature: str, direction: int) -> tuple[Evidence, ...]:
        if stage == "data" and pairs is not None and ratios is not None:
            return tuple(_from_pairs(feature, direction, pairs, measures, ratios))
        if stage == "policy" and responses is not None and lengths is not None:
            return tuple(_from_responses(feature, direction, responses, measures, lengths))
        return ()

    store: dict[str, Evidence] = {}
    done = []
    for finding in findings:
        estimate = finding.estimate
        found: tuple[Evidence, ...] = ()
        if finding.feature in known and estimate is not None and finding.verdict != "pass":
            found = texts(finding.stage, finding.feature, 1 if estimate.value >= estimate.nothing else -1)
        store.update((item.id, item) for item in found)
        done.append(replace(finding, evidence=tuple(item.id for item in found)))
    return done, list(store.values())


def _length_ratios(pairs: Pairs) -> Floats:
    """How unlike in length the two answers of each pair are: |log ratio| of their characters, shape (n,)."""
    ratio = (pl.col("chosen").str.len_chars() + 1) / (pl.col("rejected").str.len_chars() + 1)
    return pairs.frame.select(ratio.log().abs()).to_series().to_numpy()


def _from_pairs(feature: str, direction: int, pairs: Pairs, measures: Measures, ratios: Floats) -> Iterator[Evidence]:
    difference = measures.all_values("chosen", feature) - measures.all_values("rejected", feature)
    for role, sign in (("example", direction), ("counter", -direction)):
        for index in _telling(sign * difference, ratios):
            row = pairs.frame.row(index, named=True)
            fields = {name: str(row[name]) for name in ("prompt", "chosen", "rejected")}
            yield _evidence(
                f"pairs:{row['pair_id']}:{feature}:{role}", role, row["row"], fields, measures, feature, None
            )


def _from_responses(
    feature: str, direction: int, responses: Responses, measures: Measures, lengths: Floats
) -> Iterator[Evidence]:
    values = measures.all_values("response", feature)
    first, last = responses.stages[0], responses.stages[-1]
    for role, stage in (("example", last if direction > 0 else first), ("counter", first if direction > 0 else last)):
        rows = responses.at(stage)
        for index in rows[_telling(values[rows], lengths[rows])].tolist():
            row = responses.frame.row(index, named=True)
            fields = {name: str(row[name]) for name in ("prompt", "response")}
            key = f"responses:{row['response_id']}:{feature}:{role}"
            yield _evidence(key, role, row["row"], fields, measures, feature, stage)


def _telling(strength: Floats, length: Floats) -> list[int]:
    """Rows where the feature is strong and little else is: among the strongest tenth, the smallest `length`."""
    present: Ints = np.flatnonzero(strength > 0)
    if not present.size:
        return []
    strong = present[strength[present] >= np.quantile(strength[present], 0.9)]
    order: list[int] = strong[np.argsort(length[strong], kind="stable")][:SHOWN].tolist()
    return order


def _evidence(
    key: str, role: str, row: int, fields: dict[str, str], measures: Measures, feature: str, stage: str | None
) -> Evidence:
    pattern = measures[feature].highlight
    texts: dict[str, str] = {}
    spans: dict[str, tuple[tuple[int, int], ...]] = {}
    for name, text in fields.items():
        texts[name], spans[name] = excerpt(text, None if name == "prompt" else pattern)
    return Evidence(key, role, row, texts, spans, stage)


def excerpt(text: str, pattern: str | None) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Part of a text around what matters, and where in that part it matters.

    >>> excerpt("a - b", "-")
    ('a - b', ((2, 3),))
    """
    found = spans_of(text, pattern) if pattern else []
    start = max(0, found[0][0] - LEAD) if found and found[0][1] > EXCERPT - 1 else 0
    stop = start + EXCERPT
    head, tail = "… " if start else "", " …" if stop < len(text) else ""
    shift = len(head) - start
    kept = tuple((low + shift, min(high, stop) + shift) for low, high in found if start <= low < stop)
    return head + text[start:stop] + tail, kept


def spans_of(text: str, pattern: str) -> list[tuple[int, int]]:
    r"""Where a pattern matches; where it has a group, the group is the span, and nothing is where it stays empty.

    Polars looks, because its time grows with the text and nothing else: Python's `re` can be kept busy for hours by one
    line of brackets. It replaces but does not locate, so each match is set between marks that no text can have.

    >>> spans_of("`- a`\n- b", r"`[^`]*`|(?m:^)(- )")
    [(6, 8)]
    """
    grouped = re.compile(pattern).groups > 0
    clean = _MARKS.sub("\ufffd", text)
    marked = pl.select(pl.lit(clean).str.replace_all(pattern, "\ufdd0${0}\ufdd1${1}\ufdd2")).item()
    found, place = [], 0
    for before, whole, group in zip(*[iter(_MARKS.split(marked))] * 3, strict=False):
        place += len(before)
        start = place + (whole.find(group) if grouped else 0)
        end = start + len(group if grouped else whole)
        found += [(start, end)] if end > start else []
        place += len(whole)
    return found
