"""Shapes and rules shared by every layer; knows nothing of files, models or statistics."""
