"""The builder of Kinetics-Sounds."""

from experiments.data.builders._clips import PreparedFromClips, features
from experiments.data.sets import kinetics_sounds
from experiments.data.sets.kinetics_sounds import Segment


class KineticsSounds(PreparedFromClips):
    """Human actions of 31 classes that can be seen and heard, ten seconds each.

    Clips whose files are missing, unreadable, or without sound or pictures are left out. The
    number of rows of the annotations that are of other classes of Kinetics, which are not part of
    the set, is in the metadata as `other_classes`.
    """

    FEATURES = features(kinetics_sounds.CLASSES)
    decode = staticmethod(kinetics_sounds.decode)

    def clips(self) -> dict[str, list[Segment]]:
        """Return the clips that `kinetics_sounds.clips` finds."""
        found = kinetics_sounds.clips(self.files_dir)
        self.info.metadata["other_classes"] = found.other_classes
        return found.splits
