"""The processes of a run on several hosts: how they join, and which one writes."""

import os

import jax

from experiments.errors import UserError


def join() -> None:
    """Join the other processes of a run; call it before anything uses a device.

    The settings come from JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID. Those that
    are not set come from the cluster: Slurm, Open MPI, Kubernetes or Cloud TPU.

    Raises:
      UserError: If the settings are missing or invalid, or the other processes do not join.
    """
    numbers: dict[str, int | None] = {}
    for name in ("JAX_NUM_PROCESSES", "JAX_PROCESS_ID"):
        value = os.environ.get(name)
        if value is not None and not value.isdigit():
            raise UserError(f"{name} must be a number, got {value!r}")
        numbers[name] = None if value is None else int(value)
    try:
        jax.distributed.initialize(
            num_processes=numbers["JAX_NUM_PROCESSES"], process_id=numbers["JAX_PROCESS_ID"]
        )
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UserError(
            f"cannot join the other processes ({reason}): set JAX_COORDINATOR_ADDRESS, "
            "JAX_NUM_PROCESSES and JAX_PROCESS_ID, or start the run by the cluster's launcher"
        ) from error


def is_first() -> bool:
    """Return whether this process, the first of the run, is the one that writes logs and output."""
    return jax.process_index() == 0
