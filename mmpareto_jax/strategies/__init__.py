"""Ways to get from losses to one integrated gradient, one per file."""

from mmpareto_jax.strategies.features import Features, features
from mmpareto_jax.strategies.stacked import stacked
from mmpareto_jax.strategies.two_pass import two_pass

__all__ = ["Features", "features", "stacked", "two_pass"]
