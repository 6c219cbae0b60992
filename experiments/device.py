"""What a measurement ran on."""

import platform

import jax


def description() -> str:
    """The devices and the processor's architecture, in words."""
    return f"{jax.device_count()} x {jax.devices()[0].device_kind}, {platform.machine()}"
