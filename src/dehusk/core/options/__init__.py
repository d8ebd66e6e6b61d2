"""The options of every verb. The docstring under a field is its help text; the default is its default everywhere."""

from dehusk.core.options.auditing import AuditConfig, ValidateConfig
from dehusk.core.options.places import at_home, parse_map, parse_source
from dehusk.core.options.scoring import ScoreConfig, Scoring
from dehusk.core.options.tools import ConvertConfig, DemoConfig, ListConfig, ModelsConfig

__all__ = [
    "AuditConfig",
    "ConvertConfig",
    "DemoConfig",
    "ListConfig",
    "ModelsConfig",
    "ScoreConfig",
    "Scoring",
    "ValidateConfig",
    "at_home",
    "parse_map",
    "parse_source",
]
