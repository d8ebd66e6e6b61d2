"""Probes, one module a stage: each reads tables and measures and returns findings."""
