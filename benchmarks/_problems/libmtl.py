"""LibMTL's weightings on the network of the benchmark, if LibMTL is installed."""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from typing import Any

from benchmarks._problems.torch_audio_video import LateFusion


def weightings() -> Any:
    """Return LibMTL's module of weightings, or None if LibMTL is not installed.

    The package itself cannot be imported together with a current torchvision, which no longer has
    ``torchvision.models.utils``. Its weightings do not need that module.
    """
    spec = importlib.util.find_spec("LibMTL")
    if spec is None:
        return None
    try:
        return importlib.import_module("LibMTL.weighting")
    except ImportError:
        # An empty package in its place lets its submodules be imported.
        sys.modules["LibMTL"] = importlib.util.module_from_spec(spec)
        return importlib.import_module("LibMTL.weighting")


def backward(weighting: Any, model: LateFusion, **arguments: Any) -> Callable[[Any], None]:
    """Return a function that fills ``.grad`` from a dict of losses.

    LibMTL has only one set of shared parameters, trained by all losses. Here it consists of both
    encoders, trained by all three losses.

    Args:
      weighting: A class of LibMTL's module of weightings, such as ``MGDA``.
      model: The network.
      **arguments: Keyword arguments of the weighting's ``backward``.
    """

    class Integration(weighting):
        task_num = len(model.heads)
        rep_grad = False
        device = "cpu"

        def get_share_params(self) -> Any:
            return model.encoders.parameters()

        def zero_grad_share_params(self) -> None:
            model.encoders.zero_grad(set_to_none=False)

    integration = Integration()
    return lambda losses: integration.backward(list(losses.values()), **arguments)
