"""The verb ``strategies``: measure operations, memory and time of each strategy's step.

The strategies "stacked", "gramian" and "features" are those of ``mmp.integrate``, with MMPareto.
Operations and temporary bytes are those that XLA reports for the compiled step, including SGD with
momentum and donated buffers. There are two networks: ResNet-18 on sound and on video with the input
sizes of the paper, which is two encoders with two objectives each; and one deep encoder with eight
objectives, whose parameters take more memory than its activations.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

import mmpareto_jax as mmp
from benchmarks import _report
from benchmarks._problems import audio_video, shared_encoder, training
from experiments.data.storage.files import make_folder
from experiments.engine.devices import description
from experiments.engine.timing import Ratio, flops, times_in_turns
from experiments.markdown import grid

COMMAND = "python -m benchmarks strategies"
AUDIO = (257, 188, 1)
VIDEO = (2, 224, 224, 3)
FLOAT_BYTES = 4


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Settings of this benchmark: the sizes of the two networks, and how often to measure."""

    batch_size: int = 4
    """Number of samples of sound and video."""
    layers: tuple[int, ...] = (8, 16)
    """Numbers of layers of the shared encoder."""
    rounds: int = 5
    """Number of measured rounds; in each, the strategies take turns."""


class Cost(NamedTuple):
    """The cost of a compiled step, as reported by XLA.

    Attributes:
      flops: Floating-point operations.
      temporary_bytes: Bytes of memory beyond those of the arguments and results.
    """

    flops: float
    temporary_bytes: int


def main(protocol: Protocol, output: Path = Path("runs", "bench-strategies")) -> None:
    """Compare operations, memory and time of the three strategies with the plain step.

    Args:
      protocol: The sizes of the two networks, and how often to measure.
      output: Folder for the table, as Markdown and JSON.
    """
    make_folder(output)
    fusion, times = late_fusion(protocol)
    memory = {layers: deep(layers) for layers in protocol.layers}
    table = "\n".join(
        [
            f"ResNet-18 on sound {_by(AUDIO)} and on video {_by(VIDEO)}, batch "
            f"{protocol.batch_size}, over the uniform step:\n",
            _late_fusion_table(fusion, times),
            f"One encoder of layers of {shared_encoder.WIDTH}, {len(shared_encoder.HEADS)} "
            f"objectives, batch {shared_encoder.BATCH_SIZE}: temporary bytes beyond the uniform "
            "step's, in gradients of the whole network:\n",
            _memory_table(memory),
            f"`{COMMAND}` on {description()}; wall time in {protocol.rounds} rounds: median "
            "(minimum to maximum).\n",
        ]
    )
    results = {
        "command": COMMAND,
        "device": description(),
        "protocol": dataclasses.asdict(protocol),
        "late fusion": {name: cost._asdict() for name, cost in fusion.items()},
        "wall time over uniform": {name: ratio._asdict() for name, ratio in times.items()},
        "shared encoder": {
            layers: {
                "gradient bytes": found.gradient_bytes,
                "largest tensor bytes": found.largest_bytes,
                "steps": {name: cost._asdict() for name, cost in found.costs.items()},
            }
            for layers, found in memory.items()
        },
    }
    _report.save(output, table, results)


def late_fusion(protocol: Protocol) -> tuple[dict[str, Cost], dict[str, Ratio]]:
    """Measure the steps of the audio-video network, and their wall times over the uniform step.

    Args:
      protocol: The batch size and the number of rounds.

    Returns:
      The costs of "uniform" and of each strategy, and for each strategy the ratio of wall times.
    """
    size = protocol.batch_size
    problem = audio_video.problem({"audio": (size, *AUDIO), "video": (size, *VIDEO)})
    compiled = compile_steps(problem, audio_video.ENCODERS)
    times = times_in_turns(
        {
            name: training_program(step, state, problem.batch)
            for name, (step, state) in compiled.items()
        },
        protocol.rounds,
    )
    ratios: dict[str, Ratio] = {
        name: Ratio.over_rounds(times[name], times["uniform"]) for name in training.STRATEGIES
    }
    return {name: cost(step) for name, (step, _) in compiled.items()}, ratios


