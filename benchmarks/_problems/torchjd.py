"""TorchJD's counterparts of our weightings, if it is installed, on the same inputs as ours."""

import importlib.util
import itertools
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np


class Peer(NamedTuple):
    """A method of TorchJD.

    Attributes:
      name: Name of the class.
      reads: Its input: the Gramian, a matrix of gradients with that Gramian, or the losses.
      arguments: Arguments of the class: our defaults, where its own differ or it has none.
      off_device: The package or code that computes off the device, in NumPy or Python on the CPU.
      fewest: The smallest number of objectives that it accepts.
    """

    name: str
    reads: Literal["gramian", "matrix", "losses"]
    arguments: Mapping[str, Any] = {}
    off_device: str = ""
    fewest: int = 2


PEERS = {
    "aligned_mtl": Peer("AlignedMTLWeighting", "gramian"),
    "cagrad": Peer("CAGradWeighting", "gramian", {"c": 0.5}, "cvxpy"),
    "config": Peer("ConFIG", "matrix"),
    "constant": Peer("ConstantWeighting", "matrix"),
    "dual_proj": Peer("DualProjWeighting", "gramian", off_device="quadprog"),
    "dwa": Peer("DWA", "losses"),
    "fairgrad": Peer("FairGradWeighting", "gramian", {"alpha": 1.0}, "scipy"),
    "famo": Peer("FAMO", "losses"),
    "geometric_mean": Peer("GeometricMean", "losses"),
    "gradvac": Peer("GradVacWeighting", "gramian", {"beta": 0.01}, "Python loops"),
    "imtl_g": Peer("IMTLGWeighting", "gramian"),
    "krum": Peer("KrumWeighting", "gramian", {"n_byzantine": 0}, fewest=3),
    "mean": Peer("MeanWeighting", "matrix"),
    "min_norm": Peer("MGDAWeighting", "gramian"),
    "nash_mtl": Peer("NashMTL", "matrix", off_device="cvxpy"),
    "pcd": Peer("PCDWeighting", "gramian", {"tau": 0.02}, "Python loops"),
    "pcgrad": Peer("PCGradWeighting", "gramian", off_device="Python loops"),
    "random": Peer("RandomWeighting", "matrix"),
    "sdmgrad": Peer("SDMGradWeighting", "gramian"),
    "stch": Peer("STCH", "losses", {"mu": 1.0}),
    "uncertainty": Peer("UW", "losses"),
    "uniform": Peer("SumWeighting", "matrix"),
    "upgrad": Peer("UPGradWeighting", "gramian", off_device="quadprog"),
}
"""By our weighting; gradnorm, metabalance, mmpareto and moco have no counterpart in TorchJD."""


def installed() -> bool:
    """Return whether TorchJD is installed (``pip install '.[peers]'``)."""
    return importlib.util.find_spec("torchjd") is not None


def program(
    peer: Peer, gramians: np.ndarray, gradients: np.ndarray, losses: np.ndarray
) -> Callable[[], Any]:
    """Return a function that computes the weights for the next of N inputs, in a cycle.

    This sets PyTorch to one thread for the whole process. At these sizes more threads are never
    faster, and in a container with shared cores they make a decomposition of a 32 x 32 matrix about
    a hundred times slower, which would be unfair to TorchJD.

    A method that reads the losses scalarizes and differentiates them; the derivatives are the
    weights. Then its state takes the step that its documentation asks for. TorchJD has no weighting
    for ConFIG, so its aggregator runs, on gradients with as few entries as possible.

    Args:
      peer: The method.
      gramians: ``[N, K, K]`` float32.
      gradients: ``[N, K, K]`` float32, with these Gramians.
      losses: ``[N, K]`` float32.

    Returns:
      A function without arguments; the weights are a tensor ``[K]``, except that the aggregator for
      ConFIG returns the combined gradient, ``[K]``.
    """
    import torch

    torch.set_num_threads(1)
    arrays = {"gramian": gramians, "matrix": gradients, "losses": losses}
    inputs = itertools.cycle([torch.from_numpy(array.copy()) for array in arrays[peer.reads]])
    if peer.reads == "losses":
        return _differentiating(peer, losses.shape[1], inputs)
    weighting = _weighting(peer, losses.shape[1])
    return lambda: weighting(next(inputs))


def _weighting(peer: Peer, num_objectives: int) -> Callable[[Any], Any]:
    import torch
    import torchjd.aggregation

    make = getattr(torchjd.aggregation, peer.name)
    match peer.name:
        case "ConstantWeighting":
            return make(torch.ones(num_objectives))
        case "NashMTL":
            return make(n_tasks=num_objectives).weighting
        case _:
            return make(**peer.arguments)


def _differentiating(peer: Peer, num_objectives: int, inputs: Any) -> Callable[[], Any]:
    import torch
    import torchjd.scalarization

    make = getattr(torchjd.scalarization, peer.name)
    scalarizer = make(
        **({"shape": num_objectives} if peer.name in ("FAMO", "UW") else peer.arguments)
    )
    learned = list(scalarizer.parameters())
    optimizer = torch.optim.SGD(learned, lr=2.5e-3) if peer.name == "UW" else None

    def weights() -> Any:
        values = next(inputs).clone().requires_grad_()
        scalarizer(values).backward()
        match peer.name:
            case "DWA":
                scalarizer.step()
            case "FAMO":
                scalarizer.update(values)
        if optimizer is not None:
            optimizer.step()
            optimizer.zero_grad()
        return values.grad

    return weights
