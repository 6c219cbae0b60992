"""Weightings: from the Gramian of the objectives' gradients to their weights, one method a file."""

from mmpareto_jax.weightings._weighting import Weighting
from mmpareto_jax.weightings.cagrad import cagrad
from mmpareto_jax.weightings.dual_proj import dual_proj
from mmpareto_jax.weightings.fairgrad import fairgrad
from mmpareto_jax.weightings.min_norm import min_norm
from mmpareto_jax.weightings.mmpareto import mmpareto
from mmpareto_jax.weightings.nash_mtl import nash_mtl
from mmpareto_jax.weightings.uniform import uniform
from mmpareto_jax.weightings.upgrad import upgrad

__all__ = [
    "Weighting",
    "cagrad",
    "dual_proj",
    "fairgrad",
    "min_norm",
    "mmpareto",
    "nash_mtl",
    "uniform",
    "upgrad",
]
