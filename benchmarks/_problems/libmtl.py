"""LibMTL's weightings, where it is installed, on the network of the benchmark."""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from typing import Any

from benchmarks._problems.torch_audio_video import LateFusion


def weightings() -> Any:
    """Its module of weightings, or None.

    The package itself cannot be imported beside a current torchvision: it looks for
    ``torchvision.models.utils``, which is gone. Its weightings need nothing of that.
    """
    spec = importlib.util.find_spec("LibMTL")
    if spec is None:
        return None
    try:
        return importlib.import_module("LibMTL.weighting")
    except ImportError:
        # The package with its own code left out; what it holds is found as ever.
        sys.modules["LibMTL"] = importlib.util.module_from_spec(spec)
        return importlib.import_module("LibMTL.weighting")


def backward(weighting: Any, model: LateFusion, **arguments: Any) -> Callable[[Any], None]:
    """Return a function that fills ``.grad`` from a dict of losses.

    Both encoders are LibMTL's one set of shared parameters, trained by all three losses; it has no
    notion of several sets with objectives of their own.
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
