"""What was found as a page, as Markdown, in the terminal and for other programs; a pure function of the result."""

from dehusk.report.comparison_terminal import comparison_to_text
from dehusk.report.formats import formats, to_json
from dehusk.report.machines import to_github, to_sarif
from dehusk.report.results import to_html, to_markdown
from dehusk.report.terminal import to_text

__all__ = [
    "comparison_to_text",
    "formats",
    "to_github",
    "to_html",
    "to_json",
    "to_markdown",
    "to_sarif",
    "to_text",
]
