"""Builders of the data sets of clips, decoded in several processes."""

import abc
import functools
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from experiments.data.builders._prepared_from_files import Example, PreparedFromFiles
from experiments.data.media import decoding
from experiments.data.media.clips import ClipError
from experiments.errors import UserError


def features(classes: Sequence[str]) -> dict[str, Any]:
    """Return the features of a clip of one of several classes."""
    return {
        "waveform": tfds.features.Tensor(shape=(None,), dtype=np.int16, encoding="bytes"),
        "frames": tfds.features.Sequence(
            tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg")
        ),
        "label": tfds.features.ClassLabel(names=classes),
        "clip": tfds.features.Text(),
    }


class PreparedFromClips(PreparedFromFiles):
    """A data set written in the order in which `clips` lists its clips.

    A subclass states `FEATURES`, as `features` makes them; `decode`; and `clips`. Clips that
    `decode` finds unusable are left out.
    """

    VERSION = tfds.core.Version("1.1.0")  # pictures are upright, whole recordings are always cut

    decode: Callable[[Any], dict[str, Any]]
    """Makes an example of a clip, or raises `ClipError`; picklable."""

    @abc.abstractmethod
    def clips(self) -> dict[str, list[Any]]:
        """Return the clips of `train` and `test`, each a `clips.Clip`."""

    @functools.cached_property
    def _clips(self) -> dict[str, list[Any]]:
        return self.clips()

    def examples(self, split: str) -> Iterator[tuple[str, Example]]:
        """Yield the clips of a split that can be used.

        Raises:
            UserError: as `clips` and `decoding.in_order`; or no clip of a class can be used.
        """
        clips = self._clips[split]
        attempt = functools.partial(decoding.attempt, self.decode)
        kept = set()
        left_out: dict[str, str] = {}
        for clip, result in zip(
            clips, decoding.in_order(attempt, clips, self.workers), strict=True
        ):
            if isinstance(result, ClipError):
                self.skip(split, clip.name, str(result))
                left_out.setdefault(clip.label, f"{clip.name} is {result}")
                continue
            kept.add(clip.label)
            yield clip.name, result | {"frames": [io.BytesIO(jpeg) for jpeg in result["frames"]]}
        if lost := sorted({clip.label for clip in clips} - kept):
            raise UserError(
                f"no {split} clip of {', '.join(lost)} can be used "
                f"({'; '.join(left_out[label] for label in lost)}): get the files in "
                f"{self.files_dir} again"
            )
