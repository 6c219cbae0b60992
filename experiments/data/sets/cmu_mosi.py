"""CMU-MOSI: the sentiment of spoken film reviews from words, voice and face.

The set is read from one of the pickles of features that are in circulation. They share a layout:
for ``train``, ``valid`` and ``test`` they have an array of each modality, [N, T, D], padded with
zeros to one length, and the sentiment from -3 to 3. Among them are ``mosi_data.pkl`` (word-aligned:
text 50 x 300, audio 50 x 5, vision 50 x 20), ``mosi_data_noalign.pkl`` (audio 375 x 5, vision
500 x 20), ``mosi_raw.pkl`` (text 300, audio 74, vision 35) and ``aligned_50.pkl`` and
``unaligned_50.pkl`` (text 50 x 768).

Source: Zadeh et al., "MOSI: multimodal corpus of sentiment intensity and subjectivity analysis in
online opinion videos", 2016; the layout of Tsai et al., "Multimodal transformer for unaligned
multimodal language sequences", ACL 2019, and of Yu et al., "CH-SIMS", ACL 2020.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.config import PAPER
from experiments.data._dataset import DataSet, Scaling, multimodal
from experiments.data.media.scaling import as_stored
from experiments.data.media.standardization import moments
from experiments.data.storage import from_arrays, numpy_pickle
from experiments.data.storage.fields import Fields
from experiments.errors import UserError

FILE = "mosi_data.pkl"
"""The file that is read if a folder has several pickles."""

MODALITIES = ("text", "audio", "vision")

STANDARDIZED = ("audio", "vision")
"""The modalities that are standardized. Text is word vectors, which have one scale already."""

SENTIMENTS = ("regression_labels", "labels")
"""Possible names of the sentiment; the first that exists is read."""

MOST = 3.0
"""Largest absolute sentiment."""


def arrays(data_dir: str | Path | None) -> dict[str, Fields]:
    """Read the features and label them as negative or non-negative.

    The label is 0 if the sentiment is below 0 and 1 otherwise, so neutral samples count as
    non-negative. Features that are not finite, as some of COVAREP's are, become 0; their number is
    printed to standard error. Audio and vision are standardized with the mean and standard
    deviation of each feature over the frames of the training split. A frame of zeros is padding: it
    does not count and stays zero. The split ``valid`` is not used.

    Args:
      data_dir: The folder of ``mosi_data.pkl``, or of a single other pickle.

    Returns:
      ``train`` and ``test`` (1,284 and 686 samples in the published files), each with ``text``,
      ``audio`` and ``vision``, float32 [N, T, D], T and D as in the file; and ``label``, int32 [N].

    Raises:
      UserError: If no folder is named; it has no pickle, or several; or the pickle is damaged,
        needs to execute code, or has another layout.
    """
    if data_dir is None:
        raise UserError(
            "cmu-mosi is made from a pickle of features: name its folder with --data-dir"
        )
    path = _file(Path(data_dir))
    contents = numpy_pickle.load(path)
    try:
        splits = {split: _fields(contents, split) for split in ("train", "test")}
        for modality in MODALITIES:
            _same_width(splits, modality)
    except ValueError as error:
        raise UserError(
            f"{path} is not CMU-MOSI as it is distributed ({error}): name another file"
        ) from error
    _replace_non_finite(splits, path)
    for modality in STANDARDIZED:
        _standardize(splits, modality)
    return splits


def _file(folder: Path) -> Path:
    if (folder / FILE).exists():
        return folder / FILE
    pickles = sorted(folder.glob("*.pkl"))
    if not pickles:
        raise UserError(f"{folder} has no pickle: put {FILE} or a file like it there")
    if len(pickles) > 1:
        names = ", ".join(path.name for path in pickles)
        raise UserError(f"{folder} has several pickles ({names}): leave the one to be read")
    return pickles[0]


def _fields(contents: Any, split: str) -> Fields:
    samples = contents.get(split) if isinstance(contents, dict) else None
    if not isinstance(samples, dict):
        raise ValueError(f"it has no split {split!r}")
    sentiment = _sentiment(samples)
    fields = {modality: _features(samples, modality) for modality in MODALITIES}
    for modality, features in fields.items():
        if len(features) != len(sentiment):
            raise ValueError(f"{split} has {len(features)} of {modality}, {len(sentiment)} labels")
    return {**fields, "label": (sentiment >= 0).astype(np.int32)}


def _features(samples: dict[str, Any], modality: str) -> np.ndarray:
    features = _numbers(samples.get(modality), modality)
    if features.ndim != 3:
        raise ValueError(f"{modality} has the shape {features.shape}, not [N, T, D]")
    with np.errstate(over="ignore"):
        return features.astype(np.float32)


def _sentiment(samples: dict[str, Any]) -> np.ndarray:
    name = next((name for name in SENTIMENTS if name in samples), SENTIMENTS[0])
    sentiment = _numbers(samples.get(name), name)
    if sentiment.ndim == 0 or sentiment.size != len(sentiment) or not sentiment.size:
        raise ValueError(f"{name} has the shape {sentiment.shape}, not one number per sample")
    sentiment = sentiment.reshape(-1)
    if not (np.abs(sentiment) <= MOST).all():
        raise ValueError(f"{name} is not between -3 and 3")
    return sentiment


def _numbers(value: Any, name: str) -> np.ndarray:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf":
        raise ValueError(f"it has no array of numbers called {name!r}")
    return value


def _same_width(splits: dict[str, Fields], modality: str) -> None:
    train, test = (splits[split][modality].shape[1:] for split in ("train", "test"))
    if train != test:
        raise ValueError(f"{modality} is {train} in training and {test} in the test")


def _replace_non_finite(splits: dict[str, Fields], path: Path) -> None:
    replaced = 0
    for fields in splits.values():
        for modality in MODALITIES:
            infinite = ~np.isfinite(fields[modality])
            replaced += int(infinite.sum())
            fields[modality][infinite] = 0
    if replaced:
        print(f"{path}: {replaced} features are not finite and became 0", file=sys.stderr)


def _standardize(splits: dict[str, Fields], modality: str) -> None:
    train = splits["train"][modality]
    mean, deviation = moments(train[train.any(axis=2)])
    for fields in splits.values():
        features = fields[modality]
        frames = features.any(axis=2)
        features[frames] = (features[frames] - mean) / deviation


def _features_on_disk() -> dict[str, Any]:
    import tensorflow_datasets as tfds

    # Length and width differ among the files in circulation. Most of the numbers are padding.
    sequence = tfds.features.Tensor(
        shape=(None, None), dtype=np.float32, encoding=tfds.features.Encoding.ZLIB
    )
    return {
        **dict.fromkeys(MODALITIES, sequence),
        "label": tfds.features.ClassLabel(names=["negative", "non-negative"]),
    }


_SCALINGS: Mapping[str, Scaling] = dict.fromkeys(MODALITIES, as_stored)

DATASET = DataSet(
    name="cmu-mosi",
    kind="sequences",
    modalities=_SCALINGS,
    objectives=multimodal(_SCALINGS, num_classes=2),
    recipe=from_arrays.recipe(
        "cmu_mosi",
        "The sentiment of spoken film reviews from words, voice and face.",
        _features_on_disk,
        arrays,
    ),
    arrays=arrays,
    model="transformer",
    optimization=PAPER,
)
