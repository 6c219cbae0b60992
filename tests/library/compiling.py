"""Compilation for tests, of programs that run once or for a moment: in a third of the time.

The machine code is left as it is first written down (level 0), and where XLA still has them, loops
are written by its older emitters, which need fewer passes than the fusion emitters. What is
computed stays the same, up to the rounding of sums whose order is the compiler's.
"""

from functools import partial

import jax


def _is_known(name: str, value: bool) -> bool:
    """Tell whether the installed XLA has a compile option; it refuses to compile with others."""
    try:
        jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError as error:
        if "No such compile option" not in str(error):
            raise
        return False
    return True


OPTIONS = {"xla_backend_optimization_level": 0}
if _is_known("xla_cpu_use_fusion_emitters", False):
    OPTIONS["xla_cpu_use_fusion_emitters"] = False

quick_jit = partial(jax.jit, compiler_options=OPTIONS)


def virtual_devices(count: int) -> dict[str, str]:
    """The environment of a process that has so many CPU devices and compiles quickly."""
    options = " ".join(f"--{name}={value:d}" for name, value in OPTIONS.items())
    flags = f"--xla_force_host_platform_device_count={count} {options}"
    return {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
