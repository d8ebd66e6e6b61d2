"""Probes on reward models: what they pay for, whether they read the prompt, and whether they are plugged in right."""

from dehusk.probes.reward_model import (
    association,
    counterfactual,
    degenerate,
    diversity,
    plumbing,
    prompt_use,
    rewrites,
    scale,
    style_matrix,
)

__all__ = [
    "association",
    "counterfactual",
    "degenerate",
    "diversity",
    "plumbing",
    "prompt_use",
    "rewrites",
    "scale",
    "style_matrix",
]
