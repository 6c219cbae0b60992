"""`jax.jit` for programs that a test compiles to run once: the compiler takes half the time."""

from functools import partial

import jax

quick_jit = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
