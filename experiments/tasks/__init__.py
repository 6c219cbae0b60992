"""The tasks of a model's heads, each with its loss and its scores, one per file."""

from experiments.tasks._task import Task
from experiments.tasks.classification import Classification
from experiments.tasks.depth import Depth
from experiments.tasks.segmentation import Segmentation

__all__ = ["Classification", "Depth", "Segmentation", "Task"]
