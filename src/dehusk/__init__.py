"""Follow one surface feature from preference data to reward model to policy.

>>> import dehusk
>>> dehusk.audit(pairs="prefs.jsonl")  # doctest: +SKIP
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

if _TYPE_CHECKING:
    from dehusk.core.errors import DehuskError, InputError
    from dehusk.core.findings import Audit, Estimate, Finding
    from dehusk.io import read_pairs, read_responses, write_pairs
    from dehusk.report import to_html, to_markdown
    from dehusk.workflow import audit

# Where each public name lives; it is loaded when it is first used, so that `import dehusk` costs nothing.
_HOMES = {
    "Audit": "dehusk.core.findings",
    "DehuskError": "dehusk.core.errors",
    "Estimate": "dehusk.core.findings",
    "Finding": "dehusk.core.findings",
    "InputError": "dehusk.core.errors",
    "audit": "dehusk.workflow",
    "read_pairs": "dehusk.io",
    "read_responses": "dehusk.io",
    "to_html": "dehusk.report",
    "to_markdown": "dehusk.report",
    "write_pairs": "dehusk.io",
}

__all__ = [
    "Audit",
    "DehuskError",
    "Estimate",
    "Finding",
    "InputError",
    "audit",
    "read_pairs",
    "read_responses",
    "to_html",
    "to_markdown",
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
