"""Numbers that a user gives as options of a method."""

from typing import Any

from experiments.errors import UserError


def non_negative(name: str, value: Any) -> float:
    """The value as a float.

    Raises:
      UserError: If it is not a finite number, or below zero.

    Example:
      >>> non_negative("alpha", -1)
      Traceback (most recent call last):
      ...
      experiments.errors.UserError: option alpha must be a finite number of at least 0, got -1
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and 0 <= value < float("inf")):
        raise UserError(f"option {name} must be a finite number of at least 0, got {value}")
    return float(value)
