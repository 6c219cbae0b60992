"""MMPareto and other methods that combine the gradients of several losses, for optax.

``Encoder`` says which parameters several losses share, ``value_and_objective_grads`` gives their
gradients, one row per loss, and ``mmpareto`` (or ``aggregate`` with another weighting) combines
these rows, as the first transformation in an ``optax.chain``.
"""

from mmpareto_jax import weightings
from mmpareto_jax._accumulate import accumulate
from mmpareto_jax._aggregate import aggregate, mmpareto
from mmpareto_jax._alignment import Alignment, update_alignment
from mmpareto_jax._diagnostics import Diagnostics, diagnostics
from mmpareto_jax._encoders import Encoder
from mmpareto_jax._grad_drop import grad_drop
from mmpareto_jax._gradients import stack_objectives, value_and_objective_grads
from mmpareto_jax._integrate import Integrator, integrate
from mmpareto_jax._tracking import track_gradients
from mmpareto_jax._trimmed_mean import trimmed_mean
from mmpareto_jax.solvers import min_norm_weights
from mmpareto_jax.strategies import Features
from mmpareto_jax.weightings import Weighting

__all__ = [
    "Alignment",
    "Diagnostics",
    "Encoder",
    "Features",
    "Integrator",
    "Weighting",
    "accumulate",
    "aggregate",
    "diagnostics",
    "grad_drop",
    "integrate",
    "min_norm_weights",
    "mmpareto",
    "stack_objectives",
    "track_gradients",
    "trimmed_mean",
    "update_alignment",
    "value_and_objective_grads",
    "weightings",
]
