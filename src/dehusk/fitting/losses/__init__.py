"""Losses as pure functions of tensors, one module a family; importing this fills the table `losses`."""

from dehusk.fitting.losses import bradley_terry, correlation, discrepancy, information, pair_weights, prompts

__all__ = ["bradley_terry", "correlation", "discrepancy", "information", "pair_weights", "prompts"]
