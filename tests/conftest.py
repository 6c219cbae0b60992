"""Settings of all processes of a test run, which workers and subprocesses inherit.

JAX promotes neither ranks nor dtypes silently, so that the library and the experiments work in
programs that forbid it. One compilation cache serves all, for many tests compile the same programs,
and it stays in ``.pytest_cache`` for the next run: half of a first run's time goes into compiling.

Programs run for a moment only, so the compiler optimizes them little. Before jax 0.11.1, XLA can
also write loops without its fusion emitters, in fewer passes. What is computed is the same, up to
the rounding of sums whose order is the compiler's.
"""

import os
from importlib.metadata import version

import pytest
from packaging.version import Version

CACHE = "JAX_COMPILATION_CACHE_DIR"

# Here and not in a hook: conftest files of the folders below import JAX, which reads them then.
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
os.environ["JAX_NUMPY_DTYPE_PROMOTION"] = "strict"
FLAGS = ["--xla_backend_optimization_level=1"]
if Version(version("jax")) < Version("0.11.1"):
    FLAGS.append("--xla_cpu_use_fusion_emitters=false")
# Beside those that are set, such as the number of devices of a test run that a test starts.
given = os.environ.get("XLA_FLAGS", "").split()
os.environ["XLA_FLAGS"] = " ".join([*given, *(flag for flag in FLAGS if flag not in given)])


def pytest_configure(config):
    if CACHE not in os.environ:
        os.environ[CACHE] = str(config.rootpath / ".pytest_cache" / "jax-compilations")
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"


@pytest.fixture
def optax_promotes():
    """Allow dtypes to be promoted, as optax's Adam and MultiSteps do with their counts."""
    import jax

    with jax.numpy_dtype_promotion("standard"):
        yield
