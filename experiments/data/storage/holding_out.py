"""A random part of the training set, held out for validation."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.data.storage.fields import Fields
from experiments.data.storage.samples import Samples

SEED = 0
"""Seed that determines which samples are held out."""


def count(split: Fields | Samples) -> int:
    """Return the number of samples of a split.

    Examples:
      >>> count({"label": np.zeros(3)})
      3
    """
    return len(split) if isinstance(split, Samples) else len(next(iter(split.values())))


def hold_out(splits: Mapping[str, Any], share: float) -> dict[str, Any]:
    """Move a random share of the training set to a new set.

    Args:
      splits: "train" and others, as ``experiments.data.load`` returns them.
      share: The share of the training samples, in (0, 1), rounded to whole samples.

    Returns:
      The sets, with a smaller "train" and the new "held-out", both in the original order.

    Examples:
      >>> {name: count(x) for name, x in hold_out({"train": {"x": np.arange(10)}}, 0.2).items()}
      {'train': 8, 'held-out': 2}
    """
    train = splits["train"]
    order = np.random.default_rng(SEED).permutation(count(train))
    number = round(share * len(order))
    return {
        **splits,
        "train": _rows(train, np.sort(order[number:])),
        "held-out": _rows(train, np.sort(order[:number])),
    }


def _rows(split: Fields | Samples, rows: np.ndarray) -> Fields | Samples:
    if isinstance(split, Samples):
        return split.subset(rows)
    return {name: field[rows] for name, field in split.items()}
