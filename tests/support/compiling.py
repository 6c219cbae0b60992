"""Compilation for tests, beside the flags of ``tests/conftest.py``."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import jax

quick_jit = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
"""Leaves machine code as it is first written down: slow loops, for programs that run a moment."""


def flops(function: Callable[..., Any], *arguments: Any) -> float:
    """What a call costs by the account of the compiler."""
    return flops_of(jax.jit(function).lower(*arguments).compile())


def flops_of(executable: Any) -> float:
    """What a run of a compiled function costs."""
    return executable.cost_analysis()["flops"]


def virtual_devices(count: int) -> dict[str, str]:
    """The environment of a process that has so many CPU devices."""
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={count}"
    return {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
