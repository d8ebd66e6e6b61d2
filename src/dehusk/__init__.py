"""Follow one surface feature from preference data to reward model to policy."""
