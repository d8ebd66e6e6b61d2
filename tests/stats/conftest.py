"""Slow, shared processors must not fail a property."""

from hypothesis import settings

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
