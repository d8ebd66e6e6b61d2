"""Readers of what trainers write while they train, into one vocabulary."""

from dehusk.io.logs.reading import read_log

__all__ = ["read_log"]
