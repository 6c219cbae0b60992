"""The builder of CREMA-D."""

from experiments.data.builders._clips import PreparedFromClips, features
from experiments.data.media.clips import Clip
from experiments.data.sets import crema_d


class CremaD(PreparedFromClips):
    """Actors who speak a sentence in one of six emotions, in sound and pictures.

    Clips whose files are missing, unreadable, or without sound or pictures are left out.
    """

    FEATURES = features(crema_d.CLASSES)
    decode = staticmethod(crema_d.decode)

    def clips(self) -> dict[str, list[Clip]]:
        """Return what `crema_d.clips` finds in the archive."""
        return crema_d.clips(self.files_dir)
