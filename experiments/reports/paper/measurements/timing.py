"""The time of MMPareto's integration, beside that of the whole step and of the released rule."""

import importlib.metadata
import importlib.util
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import mmpareto_jax as mmp
from experiments.engine.program import Program
from experiments.engine.state import TrainState
from experiments.engine.timing import Ratio, times_in_turns
from mmpareto_jax import Encoder

ROUNDS = 20

RATIOS = {"integration/step": ("integration", "step"), "released/ours": ("released", "integration")}
"""By name of a ratio of times, the programs of its numerator and its denominator."""


def measure(
    compiled: Program, state: TrainState, encoders: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    """Time the integration of gradients alone, the training step, and the released rule.

    They take turns in every round. The integration begins with the gradients of each encoder's
    objectives and ends with its update; the gradients are random, of the shapes of the encoders'
    parameters. The released rule is given the same gradients where torch is installed and runs on
    the same kind of device. The step is the program's on one batch, which lies on the device.

    Args:
      compiled: The run's program.
      state: The state to step from; it is copied, not consumed.
      encoders: By name of an encoder, the heads whose losses train it.

    Returns:
      ``rounds``; ``device``, its name; ``integration/step`` and, where torch is installed,
      ``released/ours``, each with ``median``, ``minimum`` and ``maximum`` of the ratios within a
      round; ``torch``, its version, with the latter; on a GPU also ``seconds``, for each program
      its ``mean`` and ``variance``: absolute times of a shared processor tell little.

    Source:
      Table 8 of Wei and Hu, "MMPareto: Boosting Multimodal Learning with Innocent Unimodal
      Assistance", ICML 2024.
    """
    gradients = _random_gradients(state.params["encoders"], encoders)
    times = times_in_turns(
        {
            "integration": _integration(state.params["encoders"], gradients, encoders),
            "step": _step(compiled, state),
            **_released(gradients),
        },
        ROUNDS,
    )
    measured: dict[str, Any] = {"rounds": ROUNDS, "device": jax.devices()[0].device_kind}
    measured |= ratios(times)
    if "released" in times:
        measured["torch"] = importlib.metadata.version("torch")
    if _on_gpu():
        measured["seconds"] = seconds(times)
    return measured


def ratios(times: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Return median, minimum and maximum of the ratios in ``RATIOS`` whose programs were timed.

    Args:
      times: Seconds per call by program, ``[rounds]``.

    Example:
      >>> ratios({"integration": np.array([1.0, 2.0]), "step": np.array([4.0, 4.0])})
      {'integration/step': {'median': 0.375, 'minimum': 0.25, 'maximum': 0.5}}
    """
    return {
        name: Ratio.over_rounds(times[numerator], times[denominator])._asdict()
        for name, (numerator, denominator) in RATIOS.items()
        if numerator in times and denominator in times
    }


def seconds(times: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Return mean and sample variance (n - 1) of each program's seconds over the rounds.

    Args:
      times: Seconds per call by program, ``[rounds]``.

    Example:
      >>> seconds({"step": np.array([1.0, 3.0])})
      {'step': {'mean': 2.0, 'variance': 2.0}}
    """
    return {
        name: {"mean": float(np.mean(values)), "variance": float(np.var(values, ddof=1))}
        for name, values in times.items()
    }


def _random_gradients(params: Any, encoders: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Return standard normal gradients by encoder, a tree like its parameters.

    Each leaf is float32 ``[objectives, *shape]``, a NumPy array.
    """
    rng = np.random.default_rng(0)

    def draw(number: int, tree: Any) -> Any:
        return jax.tree.map(lambda p: rng.standard_normal((number, *p.shape), np.float32), tree)

    return {name: draw(len(objectives), params[name]) for name, objectives in encoders.items()}


def _integration(
    params: Any, gradients: dict[str, Any], encoders: Mapping[str, tuple[str, ...]]
) -> Callable[[], Any]:
    aggregator = mmp.mmpareto(
        {name: Encoder(params=name, objectives=heads) for name, heads in encoders.items()}
    )
    state = aggregator.init(params)
    on_device = jax.tree.map(jnp.asarray, gradients)
    update = jax.jit(aggregator.update)
    return lambda: update(on_device, state)


def _step(compiled: Program, state: TrainState) -> Callable[[], Any]:
    """Return a function that takes the next step at each call; it consumes a copy of the state."""
    with closing(compiled.feed.training(state.key, range(1))) as batches:
        batch = next(batches)
    state = jax.tree.map(jnp.copy, state)

    def program() -> Any:
        nonlocal state
        state, metrics = compiled.step(state, batch)
        return state, metrics

    return program


def _released(gradients: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """Return the program "released", which applies the released rule in torch to every encoder.

    The dict is empty if torch is not installed, or if JAX runs on a GPU that torch cannot use.
    """
    if importlib.util.find_spec("torch") is None:
        return {}
    import torch

    from experiments.methods._released_in_torch import integrate

    if _on_gpu() and not torch.cuda.is_available():
        return {}
    device = "cuda" if _on_gpu() else "cpu"
    pairs = [
        [
            {str(i): torch.from_numpy(leaf[row]).to(device) for i, leaf in enumerate(leaves)}
            for row in range(2)
        ]
        for leaves in map(jax.tree.leaves, gradients.values())
    ]

    def program() -> None:
        for pair in pairs:
            integrate(*pair)
        if _on_gpu():
            torch.cuda.synchronize()

    return {"released": program}


def _on_gpu() -> bool:
    return jax.devices()[0].platform == "gpu"
