"""Strategies to compute one combined gradient from several losses, one per file."""

from mmpareto_jax.strategies._features import Features, features
from mmpareto_jax.strategies._gramian import gramian
from mmpareto_jax.strategies._stacked import stacked

__all__ = ["Features", "features", "gramian", "stacked"]
