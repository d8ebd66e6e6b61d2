"""Reward models made from preference pairs: losses, objectives, heads on cached embeddings, full training."""
