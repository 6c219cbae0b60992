"""Linear probes on the encoders."""

from collections.abc import Mapping
from typing import Any

from experiments.engine.probe import linear_probe
from experiments.engine.program import Program
from experiments.engine.state import TrainState


def probe(
    compiled: Program, state: TrainState, encoders: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    """By encoder the scores of :func:`experiments.engine.probe.linear_probe`.

    Args:
      compiled: The program of the run.
      state: Whose encoders are probed.
      encoders: Not needed: all are probed.
    """
    del encoders
    return linear_probe(compiled, state)
