"""Checks of hyper-parameters, which also accept traced values.

``optax.inject_hyperparams`` passes hyper-parameters as arrays, whose values are unknown under
``jit``.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def check(name: str, value: Any, wanted: str, valid: Callable[[float], bool]) -> None:
    """Raise ``ValueError`` for a number outside its range; accept any traced number.

    Args:
      name: The name of the hyper-parameter.
      value: A number, or an array of shape ``()``.
      wanted: What the number must be, for the error message.
      valid: Function that returns whether a number is valid.

    Raises:
      ValueError: If ``value`` is not valid, or not a single number.

    Examples:
      >>> check("decay", 1.5, "in [0, 1)", lambda decay: 0 <= decay < 1)
      Traceback (most recent call last):
      ValueError: decay must be in [0, 1), got 1.5
    """
    if value is None or isinstance(value, str):
        raise ValueError(f"{name} must be {wanted}, got {value!r}")
    if jnp.shape(value) != ():
        raise ValueError(f"{name} must be one number, got shape {jnp.shape(value)}")
    if not isinstance(value, jax.core.Tracer) and not valid(complex(value).real):
        raise ValueError(f"{name} must be {wanted}, got {value}")


def check_nonnegative(name: str, value: Any) -> None:
    """Raise ``ValueError`` for a known number that is negative or not finite.

    Examples:
      >>> check_nonnegative("learning_rate", -0.1)
      Traceback (most recent call last):
      ValueError: learning_rate must be finite and at least 0, got -0.1
    """
    check(name, value, "finite and at least 0", lambda number: 0 <= number < math.inf)


def check_count(name: str, value: Any, least: int) -> None:
    """Raise ``ValueError`` for anything but an untraced integer of at least ``least``.

    Args:
      name: The name of the hyper-parameter.
      value: What the user passed.
      least: The smallest integer that is allowed.

    Raises:
      ValueError: If ``value`` is too small, not an integer, or traced.

    Examples:
      >>> check_count("period", 0, 1)
      Traceback (most recent call last):
      ValueError: period must be at least 1, got 0
    """
    try:
        count = operator.index(value)
    except TypeError:
        hint = " (name it in the static_args of optax.inject_hyperparams)"
        raise ValueError(
            f"{name} must be an integer, got {value}{hint if isinstance(value, jax.Array) else ''}"
        ) from None
    if count < least:
        raise ValueError(f"{name} must be at least {least}, got {count}")


def as_real(value: Any, dtype: jnp.dtype) -> jax.Array:
    """Return the real part of a value as an array of the given real dtype.

    ``optax.inject_hyperparams`` gives numbers the dtype of the parameters, which may be complex.
    """
    return jnp.real(jnp.asarray(value)).astype(dtype)
