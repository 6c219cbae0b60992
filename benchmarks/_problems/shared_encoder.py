"""A deep encoder, shared by eight heads, with more parameters than activations."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

import mmpareto_jax as mmp

WIDTH = 1024
BATCH_SIZE = 32
NUM_CLASSES = 10
HEADS = tuple(f"task {i}" for i in range(8))
ENCODERS = {"encoder": mmp.Encoder(params="encoder", objectives=HEADS)}


class Problem(NamedTuple):
    """A deep encoder with eight heads, its parameters and a batch, without batch statistics.

    Attributes:
      params: The parameters: "encoder", by layer, and "heads", by name.
      batch: A dict of "inputs", ``[B, WIDTH]``, and "labels", ``[B]`` for each head.
      statistics: None, since there is no batch normalization.
    """

    params: Any
    batch: Any
    statistics: Any = None

    def losses(self, params: Any, statistics: Any, batch: Any) -> Any:
        """Return the cross-entropies by head, and ``statistics`` unchanged."""
        features = self.encode(params, statistics, batch)
        return self.losses_from_features(params, features, statistics, batch)

    def encode(self, params: Any, statistics: Any, batch: Any) -> dict[str, jax.Array]:
        """Return a dict with the output of the encoder, ``[B, WIDTH]``, under "encoder"."""
        del statistics
        x = batch["inputs"]
        for layer in params["encoder"].values():
            x = jax.nn.relu(x @ layer["kernel"] + layer["bias"][None])
        return {"encoder": x}

    def losses_from_features(
        self, params: Any, features: Any, statistics: Any, batch: Any
    ) -> tuple[Any, Any]:
        """Return the cross-entropies by head from what :meth:`encode` gave, and ``statistics``."""
        cross_entropy = optax.softmax_cross_entropy_with_integer_labels
        losses = {
            name: jnp.mean(cross_entropy(features["encoder"] @ params["heads"][name], labels))
            for name, labels in batch["labels"].items()
        }
        return losses, statistics


def problem(layers: int) -> Problem:
    """Return the network with random parameters, and a random batch, the same at each call.

    Args:
      layers: The number of layers of the encoder, each of 1024 inputs and outputs.
    """
    keys = iter(jax.random.split(jax.random.key(0), layers + 2 * len(HEADS) + 1))
    encoder = {
        f"layer {i:02}": {
            "kernel": jax.random.normal(next(keys), (WIDTH, WIDTH)) * (2 / WIDTH) ** 0.5,
            "bias": jnp.zeros(WIDTH),
        }
        for i in range(layers)
    }
    heads = {
        name: jax.random.normal(next(keys), (WIDTH, NUM_CLASSES)) * WIDTH**-0.5 for name in HEADS
    }
    labels = {name: jax.random.randint(next(keys), (BATCH_SIZE,), 0, NUM_CLASSES) for name in HEADS}
    inputs = jax.random.normal(next(keys), (BATCH_SIZE, WIDTH))
    return Problem({"encoder": encoder, "heads": heads}, {"inputs": inputs, "labels": labels})
