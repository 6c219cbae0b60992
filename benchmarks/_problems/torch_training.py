"""Training steps in torch: plain, with TorchJD, with LibMTL and with the released rule."""

from collections.abc import Callable
from typing import Any

import torch
import torchjd.aggregation
from torchjd import autojac

from benchmarks._problems import libmtl, torch_released
from benchmarks._problems.audio_video import CHANNELS
from benchmarks._problems.torch_audio_video import LateFusion

Backward = Callable[[Any], None]
"""Function that fills ``.grad`` of all parameters from a dict of losses."""


def programs(batch: Any) -> dict[str, Callable[[], None]]:
    """Return functions by name that take a step of SGD with momentum, each on its own network.

    Args:
      batch: The batch of every step, in torch's layout.

    Returns:
      For each method, the function of :func:`program`. LibMTL's are there if it is installed.
    """
    backwards: dict[str, Callable[[LateFusion], Backward]] = {
        "torch": lambda model: plain,
        "TorchJD MGDA": lambda model: by_torchjd(model, torchjd.aggregation.MGDA(), None),
        "TorchJD MGDA, loss by loss": lambda model: by_torchjd(
            model, torchjd.aggregation.MGDA(), 1
        ),
        "TorchJD PCGrad, loss by loss": lambda model: by_torchjd(
            model, torchjd.aggregation.PCGrad(), 1
        ),
        "released rule": lambda model: lambda losses: torch_released.backward(model, losses),
    }
    weightings = libmtl.weightings()
    if weightings is not None:
        backwards["LibMTL MGDA"] = lambda model: libmtl.backward(
            weightings.MGDA, model, mgda_gn="none"
        )
        backwards["LibMTL PCGrad"] = lambda model: libmtl.backward(weightings.PCGrad, model)
    return {name: program(make, batch) for name, make in backwards.items()}


def program(make: Callable[[LateFusion], Backward], batch: Any) -> Callable[[], None]:
    """Make a network, and return a function that takes its next training step at each call.

    Args:
      make: Function from the network to the function that fills ``.grad`` from its losses.
      batch: The batch of every step, in torch's layout.
    """
    torch.manual_seed(0)
    model = LateFusion()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    backward = make(model)

    def step() -> None:
        optimizer.zero_grad()
        backward(model.losses(batch))
        optimizer.step()

    return step


def plain(losses: dict[str, torch.Tensor]) -> None:
    """Fill ``.grad`` of all parameters with the gradient of the sum of the losses."""
    torch.stack(list(losses.values())).sum().backward()


def by_torchjd(model: LateFusion, aggregator: Any, chunk_size: int | None) -> Backward:
    """Return a function that fills ``.grad`` by an aggregator of TorchJD, encoder by encoder.

    It combines the gradients of each encoder's two losses; the heads get the gradient of the sum of
    all losses.

    Args:
      model: The network.
      aggregator: An object of TorchJD's aggregators, such as ``MGDA()``.
      chunk_size: The number of losses whose backward passes run at once in ``torch.vmap``, or None
        for all.
    """

    def backward(losses: dict[str, torch.Tensor]) -> None:
        for name in CHANNELS:
            parameters = list(model.encoders[name].parameters())
            autojac.backward(
                [losses["joint"], losses[name]],
                inputs=parameters,
                retain_graph=True,
                parallel_chunk_size=chunk_size,
            )
            autojac.jac_to_grad(parameters, aggregator)
        torch.stack(list(losses.values())).sum().backward(inputs=list(model.heads.parameters()))

    return backward
