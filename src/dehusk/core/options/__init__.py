"""The options of every verb. The docstring under a field is its help text; the default is its default everywhere."""

from dehusk.core.options.adjusting import AdjustConfig
from dehusk.core.options.auditing import AuditConfig, ValidateConfig
from dehusk.core.options.certifying import CertifyConfig
from dehusk.core.options.comparing import CompareConfig
from dehusk.core.options.fitting import FitConfig
from dehusk.core.options.places import at_home, parse_map, parse_source
from dehusk.core.options.repairing import RepairConfig
from dehusk.core.options.scoring import Loading, ScoreConfig, Scoring
from dehusk.core.options.tools import ConvertConfig, DemoConfig, ListConfig, ModelsConfig

__all__ = [
    "AdjustConfig",
    "AuditConfig",
    "CertifyConfig",
    "CompareConfig",
    "ConvertConfig",
    "DemoConfig",
    "FitConfig",
    "ListConfig",
    "Loading",
    "ModelsConfig",
    "RepairConfig",
    "ScoreConfig",
    "Scoring",
    "ValidateConfig",
    "at_home",
    "parse_map",
    "parse_source",
]
