"""The measurement "probe": linear classifiers on the frozen encoders."""

from collections.abc import Mapping
from typing import Any

from experiments.engine.probe import linear_probe
from experiments.engine.program import Program
from experiments.engine.state import TrainState


def probe(
    compiled: Program, state: TrainState, encoders: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    """Return by encoder the scores of :func:`experiments.engine.probe.linear_probe`.

    Args:
      compiled: The program of the run.
      state: The state whose encoders are probed.
      encoders: Ignored, since all encoders are probed.
    """
    del encoders
    return linear_probe(compiled, state)
