"""What the builders have in common."""

import abc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import tensorflow_datasets as tfds

Example = dict[str, Any]
"""One sample as the features of a builder describe it."""


class PreparedFromFiles(tfds.core.GeneratorBasedBuilder):
    """A data set of a `train` and a `test` split, prepared in ArrayRecord files without TensorFlow.

    A subclass states `VERSION`, to be raised when its examples change; `FEATURES`; and `examples`.
    It calls `skip` for each sample that it leaves out.

    Args:
        data_dir: the folder of prepared data sets; this one goes to `DATA_DIR/NAME/VERSION`.
        files_dir: the folder of the files that the set is made from, if it needs any.
        workers: the processes that a builder may use to decode; a builder of clips uses at least
            one, since a decoder may crash.
        **builder_options: the other arguments of `tfds.core.GeneratorBasedBuilder`.
    """

    VERSION = tfds.core.Version("1.0.0")
    FEATURES: ClassVar[dict[str, Any]]

    def __init__(
        self, *, files_dir: str | Path | None = None, workers: int = 0, **builder_options: Any
    ):
        self.files_dir = None if files_dir is None else Path(files_dir)
        self.workers = workers
        super().__init__(file_format="array_record", **builder_options)

    @abc.abstractmethod
    def examples(self, split: str) -> Iterator[tuple[str | int, Example]]:
        """Yield a key, unique in the split, and an example for each sample of a split.

        Raises:
            UserError: the files are missing, damaged, or not what the set is made from.
        """

    def skip(self, split: str, sample: str, reason: str) -> None:
        """Leave a sample out, for a reason that the preparation reports and the set keeps."""
        self.info.metadata.setdefault("skipped", []).append(
            {"split": split, "sample": sample, "reason": reason}
        )

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=(self.__doc__ or "").partition("\n")[0],
            features=tfds.features.FeaturesDict(self.FEATURES),
            metadata=tfds.core.MetadataDict(),
            disable_shuffling=True,
        )

    def _split_generators(
        self, dl_manager: object
    ) -> dict[str, Iterator[tuple[str | int, Example]]]:
        return {split: self._generate_examples(split) for split in ("train", "test")}

    def _generate_examples(self, split: str) -> Iterator[tuple[str | int, Example]]:
        return self.examples(split)
