"""An `Audit` as a page, as Markdown, in the terminal and for other programs; a pure function of the audit."""

from dehusk.report.certificate import certificate_to_html
from dehusk.report.formats import formats, to_json
from dehusk.report.html import to_html
from dehusk.report.machines import to_github, to_sarif
from dehusk.report.markdown import to_markdown
from dehusk.report.terminal import to_text

__all__ = ["certificate_to_html", "formats", "to_github", "to_html", "to_json", "to_markdown", "to_sarif", "to_text"]
