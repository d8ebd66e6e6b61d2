"""A small data set of our own making with a known story."""
