"""Probes on policy stages: what grew, what the reward paid for it, where it came from, what was lost, what broke."""

from dehusk.probes.policy import amplification, diversity, gain, hygiene, provenance

__all__ = ["amplification", "diversity", "gain", "hygiene", "provenance"]
