"""Outputs of the joint head for a subset of the modalities."""

from collections.abc import Collection

import jax
import jax.numpy as jnp

from experiments.methods._method import Pass


def joint_logits(forward: Pass, present: Collection[str]) -> jax.Array:
    """Return the joint logits ``[B, classes]`` with zeros in place of absent modalities.

    The zeros replace the representations that the heads read, so this works for every fusion.
    """
    representations = {
        name: each if name in present else jnp.zeros_like(each)
        for name, each in forward.representations.items()
    }
    return forward.classify(representations)["joint"]
