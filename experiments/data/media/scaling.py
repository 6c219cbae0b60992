"""Functions that scale stored fields to inputs of a model, on the device, inside the step."""

import jax
import jax.numpy as jnp

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
"""Mean and standard deviation of the channels of ImageNet's images in [0, 1], as in torchvision."""


def unit(pixels: jax.Array) -> jax.Array:
    """Return uint8 pixels as float32 in [0, 1].

    Examples:
      >>> unit(jnp.array([0, 255], jnp.uint8))
      Array([0., 1.], dtype=float32)
    """
    return pixels.astype(jnp.float32) / 255


def imagenet(pixels: jax.Array) -> jax.Array:
    """Return uint8 pixels [..., 3] as float32, standardized by ImageNet's moments per channel."""
    channels = (1,) * (pixels.ndim - 1) + (3,)
    mean, deviation = (
        jnp.reshape(jnp.array(x), channels) for x in (IMAGENET_MEAN, IMAGENET_DEVIATION)
    )
    return (unit(pixels) - mean) / deviation


def as_stored(values: jax.Array) -> jax.Array:
    """Return the values unchanged, for float32 fields that need no scaling."""
    return values
