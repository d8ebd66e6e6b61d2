"""The verbs as functions, one module each; no verb prints. `calling` has them with keywords, for Python."""

from dehusk.workflow.adjusting import Adjustment, run_adjust
from dehusk.workflow.auditing import Outcome, audit_tables, run_audit
from dehusk.workflow.calling import adjust, audit, certify, compare, convert, fit, repair, score, validate
from dehusk.workflow.certifying import run_certify
from dehusk.workflow.comparing import run_compare
from dehusk.workflow.converting import Conversion, run_convert
from dehusk.workflow.fit_card import Fit
from dehusk.workflow.fitting import run_fit
from dehusk.workflow.naming import names
from dehusk.workflow.repairing import Repair, run_repair
from dehusk.workflow.scoring import run_score
from dehusk.workflow.validating import Validation, run_validate

__all__ = [
    "Adjustment",
    "Conversion",
    "Fit",
    "Outcome",
    "Repair",
    "Validation",
    "adjust",
    "audit",
    "audit_tables",
    "certify",
    "compare",
    "convert",
    "fit",
    "names",
    "repair",
    "run_adjust",
    "run_audit",
    "run_certify",
    "run_compare",
    "run_convert",
    "run_fit",
    "run_repair",
    "run_score",
    "run_validate",
    "score",
    "validate",
]
