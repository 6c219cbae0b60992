"""Measure training steps on a batch sharded over devices: bytes moved, and deviations.

``benchmarks communication`` runs ``python -m benchmarks._problems.data_parallel`` in a new process
for each number of devices, since XLA must know this number before JAX starts. The output is JSON.
"""

import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import mmpareto_jax as mmp
from benchmarks._collectives import collectives
from benchmarks._problems import audio_video, training
from experiments.models.resnet18 import BasicBlock, ResNet18

SAMPLES_PER_DEVICE = 2
AUDIO = (64, 64, 1)
VIDEO = (1, 64, 64, 3)
MOST_DEVICES_TO_RUN = 8
"""With more devices, the steps are only compiled."""


class OneBlock(nnx.Module):
    """One residual block instead of ResNet-18, in which rounding errors grow less.

    Args:
      channels: Channels of the input.
      rngs: Random numbers for the initial parameters.
      axis_name: Mapped axis over which batch statistics are averaged.
    """

    features = 16

    def __init__(self, channels: int, *, rngs: nnx.Rngs, axis_name: str | None = None) -> None:
        self.block = BasicBlock(channels, self.features, 2, rngs=rngs, axis_name=axis_name)

    def __call__(self, inputs: jax.Array) -> jax.Array:
        """Map images ``[B, H, W, C]`` or single frames ``[B, 1, H, W, C]`` to ``[B, 16]``."""
        frames = jnp.reshape(inputs, (-1, *inputs.shape[-3:]))
        return jnp.mean(self.block(frames), axis=(1, 2))


def main() -> None:
    """Print as JSON the bytes that a device sends in each step, and the deviation of its update.

    The object has "devices", "parameters" (their number) and "steps", by name, each with "bytes",
    "by kind" of collective and, on at most eight devices, "deviation"; see :func:`deviations`.
    """
    mesh = jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))
    report: dict[str, Any] = {"devices": mesh.size, "steps": {}}
    for name, program in programs(mesh.size, ResNet18).items():
        compiled = program.compile(mesh)
        found = collectives(compiled.as_text(), mesh.size)
        moved = {
            kind: math.fsum(each.moved for each in found if each.kind == kind)
            for kind in sorted({each.kind for each in found})
        }
        report["steps"][name] = {"bytes": sum(moved.values()), "by kind": moved}
        report["parameters"] = sum(leaf.size for leaf in jax.tree.leaves(program.state.params))
    if mesh.size <= MOST_DEVICES_TO_RUN:
        with jax.enable_x64():
            for name, value in deviations(mesh).items():
                report["steps"][name]["deviation"] = value
    print(json.dumps(report))


class Program(NamedTuple):
    """A training step, its initial state, a batch, and the way to spread it over devices.

    Attributes:
      step: Function from a state and a batch to the next state.
      state: The initial state, which every device has.
      batch: The whole batch, whose samples are spread over the devices.
      wrap: Function from the step and a mesh to the jitted step on that mesh, such as
        :func:`under_jit`.
    """

    step: training.Step
    state: training.State
    batch: Any
    wrap: Callable[[training.Step, jax.sharding.Mesh], Any]

    def compile(self, mesh: jax.sharding.Mesh) -> Any:
        """Return the step compiled ahead of time for a mesh, a ``jax.stages.Compiled``.

        It takes the state, the same on all devices, and the batch, sharded over the axis "data".
        """
        shapes = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), (self.state, self.batch)
        )
        return self.wrap(self.step, mesh).lower(*shapes).compile()


def programs(devices: int, encoder: Any) -> dict[str, Program]:
    """Return the programs by name, each with two samples per device.

    Args:
      devices: The number of devices, for the size of the batch.
      encoder: Class of the encoders, such as :class:`ResNet18` or :class:`OneBlock`.
    """
    size = SAMPLES_PER_DEVICE * devices
    shapes = {"audio": (size, *AUDIO), "video": (size, *VIDEO)}
    problem = widest(audio_video.problem(shapes, encoder=encoder))
    synchronised = widest(audio_video.problem(shapes, axis_name="data", encoder=encoder))
    encoders = audio_video.ENCODERS
    return {
        "uniform": Program(*training.uniform(problem), problem.batch, under_jit),
        "naive": Program(
            *training.integrated(problem, encoders, "stacked"), problem.batch, under_jit
        ),
        "gramian under jit": Program(
            *training.integrated(problem, encoders, "gramian"), problem.batch, under_jit
        ),
        "gramian in shard_map": Program(
            *training.integrated(synchronised, encoders, "gramian", axis_name="data"),
            problem.batch,
            in_checked_shard_map,
        ),
        "exact on shards": Program(*on_shards(synchronised), problem.batch, in_shard_map),
        "features": Program(
            *training.integrated(problem, encoders, "features"), problem.batch, under_jit
        ),
    }