class Memory(NamedTuple):
    """Costs of the steps of the deep encoder, and the sizes with which to compare them.

    Attributes:
      costs: The costs of "uniform" and of each strategy.
      gradient_bytes: Bytes of one gradient of all parameters.
      largest_bytes: Bytes of the largest tensor of parameters.
    """

    costs: dict[str, Cost]
    gradient_bytes: int
    largest_bytes: int

    def excess(self, name: str) -> float:
        """Return the temporary bytes of a step beyond those of the uniform step.

        Args:
          name: The name of the strategy.

        Returns:
          The bytes divided by those of one gradient of all parameters.
        """
        beyond = self.costs[name].temporary_bytes - self.costs["uniform"].temporary_bytes
        return beyond / self.gradient_bytes

    @property
    def allowed(self) -> float:
        """Return the largest :meth:`excess` that the strategy "gramian" should have.

        It is the memory of 1.2 gradients and K times the largest tensor, with K objectives, divided
        by that of one gradient.
        """
        return 1.2 + len(shared_encoder.HEADS) * self.largest_bytes / self.gradient_bytes


def deep(layers: int) -> Memory:
    """Compile the strategies on one encoder with K objectives, and return their costs.

    Args:
      layers: The number of layers of the encoder.
    """
    problem = shared_encoder.problem(layers)
    sizes = [FLOAT_BYTES * leaf.size for leaf in jax.tree.leaves(problem.params)]
    steps = compile_steps(problem, shared_encoder.ENCODERS)
    return Memory({name: cost(step) for name, (step, _) in steps.items()}, sum(sizes), max(sizes))


def compile_steps(
    problem: training.Problem, encoders: Mapping[str, mmp.Encoder]
) -> dict[str, tuple[Any, training.State]]:
    """Compile the steps of the uniform baseline and of the three strategies.

    Args:
      problem: The network and its batch.
      encoders: Encoders by name.

    Returns:
      For "uniform" and each strategy, the compiled function from a state (which it donates) and a
      batch to the next state, and the initial state.
    """
    steps = {"uniform": training.uniform(problem)}
    for strategy in training.STRATEGIES:
        steps[strategy] = training.integrated(problem, encoders, strategy)
    return {
        name: (jax.jit(step, donate_argnums=0).lower(state, problem.batch).compile(), state)
        for name, (step, state) in steps.items()
    }


def cost(compiled: Any) -> Cost:
    """Return the operations and temporary bytes of a program that ``jax.jit`` compiled."""
    return Cost(flops(compiled), compiled.memory_analysis().temp_size_in_bytes)


def training_program(step: Any, state: training.State, batch: Any) -> Callable[[], Any]:
    """Return a function that takes the next step of training at each call.

    Args:
      step: Function from a state, which it may donate, and a batch to the next state.
      state: The initial state, which is copied.
      batch: The batch of every step.

    Returns:
      A function without arguments that returns the new state.
    """
    state = jax.tree.map(jnp.copy, state)

    def program() -> Any:
        nonlocal state
        state = step(state, batch)
        return state

    return program


def _late_fusion_table(costs: dict[str, Cost], times: dict[str, Ratio]) -> str:
    uniform = costs["uniform"]
    rows = [
        [
            name,
            f"{costs[name].flops / uniform.flops:.4f}",
            f"{costs[name].temporary_bytes / uniform.temporary_bytes:.2f}",
            str(times[name]),
        ]
        for name in training.STRATEGIES
    ]
    return grid(["strategy", "FLOPs", "temporary bytes", "wall time"], rows)


def _memory_table(memory: dict[int, Memory]) -> str:
    rows = [
        [
            str(layers),
            *(f"{found.excess(name):.2f}" for name in training.STRATEGIES),
            f"{found.allowed:.2f}",
        ]
        for layers, found in memory.items()
    ]
    return grid(["layers", *training.STRATEGIES, "aim for gramian"], rows)


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
