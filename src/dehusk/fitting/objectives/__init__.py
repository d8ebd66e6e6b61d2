"""What can be minimised to fit a reward model, one module a family; importing this fills the table `objectives`."""

from dehusk.fitting.objectives import bottlenecks, correlations, distributions, plain, prompts, reweighted
from dehusk.fitting.objectives.objective import Batch, Objective

__all__ = ["Batch", "Objective", "bottlenecks", "correlations", "distributions", "plain", "prompts", "reweighted"]