def widest(problem: audio_video.Problem) -> audio_video.Problem:
    """Return the network and its batch in float64 if JAX has that enabled, otherwise in float32."""
    return jax.tree.map(
        lambda leaf: leaf.astype(float) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf,
        problem,
    )


def deviations(mesh: jax.sharding.Mesh) -> dict[str, float]:
    """Return how far the update of each step on all devices is from that on a single device.

    The deviation is the norm of the difference over the norm. The steps in ``shard_map`` are
    compared with "naive", since they should compute the same update. The encoders are
    :class:`OneBlock`.

    Args:
      mesh: The devices, with the one axis "data".

    Returns:
      The deviation of each program, by name.
    """
    found = programs(mesh.size, OneBlock)
    distances = {}
    for name, program in found.items():
        alone = found["naive"] if program.wrap is not under_jit else program
        placed = jax.device_put(
            (program.state, program.batch),
            (NamedSharding(mesh, P()), NamedSharding(mesh, P("data"))),
        )
        before = program.state.params
        spread = program.compile(mesh)(*placed).params
        expected = jax.jit(alone.step)(alone.state, alone.batch).params
        updates = [
            jax.tree.map(lambda new, old: np.asarray(new) - np.asarray(old), new, before)
            for new in (spread, expected)
        ]
        difference = optax.tree.norm(optax.tree.sub(*updates)) / optax.tree.norm(updates[1])
        distances[name] = float(difference)
    return distances


def on_shards(problem: training.Problem) -> tuple[training.Step, training.State]:
    """Return MMPareto's step for one device in ``shard_map``, and its initial state.

    Each device differentiates the losses of its part of the batch. The gradients are averaged over
    the axis "data" and combined on shards, by ``average_over`` of ``mmp.mmpareto``.

    Args:
      problem: The network, whose batch statistics are averaged over the axis "data".
    """
    aggregator = mmp.mmpareto(audio_video.ENCODERS, average_over="data")
    compute = mmp.value_and_objective_grads(problem.losses, audio_video.ENCODERS, has_aux=True)

    def step(state: training.State, batch: Any) -> training.State:
        (values, statistics), grads = compute(state.params, state.statistics, batch)
        combined, integration = aggregator.update(
            grads, state.integration, state.params, losses=values
        )
        return training.apply(state, combined, statistics, integration)

    start = training.SGD.init(problem.params), aggregator.init(problem.params)
    return step, training.State(problem.params, problem.statistics, *start)


def under_jit(step: training.Step, mesh: jax.sharding.Mesh) -> Any:
    """Return the jitted step of the whole batch, sharded over "data"; XLA partitions the step."""
    replicated, sharded = NamedSharding(mesh, P()), NamedSharding(mesh, P("data"))
    return jax.jit(step, in_shardings=(replicated, sharded), out_shardings=replicated)


def in_shard_map(step: training.Step, mesh: jax.sharding.Mesh) -> Any:
    """Return the jitted step that each device takes on its part, with ``check_vma=False``."""
    return jax.jit(
        jax.shard_map(step, mesh=mesh, in_specs=(P(), P("data")), out_specs=P(), check_vma=False)
    )


def in_checked_shard_map(step: training.Step, mesh: jax.sharding.Mesh) -> Any:
    """Return the jitted step that each device takes on its part, with ``check_vma=True``.

    The losses are averages over the devices, and so JAX averages the gradients.
    """
    return jax.jit(jax.shard_map(step, mesh=mesh, in_specs=(P(), P("data")), out_specs=P()))


if __name__ == "__main__":
    main()
