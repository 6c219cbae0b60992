"""The builder of NYUv2."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from experiments.data.builders._arrays import png
from experiments.data.builders._prepared_from_files import Example, PreparedFromFiles
from experiments.data.sets import nyuv2
from experiments.errors import UserError


class Nyuv2(PreparedFromFiles):
    """Indoor scenes with the class and the depth of each pixel."""

    FEATURES: ClassVar[dict[str, Any]] = {
        "image": tfds.features.Image(shape=(nyuv2.HEIGHT, nyuv2.WIDTH, 3)),
        "segmentation": tfds.features.Tensor(
            shape=(nyuv2.HEIGHT, nyuv2.WIDTH), dtype=np.int8, encoding="zlib"
        ),
        "depth": tfds.features.Tensor(
            shape=(nyuv2.HEIGHT, nyuv2.WIDTH, 1), dtype=np.float32, encoding="zlib"
        ),
    }

    def examples(self, split: str) -> Iterator[tuple[int, Example]]:
        """Yield the scenes of a split that have all three files.

        Raises:
            UserError: as `nyuv2.scenes` and `nyuv2.read`; or no scene has all three files.
        """
        is_empty = True
        for scene in nyuv2.scenes(self.files_dir, split):
            missing = [field for field in nyuv2.FIELDS if field not in scene.files]
            if missing:
                self.skip(split, f"{scene.number}.npy", f"without {' and '.join(missing)}")
                continue
            fields = nyuv2.read(scene.files)
            is_empty = False
            yield scene.number, {**fields, "image": png(fields["image"])}
        if is_empty:
            raise UserError(
                f"no {split} scene in {self.files_dir} has an image, a label and a depth: "
                "get the whole set"
            )
