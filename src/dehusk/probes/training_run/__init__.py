"""Probes on what a trainer logged: runs that saturated, drifted, fell apart from held-out data, or only look as if."""

from dehusk.probes.training_run import (
    drift,
    held_out,
    loss,
    margins,
    normal,
    rollouts,
    saturation,
    separable,
)

__all__ = ["drift", "held_out", "loss", "margins", "normal", "rollouts", "saturation", "separable"]
