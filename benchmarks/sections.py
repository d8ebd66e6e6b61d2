"""The tables of a benchmark: printed as they come, and written to a Markdown file at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path


def tell(command: str, sections: Iterable[tuple[str | None, Iterator[str]]], out: Path | None) -> None:
    """Print every section and write all of them.

    Args:
        command: What makes the file again.
        sections: A title (a docstring: its first paragraph is the heading, the rest explains) and its lines.
        out: Where to; nowhere when absent.
    """
    written = [f"`python benchmarks/{command}`", ""]
    for title, lines in sections:
        heading, *text = (" ".join(part.split()) for part in (title or "").split("\n\n"))
        said = [f"## {heading}", "", *(one for part in text if part for one in (part, ""))]
        print("\n" + "\n".join(said), flush=True)
        written += said
        for line in lines:
            print(line, flush=True)
            written.append(line)
        written.append("")
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text("\n".join(written))
