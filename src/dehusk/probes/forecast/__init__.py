"""Probes that say what training on a reward will do, from answers of the policy it starts from."""

from dehusk.probes.forecast import amplification

__all__ = ["amplification"]
