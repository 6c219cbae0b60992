"""The builder of colored-and-gray digits."""

from experiments.data.builders._arrays import PreparedFromArrays
from experiments.data.builders.colored_gray import features
from experiments.data.sets import cg_digits
from experiments.data.storage.fields import Fields


class CgDigits(PreparedFromArrays):
    """Gray digits, each with a copy in a colour that tells the class."""

    FEATURES = features(side=8)

    def arrays(self) -> dict[str, Fields]:
        """Return what `cg_digits.arrays` makes."""
        return cg_digits.arrays()
