"""Follow one surface feature from preference data to reward model to policy, repair it, and certify the repair.

>>> import dehusk
>>> dehusk.audit(pairs="prefs.jsonl")  # doctest: +SKIP
>>> dehusk.repair("prefs.jsonl", "match", "characters", out="repaired.jsonl")  # doctest: +SKIP
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

if _TYPE_CHECKING:
    from dehusk.core.certificates import Certificate
    from dehusk.core.comparison import Comparison
    from dehusk.core.errors import DehuskError, InputError
    from dehusk.core.findings import Audit, Estimate, Finding
    from dehusk.io import read_pairs, read_responses, write_pairs
    from dehusk.report import to_html, to_markdown
    from dehusk.workflow import (
        Adjustment,
        Conversion,
        Fit,
        Repair,
        Validation,
        adjust,
        audit,
        certify,
        compare,
        convert,
        fit,
        repair,
        score,
        validate,
    )

# Where each public name lives; it is loaded when it is first used, so that `import dehusk` costs nothing.
_HOMES = {
    "Adjustment": "dehusk.workflow",
    "Audit": "dehusk.core.findings",
    "Certificate": "dehusk.core.certificates",
    "Comparison": "dehusk.core.comparison",
    "Conversion": "dehusk.workflow",
    "DehuskError": "dehusk.core.errors",
    "Estimate": "dehusk.core.findings",
    "Finding": "dehusk.core.findings",
    "Fit": "dehusk.workflow",
    "InputError": "dehusk.core.errors",
    "Repair": "dehusk.workflow",
    "Validation": "dehusk.workflow",
    "adjust": "dehusk.workflow",
    "audit": "dehusk.workflow",
    "certify": "dehusk.workflow",
    "compare": "dehusk.workflow",
    "convert": "dehusk.workflow",
    "fit": "dehusk.workflow",
    "read_pairs": "dehusk.io",
    "read_responses": "dehusk.io",
    "repair": "dehusk.workflow",
    "score": "dehusk.workflow",
    "to_html": "dehusk.report",
    "to_markdown": "dehusk.report",
    "validate": "dehusk.workflow",
    "write_pairs": "dehusk.io",
}

__all__ = [
    "Adjustment",
    "Audit",
    "Certificate",
    "Comparison",
    "Conversion",
    "DehuskError",
    "Estimate",
    "Finding",
    "Fit",
    "InputError",
    "Repair",
    "Validation",
    "adjust",
    "audit",
    "certify",
    "compare",
    "convert",
    "fit",
    "read_pairs",
    "read_responses",
    "repair",
    "score",
    "to_html",
    "to_markdown",
    "validate",
    "write_pairs",
]


def __getattr__(name: str) -> _Any:
    """Load a public name."""
    if name not in _HOMES:
        raise AttributeError(f"module 'dehusk' has no attribute {name!r}")
    return getattr(_import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
