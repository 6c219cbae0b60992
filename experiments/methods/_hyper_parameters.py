"""Checks of hyper-parameters that users set."""

import math

from experiments.errors import UserError


def in_range(name: str, value: float, low: float, high: float = math.inf) -> None:
    """Raise a ``UserError`` unless a value is a number from ``low`` to below ``high``.

    Args:
      name: The name of the option, for the message.
      value: The value that the user set; True and False are not numbers.
      low: The smallest allowed value.
      high: The bound that the value must be below.

    Examples:
      >>> in_range("share", 1.5, 0, 1)
      Traceback (most recent call last):
      ...
      experiments.errors.UserError: option share must be at least 0 and below 1, got 1.5
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and low <= value < high):
        limit = "finite" if high == math.inf else f"below {high}"
        raise UserError(f"option {name} must be at least {low} and {limit}, got {value!r}")
