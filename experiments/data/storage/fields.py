"""The types of samples by field: of a split in memory, and of a batch on the devices."""

from collections.abc import Mapping

import jax
import numpy as np

Fields = dict[str, np.ndarray]
"""An array per field, each with the samples along the first axis."""

Batch = Mapping[str, jax.Array]
"""A global array per field, with the samples along the first axis, which is sharded over the mesh
axis "data"."""
