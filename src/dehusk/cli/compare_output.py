"""What `dehusk compare` prints and writes."""

from __future__ import annotations

import sys

from rich.console import Console

from dehusk.cli.output import out_folder
from dehusk.core.comparison import Comparison
from dehusk.core.messages import say
from dehusk.core.options import CompareConfig
from dehusk.io import write_atomic
from dehusk.report import comparison_to_text, to_html, to_markdown


def deliver_comparison(comparison: Comparison, config: CompareConfig) -> None:
    """Write comparison.json and comparison.html, then print the table in the format asked for."""
    page = None
    if config.out is not None:
        folder = out_folder(config.out)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "comparison.json", comparison.to_json())
        page = folder / "comparison.html"
        write_atomic(page, to_html(comparison, config.lang))
    if config.format == "json":
        sys.stdout.write(comparison.to_json())
    elif config.format == "markdown":
        sys.stdout.write(to_markdown(comparison, config.lang))
    else:
        Console(soft_wrap=False).print(comparison_to_text(comparison, config.lang))
    if page is not None:
        sys.stdout.flush()
        told = say("cli.written", page=str(page)).render(config.lang)
        Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(told)
