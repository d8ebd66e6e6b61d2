"""What `dehusk fit` prints."""

from __future__ import annotations

import json
import sys

from rich.console import Console
from rich.table import Table

from dehusk.core.messages import say, visible
from dehusk.core.options import FitConfig
from dehusk.workflow import Fit


def deliver_fit(result: Fit, config: FitConfig) -> None:
    """Print what was fitted and what was read on held-out pairs, then say where everything is."""
    if config.format == "json":
        sys.stdout.write(json.dumps(result.as_dict(), ensure_ascii=False, allow_nan=False, indent=1) + "\n")
    else:
        _show(result, config)
    sys.stdout.flush()
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    for model in result.models:
        errors.print(visible(say("fit.written", model=model).render(config.lang)))


def _show(result: Fit, config: FitConfig) -> None:
    console = Console(highlight=False, markup=False)
    for sentence in result.sentences():
        console.print(visible(sentence.render(config.lang)), soft_wrap=True)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for name, value in result.numbers(config.lang):
        table.add_row(visible(name), value)
    console.print(table)
    stands_out = result.stands_out(config.lang)
    for note in (*([stands_out] if stands_out else []), *result.notes):
        console.print(visible(note.render(config.lang)), soft_wrap=True)
