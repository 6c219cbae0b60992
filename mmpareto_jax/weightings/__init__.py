"""Weightings: from the Gramian of the objectives' gradients to their weights, one method a file."""

from mmpareto_jax.weightings._weighting import Weighting
from mmpareto_jax.weightings.dual_proj import dual_proj
from mmpareto_jax.weightings.min_norm import min_norm
from mmpareto_jax.weightings.mmpareto import mmpareto
from mmpareto_jax.weightings.uniform import uniform
from mmpareto_jax.weightings.upgrad import upgrad

__all__ = ["Weighting", "dual_proj", "min_norm", "mmpareto", "uniform", "upgrad"]
