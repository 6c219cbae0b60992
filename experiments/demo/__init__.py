"""The demo: five methods on coloured-and-gray digits, in a few minutes and without a file."""

from experiments.demo.run import main

__all__ = ["main"]
