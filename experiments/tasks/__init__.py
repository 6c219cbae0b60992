"""What a head of a model is to learn: its loss and how it is scored, one task per file."""

from experiments.tasks._task import Task
from experiments.tasks.classification import Classification
from experiments.tasks.depth import Depth
from experiments.tasks.segmentation import Segmentation

__all__ = ["Classification", "Depth", "Segmentation", "Task"]
