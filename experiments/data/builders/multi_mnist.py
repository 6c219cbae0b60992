"""The builder of MultiMNIST."""

from typing import Any, ClassVar

import tensorflow_datasets as tfds

from experiments.data.builders._arrays import PreparedFromArrays
from experiments.data.sets import multi_mnist
from experiments.data.storage.fields import Fields


class MultiMnist(PreparedFromArrays):
    """Two MNIST digits side by side, the right one under noise."""

    FEATURES: ClassVar[dict[str, Any]] = {
        "image": tfds.features.Image(shape=(28, 56, 1)),
        "left": tfds.features.ClassLabel(num_classes=10),
        "right": tfds.features.ClassLabel(num_classes=10),
    }

    def arrays(self) -> dict[str, Fields]:
        """Return what `multi_mnist.arrays` makes from the MNIST files."""
        return multi_mnist.arrays(self.files_dir)
