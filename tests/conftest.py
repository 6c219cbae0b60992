"""One compilation cache for all processes of a test run: many of them compile the same programs."""

import os
import shutil
import tempfile

CACHE = "JAX_COMPILATION_CACHE_DIR"


def pytest_configure(config):
    if CACHE not in os.environ:  # workers and subprocesses inherit it
        config.jax_cache = os.environ[CACHE] = tempfile.mkdtemp(prefix="jax-cache-")
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"


def pytest_unconfigure(config):
    if hasattr(config, "jax_cache"):
        shutil.rmtree(config.jax_cache, ignore_errors=True)
