"""Probes on policy stages: what grew, what the reward paid for it, what diversity went, where it came from."""

from dehusk.probes.policy import amplification, diversity, gain, provenance

__all__ = ["amplification", "diversity", "gain", "provenance"]
