"""What can be minimised to fit a reward model, one module a method."""
