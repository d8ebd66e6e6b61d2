"""What `dehusk adjust` prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import numpy as np
from rich.console import Console
from rich.table import Table

from dehusk.core.findings import Estimate
from dehusk.core.messages import Text, label, say, visible
from dehusk.core.options import AdjustConfig
from dehusk.workflow import Adjustment

_SHOWN = 5  # features that all members share, at most
_SURE = 0.05


def deliver_adjustment(result: Adjustment, config: AdjustConfig) -> None:
    """Print what was made and what it changed; on standard error, how to use it."""
    if config.format == "json":
        sys.stdout.write(json.dumps(result.as_dict(), ensure_ascii=False, allow_nan=False, indent=1) + "\n")
    else:
        _show(result, config.lang)
    sys.stdout.flush()
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    errors.print(visible(say("adjust.opened", spec=result.spec).render(config.lang)))


def _show(result: Adjustment, lang: str) -> None:
    console = Console(highlight=False, markup=False)
    title = say("adjust.title", method=result.method, before=result.before, pairs=result.pairs, prompts=result.prompts)
    console.print(visible(title.render(lang)), soft_wrap=True)
    console.print(_table(result, lang))
    for sentence in (*_elsewhere(result), *_diversity(result), *result.notes):
        console.print(visible(sentence.render(lang)), soft_wrap=True)


def _table(result: Adjustment, lang: str) -> Table:
    table = Table()
    table.add_column(say("adjust.column.reading").render(lang), overflow="fold")
    for key in ("before", "after", "change"):
        table.add_column(say(f"adjust.column.{key}").render(lang), justify="right")
    known = result.accuracy
    shares = (
        _cell(known.before, "{:.1f}", 100),
        _cell(known.after, "{:.1f}", 100),
        _cell(known.change, "{:+.1f}", 100),
    )
    table.add_row(say("adjust.accuracy").render(lang), *shares)
    for reading in (*result.targets, *([result.elsewhere] if result.elsewhere is not None else [])):
        cells = (_cell(one, "{:+.2f}") for one in (reading.before, reading.after, reading.change))
        table.add_row(visible(label(reading.name, lang)), *cells)
    return table


def _cell(estimate: Estimate | None, form: str, times: float = 1.0) -> str:
    if estimate is None:
        return "—"
    value, low, high = (form.format(times * number) for number in (estimate.value, estimate.low, estimate.high))
    return f"{value}\n[{low}, {high}]"  # two lines fit a narrow terminal


def _elsewhere(result: Adjustment) -> list[Text]:
    other = result.elsewhere
    if other is None or other.change is None:
        return []
    key = "adjust.elsewhere_sure" if result.elsewhere_sure else "adjust.elsewhere_unsure"
    return [say(key, feature=other.name, change=other.change.value)]


def _diversity(result: Adjustment) -> Iterator[Text]:
    """How the members differ, and what all of them share."""
    found = result.diversity
    if found is None:
        return
    shares = zip(result.members, found.accuracy.tolist(), strict=True)
    yield say("adjust.members", each=", ".join(f"{name} {share:.1%}" for name, share in shares))
    means = {name: getattr(found, name).mean for name in ("margins", "errors")}
    yield say("adjust.diverse", **{k: f"{mean.value:+.2f}" if mean else "—" for k, mean in means.items()})
    tested = max(1, int(np.isfinite(found.together.value).sum()))
    shared = [k for k in np.argsort(-np.abs(np.nan_to_num(found.together.value))) if found.shared_p[k] * tested < _SURE]
    for k in shared[:_SHOWN]:
        way = say("adjust.way_pay" if found.together.value[k] > 0 else "adjust.way_punish")
        yield say("adjust.shared", feature=result.features[k], way=way)
    if len(shared) > _SHOWN:
        yield say("adjust.more", count=len(shared) - _SHOWN)
    for name in (reading.name for reading in result.targets):
        k = result.features.index(name)
        if k not in shared:
            opposed = found.opposed_p[k] < _SURE
            yield say(f"adjust.{'opposed' if opposed else 'undecided'}", feature=name, share=float(found.agreement[k]))
