"""The task of predicting the depth of each pixel."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from experiments.tasks._masked_mean import masked_mean


@dataclass(frozen=True)
class Depth:
    """The task of a depth for each pixel: absolute error; scored by absolute and relative error.

    Pixels of unknown depth are left out of loss and scores.

    Attributes:
      target: The field of depths, float32 ``[B, H, W, 1]``, in meters; 0 where it is unknown.

    References:
      Liu et al., `End-to-end multi-task learning with attention
      <https://arxiv.org/abs/1803.10704>`_, 2019.
    """

    target: str = "depth"
    num_outputs: ClassVar[int] = 1

    def loss(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        """Return the mean absolute error over the batch's pixels of known depth, ``()``, in meters.

        It is 0 if no depth is known.

        Args:
          outputs: Predicted depths ``[B, H, W, 1]``, in meters.
          targets: Depths ``[B, H, W, 1]``, in meters; 0 where unknown.
        """
        return masked_mean(targets > 0, jnp.abs(outputs - targets))

    def sums(self, outputs: jax.Array, targets: jax.Array, counted: jax.Array) -> jax.Array:
        """Return the number of pixels, and the sums of their absolute and relative errors, ``[3]``.

        Args:
          outputs: Predicted depths ``[B, H, W, 1]``, in meters.
          targets: Depths ``[B, H, W, 1]``, in meters; 0 where unknown, which does not count.
          counted: Which samples count, bool ``[B]``.
        """
        pixels = counted[:, None, None, None] & (targets > 0)
        errors = jnp.where(pixels, jnp.abs(outputs - targets), 0)
        relative = errors / jnp.where(pixels, targets, 1)
        return jnp.stack([jnp.sum(pixels.astype(jnp.float32)), jnp.sum(errors), jnp.sum(relative)])

    def scores(self, sums: np.ndarray) -> dict[str, float]:
        """Return ``absolute_error`` in meters and ``relative_error``, over all pixels of the set.

        The relative error of a pixel is its absolute error divided by its true depth.

        Args:
          sums: The total of :meth:`sums` over a whole set.

        Examples:
          >>> Depth().scores(np.array([4.0, 2.0, 1.0]))
          {'absolute_error': 0.5, 'relative_error': 0.25}
        """
        pixels, absolute, relative = sums
        return {
            "absolute_error": float(absolute / pixels),
            "relative_error": float(relative / pixels),
        }
