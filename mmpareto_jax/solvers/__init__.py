"""Exact solvers, which run on the device, for the small convex problems of the weightings."""

from mmpareto_jax.solvers._alpha_fair import alpha_fair_weights
from mmpareto_jax.solvers._conflict_averse import conflict_averse_weights
from mmpareto_jax.solvers._dual_cone import dual_cone_weights
from mmpareto_jax.solvers._gramian import is_stationary, normalized, quadratic_form, root
from mmpareto_jax.solvers._least_distance import least_distance_weights
from mmpareto_jax.solvers._min_norm import min_norm_weights, nearest_of_nonzero
from mmpareto_jax.solvers._simplex import project_on_simplex
from mmpareto_jax.solvers._spectrum import Spectrum, pseudo_solve, spectrum

__all__ = [
    "Spectrum",
    "alpha_fair_weights",
    "conflict_averse_weights",
    "dual_cone_weights",
    "is_stationary",
    "least_distance_weights",
    "min_norm_weights",
    "nearest_of_nonzero",
    "normalized",
    "project_on_simplex",
    "pseudo_solve",
    "quadratic_form",
    "root",
    "spectrum",
]
