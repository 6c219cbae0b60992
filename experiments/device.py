"""What a measurement ran on."""

import platform

import jax

from experiments.prepare import WORKERS


def description() -> str:
    """Describe the devices, the processor's architecture and how many of its cores may be used.

    The number of cores belongs to a result: XLA splits sums among them, so that runs on other
    numbers of cores differ in rounding, and training carries that on.
    """
    cores = f"{WORKERS} core{'s' if WORKERS > 1 else ''}"
    return f"{jax.device_count()} x {jax.devices()[0].device_kind}, {platform.machine()}, {cores}"
