"""The base class of every model: encoders, and heads that read their representations."""

import abc
from collections.abc import Mapping

import jax
from flax import nnx

Shapes = Mapping[str, tuple[int, ...]]
"""The shape of one sample of each input, by modality."""

Outputs = Mapping[str, int]
"""The number of outputs of each head, by its name."""


class Network(nnx.Module):
    """A model with encoders and heads, parameters under ``encoders/NAME`` and ``heads/NAME``.

    Some training methods change the representations between ``encode`` and ``classify``.
    """

    @abc.abstractmethod
    def encode(
        self, inputs: Mapping[str, jax.Array], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, jax.Array]:
        """Map inputs by modality to representations by encoder.

        Args:
          inputs: The inputs, with a leading axis of B samples.
          rngs: Random numbers for dropout in training, stream "dropout". Models without dropout
            ignore them; None suffices in evaluation mode.
        """

    @abc.abstractmethod
    def classify(
        self, representations: Mapping[str, jax.Array], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, jax.Array]:
        """Map representations by encoder to outputs by head.

        Args:
          representations: The arrays that :meth:`encode` returns.
          rngs: Random numbers for dropout, as for :meth:`encode`.

        Returns:
          By head, the outputs with a leading axis of B samples; of a classification the logits.
        """

    def __call__(
        self, inputs: Mapping[str, jax.Array], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, jax.Array]:
        """Map inputs by modality to outputs by head: :meth:`encode`, then :meth:`classify`.

        Args:
          inputs: The inputs, with a leading axis of B samples.
          rngs: Random numbers for dropout in training; None suffices in evaluation mode.
        """
        return self.classify(self.encode(inputs, rngs=rngs), rngs=rngs)
