"""Logits of the joint head for a subset of the modalities, with zeros for the others."""

from collections.abc import Collection

import jax
import jax.numpy as jnp

from experiments.methods._method import Pass


def joint_logits(forward: Pass, present: Collection[str]) -> jax.Array:
    """Return the joint logits ``[B, classes]`` with zeros in place of absent modalities.

    The zeros replace the representations that the heads read, so this works for every fusion.

    Args:
      forward: A pass over a batch of B samples.
      present: The names of the modalities that are not zeroed; none is allowed.
    """
    representations = {
        name: each if name in present else jnp.zeros_like(each)
        for name, each in forward.representations.items()
    }
    return forward.classify(representations)["joint"]
