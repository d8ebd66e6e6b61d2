"""Any result as a page or as Markdown."""

from __future__ import annotations

from dehusk.core.certificates import Certificate
from dehusk.core.comparison import Comparison
from dehusk.core.findings import Audit
from dehusk.report.certificate import certificate_to_html
from dehusk.report.comparison import comparison_to_html, comparison_to_markdown
from dehusk.report.html import audit_to_html
from dehusk.report.markdown import audit_to_markdown


def to_html(result: Audit | Comparison | Certificate, lang: str = "en", *, before: Audit | None = None) -> str:
    """One self-contained HTML page.

    Args:
        result: What `audit`, `compare` or `certify` returned.
        lang: "en" or "zh".
        before: An audit from before a repair, for a section on what changed since.
    """
    if isinstance(result, Comparison):
        return comparison_to_html(result, lang)
    if isinstance(result, Certificate):
        return certificate_to_html(result, lang)
    return audit_to_html(result, lang, before=before)


def to_markdown(result: Audit | Comparison, lang: str = "en") -> str:
    """Markdown for a pull request.

    Args:
        result: What `audit` or `compare` returned.
        lang: "en" or "zh".
    """
    if isinstance(result, Comparison):
        return comparison_to_markdown(result, lang)
    return audit_to_markdown(result, lang)
