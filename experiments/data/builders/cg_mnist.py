"""The builder of colored-and-gray MNIST."""

from experiments.data.builders._arrays import PreparedFromArrays
from experiments.data.builders.colored_gray import features
from experiments.data.sets import cg_mnist
from experiments.data.storage.fields import Fields


class CgMnist(PreparedFromArrays):
    """Gray MNIST images, each with a copy in a colour that tells the class."""

    FEATURES = features(side=28)

    def arrays(self) -> dict[str, Fields]:
        """Return what `cg_mnist.arrays` makes from the MNIST files."""
        return cg_mnist.arrays(self.files_dir)
