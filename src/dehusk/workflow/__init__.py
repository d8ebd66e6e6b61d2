"""The verbs as functions, one module each; no verb prints."""

from dehusk.workflow.adjusting import Adjustment, run_adjust
from dehusk.workflow.auditing import Outcome, audit, audit_tables, run_audit
from dehusk.workflow.certifying import run_certify
from dehusk.workflow.converting import Conversion, convert
from dehusk.workflow.fit_card import Fit
from dehusk.workflow.fitting import run_fit
from dehusk.workflow.naming import names
from dehusk.workflow.repairing import Repair, run_repair
from dehusk.workflow.scoring import run_score
from dehusk.workflow.validating import Validation, validate

__all__ = [
    "Adjustment",
    "Conversion",
    "Fit",
    "Outcome",
    "Repair",
    "Validation",
    "audit",
    "audit_tables",
    "convert",
    "names",
    "run_adjust",
    "run_audit",
    "run_certify",
    "run_fit",
    "run_repair",
    "run_score",
    "validate",
]
