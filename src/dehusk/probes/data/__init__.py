"""Probes on preference pairs: what separates chosen from rejected, and whether the labels can be trusted."""

from dehusk.probes.data import association, catchphrases, ceiling, hygiene, labels, separability

__all__ = ["association", "catchphrases", "ceiling", "hygiene", "labels", "separability"]
