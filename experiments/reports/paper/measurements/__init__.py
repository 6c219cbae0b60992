"""Measurements at fixed parameters, one kind per file.

A measurement is a function of a compiled program, a state and the encoders (by name, the heads
whose losses train them). It returns a dict of values that JSON can hold.
"""

from collections.abc import Callable, Mapping
from typing import Any

from experiments.engine.program import Program
from experiments.engine.state import TrainState
from experiments.reports.paper.measurements import timing
from experiments.reports.paper.measurements.curvature import curvature
from experiments.reports.paper.measurements.gradients import gradients
from experiments.reports.paper.measurements.landscape import landscape
from experiments.reports.paper.measurements.probe import probe

Measure = Callable[[Program, TrainState, Mapping[str, tuple[str, ...]]], dict[str, Any]]

MEASUREMENTS: dict[str, Measure] = {
    "curvature": curvature,
    "gradients": gradients,
    "landscape": landscape,
    "probe": probe,
    "timing": timing.measure,
}
