"""Numbers in, numbers out: numpy arrays only, no files, no features, no prose."""
