"""The builder of ModelNet40."""

import io
from collections.abc import Iterator
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from experiments.data.builders._prepared_from_files import Example, PreparedFromFiles
from experiments.data.media.images import ImageError, decoded
from experiments.data.sets import modelnet40
from experiments.data.storage.lfs import refuse_pointer
from experiments.errors import UserError


class Modelnet40(PreparedFromFiles):
    """Objects of 40 classes, rendered from the front and from the back.

    The image files are kept as they are.
    """

    FEATURES: ClassVar[dict[str, Any]] = {
        "front": tfds.features.Image(shape=(None, None, 3)),
        "back": tfds.features.Image(shape=(None, None, 3)),
        "label": tfds.features.ClassLabel(names=modelnet40.CLASSES),
    }

    def examples(self, split: str) -> Iterator[tuple[str, Example]]:
        """Yield the objects of a split that have both views.

        An object is left out if it lacks one of the two, or if one cannot be decoded.

        Raises:
            UserError: as `modelnet40.objects`; a view is a pointer of Git LFS; or no object of a
                class can be used.
        """
        kept = set()
        for item in modelnet40.objects(self.files_dir, split):
            example = self._example(item, split)
            if example is not None:
                kept.add(item.label)
                yield item.name, example
        lost = [name for label, name in enumerate(modelnet40.CLASSES) if label not in kept]
        if lost:
            raise UserError(
                f"no {split} object of {', '.join(lost)} in {self.files_dir} has both views in "
                "files that can be decoded: get the renderings again"
            )

    def _example(self, item: modelnet40.Object, split: str) -> Example | None:
        if item.front is None or item.back is None:
            self.skip(split, item.name, f"without its {'back' if item.front else 'front'} view")
            return None
        for path in (item.front, item.back):
            refuse_pointer(path)
        try:
            files = {"front": item.front.read_bytes(), "back": item.back.read_bytes()}
            for file in files.values():
                decoded(file)
        except ImageError as problem:
            self.skip(split, item.name, f"with a view {problem}")
            return None
        except Exception:  # Pillow raises nearly any kind over a damaged file
            self.skip(split, item.name, "with a damaged view")
            return None
        return {view: io.BytesIO(file) for view, file in files.items()} | {"label": item.label}
