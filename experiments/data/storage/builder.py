"""The TFDS builder of all data sets; importing this module imports ``tensorflow_datasets``."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from experiments.data.storage.recipe import Examples, Recipe


class RecipeBuilder(tfds.core.GeneratorBasedBuilder):
    """Write the splits "train" and "test" of a recipe to ArrayRecord files, without TensorFlow.

    Args:
      recipe: How the set is written; the builder has its name and version.
      prepared_dir: The folder of prepared sets; this one goes to ``PREPARED_DIR/NAME/VERSION``.
      files_dir: The folder of the files that the set is made from, if it needs any.
      workers: Number of processes that decode. Clips are decoded by at least one process, since a
        decoder may crash.
    """

    def __init__(
        self,
        recipe: Recipe,
        prepared_dir: str | Path,
        files_dir: str | Path | None = None,
        workers: int = 0,
    ):
        self.name = recipe.name
        self.VERSION = tfds.core.Version(recipe.version)
        self.recipe = recipe
        self.prepared_dir = Path(prepared_dir)
        self.files_dir = None if files_dir is None else Path(files_dir)
        self.workers = workers
        super().__init__(file_format="array_record", data_dir=self.prepared_dir)

    def __reduce__(self) -> tuple[Callable[..., "RecipeBuilder"], tuple[Any, ...]]:
        # TFDS pickles only the arguments that it knows, without the recipe.
        return RecipeBuilder, (self.recipe, self.prepared_dir, self.files_dir, self.workers)

    def skip(self, split: str, sample: str, reason: str) -> None:
        """Record that a sample is left out; the record is reported and kept with the set.

        Args:
          split: "train" or "test".
          sample: The name of the sample.
          reason: A few words that complete a sentence about the sample, such as "unreadable".
        """
        self.info.metadata.setdefault("skipped", []).append(
            {"split": split, "sample": sample, "reason": reason}
        )

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.recipe.description,
            features=tfds.features.FeaturesDict(self.recipe.features()),
            metadata=tfds.core.MetadataDict(),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: object) -> Mapping[str, Examples]:
        splits = self.recipe.examples(self)
        return {split: self._generate_examples(examples) for split, examples in splits.items()}

    def _generate_examples(self, examples: Examples) -> Examples:
        return examples
