"""A miniature of CMU-MOSI's pickles of features, in the two layouts that are in circulation."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

SAMPLES = {"train": 24, "valid": 5, "test": 11}

AS_PUBLISHED: dict[str, Any] = {
    "samples": {"train": 1284, "valid": 229, "test": 686},
    "length": 50,
}
"""The options of ``contents`` with which the aligned pickle is as large as the real one."""


def write(folder: Path, *, name: str = "mosi_data.pkl", protocol: int = 4, **options: Any) -> None:
    """Write the pickle of the miniature.

    Args:
      folder: The folder of the file.
      name: Name of the file.
      protocol: Protocol of the pickle.
      **options: Arguments of ``contents``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(pickle.dumps(contents(**options), protocol))


def contents(
    *,
    samples: Mapping[str, int] = SAMPLES,
    length: int = 8,
    aligned: bool = True,
    text_width: int = 300,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the object that is pickled.

    With 300 features of text it is like ``mosi_data.pkl``: ``labels`` [N, 1, 1] and ``id`` bytes
    [N, 3]. With 768 features it is like ``aligned_50.pkl``: ``regression_labels`` [N], texts and
    other labels. Sequences are padded with zeros in front; a few audio features are -inf; one
    feature is constant.

    Args:
      samples: The number of samples of each split, at least three.
      length: Length of the sequences.
      aligned: Whether the sequences of audio and vision are as long as the text; else they are
        longer.
      text_width: The number of features of a word.
      seed: Seed of the numbers.
    """
    rng = np.random.default_rng(seed)
    lengths = dict.fromkeys(("text", "audio", "vision"), length)
    if not aligned:
        lengths |= {"audio": 2 * length, "vision": 3 * length // 2}
    return {split: _split(rng, count, lengths, text_width) for split, count in samples.items()}


def _split(
    rng: np.random.Generator, count: int, lengths: dict[str, int], text_width: int
) -> dict[str, Any]:
    widths = {"text": text_width, "audio": 5, "vision": 20}
    sentiment = np.round(rng.uniform(-3, 3, count), 1)
    sentiment[:3] = [0, -0.2, 0.2]
    arrays = {}
    for modality, width in widths.items():
        features = rng.normal(sentiment[:, None, None], 3, (count, lengths[modality], width))
        features[..., 0] = 0.3
        for sample in range(count):
            features[sample, : rng.integers(lengths[modality])] = 0
        arrays[modality] = features.astype(np.float32 if modality == "text" else np.float64)
    arrays["audio"][1, -1, 1] = arrays["audio"][2, -2, 3] = -np.inf
    if text_width == 300:
        name = np.array([[b"03bSnISJMiM", b"11.8", b"13.2"]] * count)
        return {**arrays, "labels": sentiment[:, None, None].astype(np.float32), "id": name}
    return {
        **arrays,
        "raw_text": np.array([f"WORDS {sample}" for sample in range(count)]),
        "text_bert": rng.normal(size=(count, 3, 8)),
        "id": [f"03bSnISJMiM$_${sample}" for sample in range(count)],
        "annotations": np.array(["Positive" if s > 0 else "Negative" for s in sentiment], object),
        "classification_labels": np.sign(sentiment) + 1,
        "regression_labels": sentiment.astype(np.float32),
    }
