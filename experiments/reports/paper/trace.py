"""The trace of an epoch: cosine, conflict and norms of each encoder's gradients in four parts."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import mmpareto_jax as mmp
from experiments.engine.loop import Metrics

WINDOWS = 4
"""The number of parts of an epoch; the trace has a mean over each."""

DIGITS = 4
"""The number of significant digits to which the means are rounded."""


class Trace:
    """Collect the diagnostics of the steps of an epoch, and average them over its parts."""

    def __init__(self) -> None:
        self._steps: list[dict[str, mmp.Diagnostics]] = []

    def add(self, metrics: Metrics) -> None:
        """Keep the diagnostics of a step.

        Args:
          metrics: The metrics of the step, of which only ``encoders`` is kept; its arrays may still
            be on the devices.
        """
        self._steps.append(metrics["encoders"])

    def take(self) -> dict[str, dict[str, list[Any]]]:
        """Return the means over the four parts of the steps since the last call, and forget them.

        There must be at least one step; of fewer than four steps each is a part.

        Returns:
          For each encoder with several objectives a dict of lists with an entry for each part:
          ``cosine`` (the smallest between two objectives' gradients), ``conflict`` (the share of
          steps, 0 to 1), ``norms`` (a list, one for each objective) and ``shortest``, the norm of
          the shortest convex combination of the gradients, which is zero at a Pareto stationary
          point.
        """
        steps, self._steps = jax.device_get(self._steps), []
        encoders: dict[str, mmp.Diagnostics] = jax.tree.map(
            lambda *values: np.stack(values), *steps
        )
        return {
            name: {
                "cosine": _means(encoder.cosine),
                "conflict": _means(encoder.conflict),
                "norms": _means(encoder.norms),
                "shortest": _means(_shortest(encoder.gramian)),
            }
            for name, encoder in encoders.items()
            if encoder.norms.shape[-1] > 1
        }


def _means(steps: Any) -> list[Any]:
    parts = np.array_split(np.asarray(steps, np.float64), min(WINDOWS, len(steps)))
    return [_rounded(part.mean(axis=0)) for part in parts]


def _rounded(value: np.ndarray) -> Any:
    if value.ndim:
        return [_rounded(each) for each in value]
    return float(f"{value:.{DIGITS}g}")


@jax.jit
@jax.vmap
def _shortest(gramian: jax.Array) -> jax.Array:
    weights = mmp.min_norm_weights(gramian)
    return jnp.sqrt(jnp.maximum(weights @ gramian @ weights, 0))
