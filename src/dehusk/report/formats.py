"""The formats an audit can be shown in, by name."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import RenderableType

from dehusk.core.findings import Audit
from dehusk.core.kinds import NameTable
from dehusk.report.html import audit_to_html
from dehusk.report.machines import to_github, to_sarif
from dehusk.report.markdown import audit_to_markdown
from dehusk.report.terminal import to_text

# (audit, lang) -> what to print; a plain string everywhere but for "text", which rich lays out.
formats: NameTable[Callable[[Audit, str], RenderableType]] = NameTable("format")

formats.add("text")(to_text)
formats.add("markdown")(audit_to_markdown)
formats.add("html")(audit_to_html)
formats.add("github")(to_github)
formats.add("sarif")(to_sarif)


@formats.add("json")
def to_json(audit: Audit, lang: str = "en") -> str:
    """The whole audit, schema 1; the same in every language."""
    return audit.to_json()
