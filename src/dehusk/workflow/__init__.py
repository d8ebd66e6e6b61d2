"""The verbs as functions, one module each; no verb prints."""

from dehusk.workflow.auditing import Outcome, audit, audit_tables, run_audit
from dehusk.workflow.converting import Conversion, convert
from dehusk.workflow.naming import names
from dehusk.workflow.scoring import run_score
from dehusk.workflow.validating import Validation, validate

__all__ = [
    "Conversion",
    "Outcome",
    "Validation",
    "audit",
    "audit_tables",
    "convert",
    "names",
    "run_audit",
    "run_score",
    "validate",
]
